#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""backlog.py BUILD DIRECTORY [--jobs 30000] [--queued 1000000] [--out FILE]: long queues.

First --jobs jobs, interrupted when a third and when two thirds of them are done: by SIGTERM, by
kill -9 of the worker, by kill -9 of all processes. Everything that was accepted must run, after a
SIGTERM once, and after kill -9 no more may run again than were running.

Then a queue of --queued jobs beside one of 4,000, of hooks without order, in lines, with a priority
and with a rate. It must cost disk, not memory, and nothing may depend on how long it is: how fast
hooks are completed, starting, `callbackctl hooks`, and the lists of the admin API.

A million needs about 1.2 GB of disk; it is removed in the end."""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import common
from common import MIB, say

import prefill
import processes
from scale import Timer, other_store
from servers import Callbackd, Place

from support import backlog
from support.daemon import Daemon

QUEUED_LITTLE = 4000
ROUNDS = 3
DRAIN_S = 3.0
PATIENCE_S = 600
LOOKS = 50
MEMORY_MORE = 8 * MIB       # with a million beside 4,000
RATE_AT_LEAST = 0.8         # hooks completed with a million ÷ with 4,000
SLOWER_AT_MOST = 2.0        # medians, beside what is too short to be measured well:
NEGLIGIBLE_S = {"start": 0.2, "list": 0.005, "callbackctl": 0.01}
COMMAND = {"command": ["/bin/true"], "concurrency": 4}
HOOKS = [
    {"name": "plain", **COMMAND},
    {"name": "lines", "order": "workflow", **COMMAND},
    {"name": "first", "order": "execution", "priority": 5, **COMMAND},
    {"name": "rated", "rate": "20/s", **COMMAND},
]


# ---- interrupted ----

def interrupt(certificates, way, jobs):
    """Returns what was seen; anything that does not hold is an AssertionError."""
    daemon = Daemon(pathlib.Path(certificates))
    try:
        results = backlog.queue(daemon, jobs)
        backlog.interrupt(daemon, way, jobs, PATIENCE_S)
        seen = backlog.check(daemon, way, results)
        daemon.stop()
    finally:
        daemon.close()
        if sys.exc_info()[0]:
            say(f"kept: {daemon.directory}")
    daemon.remove()
    say(f"{seen}")
    return seen


# ---- long ----

class Queued(Callbackd):
    """On a store with a queue; its hooks run."""

    def __init__(self, place):
        super().__init__(place, store=place.prefilled)

    def configuration(self):
        return {**super().configuration(), "hooks": HOOKS}

    def start(self):
        self.start_unpaused()

    def callbackctl_hooks(self):
        begin = time.perf_counter()
        done = subprocess.run(
            [self.place.bin / "callbackctl", "hooks", "--json", "--config",
             self.directory / "callbackd.json", "--url", f"http://127.0.0.1:{self.admin_port}"],
            check=True, capture_output=True, text=True)
        return time.perf_counter() - begin, json.loads(done.stdout)


def make_queue(place, jobs):
    """A quarter of them for each hook."""
    shutil.rmtree(place.prefilled, ignore_errors=True)
    with Queued(place) as server:
        server.set_paused(True)
    prefill.fill_queue(place.prefilled, jobs // len(HOOKS), [
        (hook["name"], hook.get("order")) for hook in HOOKS])


def waiting(listed):
    return sum(hook["waiting"] for hook in listed["items"])


def drain(server):
    """Hooks completed a second, and the most memory that it had meanwhile."""
    server.set_paused(False)
    time.sleep(0.5)
    before, begin, most = server.completed(), time.monotonic(), 0
    while time.monotonic() < begin + DRAIN_S:
        most = max(most, processes.pss_bytes(server.own()))
        time.sleep(0.2)
    rate = (server.completed() - before) / (time.monotonic() - begin)
    server.set_paused(True)
    return rate, most


def look(place, jobs):
    """{what: seconds}, hooks completed a second, memory: with a queue of that many."""
    begin = time.perf_counter()
    with Queued(place) as server:
        found = {"start": time.perf_counter() - begin}
        listed = server.callbackctl_hooks()[1]
        if not waiting(listed) > jobs // 2:
            raise RuntimeError(f"{waiting(listed)} jobs wait, not {jobs}")
        idle = processes.pss_bytes(server.own())
        for name, path in (("list of hooks", "/hooks"), ("list of a hook's jobs",
                           "/jobs?hook=lines&state=waiting&limit=100")):
            timer = Timer(server)
            for _ in range(LOOKS):
                timer.get("/api/v1" + path)
            found[name] = timer.summary()["median_s"]
        found["callbackctl hooks"] = statistics.median(
            server.callbackctl_hooks()[0] for _ in range(LOOKS // 5))
        rate, most = drain(server)
        size = sum(path.stat().st_size for path in place.prefilled.rglob("*.db"))
    return {"seconds": found, "hooks_per_s": rate, "idle": idle, "most": most, "bytes": size,
            "jobs": jobs}


def compare(small, large, outcome):
    """Lists of what each round saw."""
    def of(seen, *keys):
        values = seen
        for key in keys:
            values = [one[key] for one in values]
        return statistics.median(values)

    table = []
    for name in small[0]["seconds"]:
        before, after = of(small, "seconds", name), of(large, "seconds", name)
        table.append({"name": name, "small": before, "large": after})
        allowed = max(before * SLOWER_AT_MOST, before + NEGLIGIBLE_S[name.split()[0]])
        outcome.require(after <= allowed, f"{name}: {before * 1e3:.1f} ms, with many "
                                          f"{after * 1e3:.1f} ms")
    outcome.add(table=table, small_jobs=small[0]["jobs"], queued=large[0]["jobs"],
                bytes=large[0]["bytes"])
    for name in ("idle", "most"):
        before, after = of(small, name), of(large, name)
        outcome.add(**{"memory_" + name: [before, after]})
        outcome.require(after <= before + MEMORY_MORE,
                        f"memory, {name}: {before / MIB:.1f} MiB, with many {after / MIB:.1f} MiB")
    rates = of(small, "hooks_per_s"), of(large, "hooks_per_s")
    outcome.add(hooks_per_s=[round(rate) for rate in rates])
    outcome.require(rates[1] >= rates[0] * RATE_AT_LEAST, f"hooks a second, few and many: {rates}")


def be_long(place, options, outcome):
    small, large = other_store(place, "small"), other_store(place, "large")
    seen = {"small": [], "large": []}
    say(f"making a queue of {options.queued:,} jobs")
    make_queue(large, options.queued)
    for _ in range(ROUNDS):
        make_queue(small, QUEUED_LITTLE)
        seen["small"].append(look(small, QUEUED_LITTLE))
        seen["large"].append(look(large, options.queued))
    compare(seen["small"], seen["large"], outcome)


def main():
    parser = common.arguments(__doc__, jobs=30_000, queued=1_000_000)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    options = parser.parse_args()
    place = Place(options.build.resolve(), options.directory.resolve())
    place.prepare(common.ROOT)
    with common.Outcome("backlog", options.out, place.directory) as outcome:
        try:
            outcome.add(ways=[])
            with common.certificates() as certificates:
                for way in backlog.WAYS if options.jobs else []:
                    outcome.found["ways"].append(interrupt(certificates, way, options.jobs))
            be_long(place, options, outcome)
        finally:
            for name in ("server", "small", "large"):
                shutil.rmtree(place.directory / name, ignore_errors=True)
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
