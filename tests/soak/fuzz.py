#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fuzz.py TARGETS DIRECTORY [--only NAMES] [--minutes 20] [--workers N] [--out FILE]: every fuzz
target in the folder TARGETS, or those named (with commas), until it has used so many minutes of a
CPU, however busy the machine is; from its seeds in tests/fuzz/corpus and from what earlier runs
found worth keeping in DIRECTORY/TARGET.

`--workers` targets run at the same time, by default one on each CPU. Nothing may be found: no fault
of memory, nothing undefined, no property that does not hold, no input that takes 10 s. What was
found is kept in DIRECTORY as TARGET-crash-… and the like, with TARGET.log. Each target has an
outcome of its own."""
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import common
from common import say

SEEDS = common.ROOT / "tests/fuzz/corpus"
OPTIONS = ["-timeout=10", "-rss_limit_mb=4096", "-print_final_stats=1"]


def last(pattern, text):
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def cpu_seconds(pid):
    """What the process has used so far; None when it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(process, seconds):
    """Its exit status, once it has used its time or has found something. libFuzzer ends well at
    SIGUSR1, between two inputs."""
    used = 0
    while process.poll() is None:
        used = cpu_seconds(process.pid) or used
        if used >= seconds:
            process.send_signal(signal.SIGUSR1)
            return process.wait(60), used
        time.sleep(0.2)
    return process.returncode, used


def run(target, directory, seconds):
    """What came of one target."""
    name = target.name
    corpus = directory / name
    corpus.mkdir(parents=True, exist_ok=True)
    command = [target, *OPTIONS, f"-artifact_prefix={directory}/{name}-", corpus]
    if (SEEDS / name).is_dir():
        command.append(SEEDS / name)
    log_path = directory / f"{name}.log"
    with open(log_path, "wb") as log:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
        try:
            status, used = watch(process, seconds)
        finally:
            process.kill()
            process.wait()
    log = log_path.read_text(errors="replace")
    return {"status": status, "cpu_minutes": round(used / 60, 1),
            "inputs": last(r"number_of_executed_units:\s*(\d+)", log),
            "edges": last(r"\bcov: (\d+)", log), "kept": len(list(corpus.iterdir()))}


def judge(target, options):
    """Runs it and writes down what came of it; whether it has passed."""
    with common.Outcome("fuzz", options.out, options.directory) as outcome:
        outcome.add(on=target.name)
        seen = run(target, options.directory, options.minutes * 60)
        outcome.add(minutes=options.minutes, **seen)
        outcome.require(seen["status"] == 0 and seen["inputs"] > 0 and
                        seen["cpu_minutes"] >= round(options.minutes, 1),
                        f"{target.name}: see {options.directory}/{target.name}.log")
    return not outcome.status


def main():
    parser = common.arguments(__doc__, minutes=20.0, workers=os.cpu_count(), only="")
    parser.add_argument("targets", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    options = parser.parse_args()
    targets = {path.name: path for path in sorted(options.targets.iterdir())
               if path.is_file() and os.access(path, os.X_OK)}
    if options.only:
        names = options.only.split(",")
        if unknown := [name for name in names if name not in targets]:
            sys.exit(f"fuzz.py: no target is named {', '.join(unknown)}")
        targets = {name: targets[name] for name in names}
    if not targets:
        sys.exit(f"fuzz.py: no target in {options.targets}")
    options.directory.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        passed = list(pool.map(lambda target: judge(target, options), targets.values()))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
