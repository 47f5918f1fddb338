#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""flat.py BUILD DIRECTORY [--minutes 20] [--every 5] [--hooks-per-s 100] [--rate N] [--out FILE]:
does anything grow while callbackd works?

First the greatest rate is measured, then half of it is offered for `--minutes` (or --rate),
and beside it posts of which each runs a hook. Every `--every` seconds memory (PSS of supervisor,
receiver and worker), descriptors, threads and write-ahead files are looked at. The first quarter is
for warming up; then the last quarter is compared with the second:

  memory          its median is at most 10 % or 2 MiB higher
  descriptors     the greatest number is not higher, but for those of hooks that just begin or end
  threads         the greatest number is not higher
  write-ahead     the largest is at most 25 % or 8 MiB larger
  worker's lag    it is at most 10 s of posts behind, and not further than before

Retention is a minute, so that it is at work too; but it removes less than comes, and the store
grows by about 1.8 KB with each post. If that is more than the disk has room for, the rate is lower,
and the outcome says so. The store is removed in the end."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import common
from common import MIB, say

import measure
import processes
from servers import Callbackd, Place, wait_for

PROBE_S = 5
HOOKS_AT_ONCE = 4
FDS_OF_A_HOOK = 8      # three pipes while it begins, its body's file, its pidfd
FREE_BYTES_LEAST = 8 * 1024 * MIB
ROOM = 1.2             # on disk, beyond what a post took in the measurement
LAG_MAX_S = 10


class Working(Callbackd):
    """One endpoint whose hooks run, one without."""

    def configuration(self):
        configuration = super().configuration()
        configuration["endpoints"].append(
            {"name": "hooked", "path": "/hooked", "verify": [{"scheme": "run-token"}]})
        configuration["store"]["retention"] = "1m"
        configuration["hooks"] = [
            {"name": "next", "endpoint": "hooked", "command": ["sh", "-c", "cat >/dev/null"],
             "concurrency": HOOKS_AT_ONCE}]
        return configuration

    def start(self):
        self.start_unpaused()


def count(pids, what):
    return sum(len(os.listdir(f"/proc/{pid}/{what}")) for pid in pids)


def size(path):
    return path.stat().st_size if path.exists() else 0


def sample(server, begin):
    store, pids = server.directory / "store", server.own()
    return {"at_s": round(time.monotonic() - begin, 1), "memory": processes.pss_bytes(pids),
            "descriptors": count(pids, "fd"), "threads": count(pids, "task"),
            "wal": size(store / "log/results.db-wal") + size(store / "state/state.db-wal"),
            "lag": server.lag(), "pids": pids}


def start_load(server, endpoint, path, rate, seconds, connections):
    command = [server.place.bench / "bench_load", "--port", server.port, "--path", path,
               "--endpoint", endpoint, "--key", server.place.key, "--connections", connections,
               "--threads", 1, "--rate", f"{rate:.1f}", "--seconds", seconds, "--warm-up", 0]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)


def watch(server, loads, options):
    samples, begin = [], time.monotonic()
    while all(load.poll() is None for load in loads):
        samples.append(sample(server, begin))
        free = shutil.disk_usage(server.directory).free
        if free < FREE_BYTES_LEAST:
            raise RuntimeError(f"the disk is nearly full: {free // MIB} MiB")
        if len(samples) % max(1, round(60 / options.every)) == 0:
            say(json.dumps(samples[-1]))
        time.sleep(options.every)
    return samples


def quarters(samples):
    step = len(samples) // 4
    return samples[step:2 * step], samples[-step:]


def compare(samples, rate, outcome):
    """The rule above; fills the table."""
    second, last = quarters(samples)

    def add(name, of, allowed, unit=1):
        before, after = (of([one[name] for one in part]) for part in (second, last))
        outcome.found["table"].append({
            "name": name, "first": samples[0][name] / unit, "second": before / unit,
            "last": after / unit, "most": max(one[name] for one in samples) / unit})
        outcome.require(after <= allowed(before), f"{name} grows: {before} before, {after} now")

    outcome.add(table=[])
    add("memory", statistics.median, lambda before: max(before * 1.1, before + 2 * MIB), MIB)
    add("descriptors", max, lambda before: before + FDS_OF_A_HOOK * HOOKS_AT_ONCE)
    add("threads", max, lambda before: before)
    add("wal", max, lambda before: max(before * 1.25, before + 8 * MIB), MIB)
    add("lag", max, lambda before: min(max(before * 1.25, rate), LAG_MAX_S * rate))
    outcome.require(len({tuple(one["pids"]) for one in samples}) == 1,
                    "a process was started again")


def end(loads, outcome, names):
    for name, load in zip(names, loads):
        seen = json.loads(load.communicate()[0])
        outcome.add(**{name: {key: seen[key] for key in
                              ("all", "per_second", "errors", "late", "p50_us", "p99_us",
                               "p999_us", "longest_us")}})
        outcome.require(seen["errors"] == 0 and set(seen["statuses"]) == {"200"},
                        f"{name}: {seen['errors']} without an answer, {seen['statuses']}")
    return outcome.found[names[1]]["all"]


def check_hooks(server, hooked, outcome):
    server.catch_up()
    state = server.directory / "store/state/state.db"
    unfinished = "SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'dead')"
    wait_for("the hooks", lambda: server.number(state, unfinished) == (0,))
    # Of the counter: retention has removed most of these jobs.
    ran = server.completed()
    outcome.add(hooks=ran)
    outcome.require(ran == hooked, f"{hooked} results with a hook, {ran} hooks ran well")


def measure_fastest(place):
    """Posts a second, and what each takes on the disk."""
    with Working(place) as server:
        seen = measure.run_load(server, PROBE_S, 64, 500, False, 0)
        server.catch_up()
        store = sum(map(size, (server.directory / "store").rglob("*.db")))
    return seen["per_second"], store / seen["all"]


def choose_rate(place, fastest, bytes_per_post, seconds):
    """Half of the fastest, or what there is room for."""
    free = shutil.disk_usage(place.directory).free - FREE_BYTES_LEAST
    return min(fastest / 2, free / (bytes_per_post * ROOM * seconds))


def soak(place, options, outcome):
    seconds = round(options.minutes * 60)
    fastest, bytes_per_post = measure_fastest(place)
    rate = options.rate or choose_rate(place, fastest, bytes_per_post, seconds)
    if rate < 1:
        raise RuntimeError(f"the disk has no room for {seconds} s of posts")
    say(f"{fastest:,.0f}/s at most; {rate:,.0f}/s for {seconds} s")
    outcome.add(minutes=options.minutes, fastest_per_s=round(fastest), rate_per_s=round(rate),
                bytes_per_post=round(bytes_per_post), hooks_per_s=options.hooks_per_s)
    names = ("posts", "posts_with_hook")
    with Working(place) as server:
        loads = [start_load(server, "results", "/callback", rate, seconds, 64),
                 start_load(server, "hooked", "/hooked", options.hooks_per_s, seconds, 4)]
        try:
            samples = watch(server, loads, options)
            compare(samples, rate, outcome)
            hooked = end(loads, outcome, names)
            check_hooks(server, hooked, outcome)
        finally:
            for load in loads:
                load.kill()
                load.wait()


def main():
    parser = common.arguments(__doc__, minutes=20.0, every=5.0, hooks_per_s=100.0, rate=0.0)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    options = parser.parse_args()
    place = Place(options.build.resolve(), options.directory.resolve())
    place.prepare(common.ROOT)
    with common.Outcome("flat", options.out, place.directory) as outcome:
        try:
            soak(place, options, outcome)
        finally:
            shutil.rmtree(place.directory / "server", ignore_errors=True)
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
