# SPDX-License-Identifier: MIT
"""What the long tests share: where the other tests' parts are, how an outcome is written down."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path += [str(ROOT / "tests/e2e"), str(ROOT / "tests/bench")]

import machine  # noqa: E402 (tests/bench)
import processes  # noqa: E402

MIB = 2**20


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def arguments(description, **others):
    """`--out FILE` and an option for each of `others`, of its default's type."""
    processes.end_on_sigterm()
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=pathlib.Path, help="the outcome is added here, a JSON line")
    for name, default in others.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    return parser


class Outcome:
    """with Outcome("kills", out, directory) as outcome: outcome.add(…); outcome.require(…)"""

    def __init__(self, test, out, directory):
        self.test, self.out = test, out
        self.found, self.faults = {}, []
        self.machine = machine.describe(directory) if out else {}
        self.begin = time.monotonic()

    def add(self, **found):
        self.found.update(found)

    def require(self, holds, fault):
        """What does not hold is said at once; the test goes on to find out more."""
        if not holds:
            say(f"FAILED {fault}")
            self.faults.append(fault)
        return holds

    def __enter__(self):
        return self

    def __exit__(self, kind, failure, _):
        if failure is not None:
            self.faults.append(f"ended early: {kind.__name__}: {str(failure)[:2000]}")
        if self.out:
            line = {"test": self.test, "passed": not self.faults, "faults": self.faults,
                    "took_s": round(time.monotonic() - self.begin),
                    "machine": self.machine, **self.found}
            with open(self.out, "a") as file:
                file.write(json.dumps(line) + "\n")
        say(f"{self.test}: {'FAILED' if self.faults else 'passed'} {self.found}")

    @property
    def status(self):
        return 1 if self.faults else 0


def certificates():
    """In a temporary folder, which the caller keeps."""
    directory = tempfile.TemporaryDirectory(prefix="callbackd-certificates-")
    subprocess.run([ROOT / "certs/make-dev-certs.sh", directory.name], check=True,
                   capture_output=True)
    return directory
