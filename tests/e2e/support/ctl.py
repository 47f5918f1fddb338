# SPDX-License-Identifier: MIT
"""callbackctl, as a person or a script would run it."""
import json
import os
import subprocess
from dataclasses import dataclass

from . import build
from .daemon import SANITIZER


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: bytes
    stderr: str

    def json(self):
        return json.loads(self.stdout)


class Ctl:
    def __init__(self, config=None, **environment):
        self.environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TZ": "UTC",
                            **{name: value for name, value in os.environ.items()
                               if name.endswith("SAN_OPTIONS")}, **environment}
        if config is not None:
            self.environment["CALLBACKD_CONFIG"] = str(config)

    def __call__(self, *arguments, input=None):
        done = subprocess.run([build.CALLBACKCTL, *map(str, arguments)], capture_output=True,
                              env=self.environment, input=input or b"", timeout=120)
        outcome = Outcome(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
        assert not SANITIZER.search(outcome.stderr), outcome.stderr
        assert done.returncode >= 0, outcome
        return outcome

    def start(self, *arguments):
        """Without waiting for its end."""
        return subprocess.Popen([build.CALLBACKCTL, *map(str, arguments)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment)
