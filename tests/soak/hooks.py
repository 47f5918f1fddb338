#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hooks.py [--rounds 100] [--seed N] [--out FILE]: kill -9 of the worker, again and again, with
hooks that fork grandchildren, ignore SIGTERM, double-fork, fill their output, close it, or hang;
killed by control group (where one can be made), and then by a search.

Every job must end in its right state, no two instances of one may be alive at any time, and nothing
may be left: no process, no zombie, no descriptor."""
import os
import pathlib
import random
import sys
import tempfile
import time

import common
from common import say

from support import cgroups, misbehaving, processes
from support.daemon import Daemon
from support.waiting import wait_for


def check_no_orphan(before):
    def left():
        processes.reap_orphans(before)
        return processes.descendants(os.getpid()) - before
    wait_for("all processes are gone", lambda: not left())


def run_rounds(daemon, chance, rounds):
    idle = misbehaving.start(daemon)
    way = daemon.admin.get("/api/v1/status")["hooks"]["kill"]
    for number in range(rounds):
        misbehaving.kill_worker(daemon, chance)
        if (number + 1) % 10 == 0:
            say(f"{way}: {number + 1} rounds, {len(misbehaving.noted(daemon))} processes of hooks")
    misbehaving.finish(daemon)
    misbehaving.check(daemon, idle)
    counted = dict(daemon.decided("SELECT outcome, count(*) FROM attempts GROUP BY 1"))
    return {"way": way, "rounds": rounds, "jobs": misbehaving.JOBS,
            "attempts": sum(counted.values()), "interrupted": counted["interrupted"],
            "processes": len(misbehaving.noted(daemon))}


def soak(certificates, way, options):
    """Returns what was seen; anything that does not hold is an AssertionError."""
    before = processes.descendants(os.getpid())
    daemon = Daemon(pathlib.Path(certificates))
    daemon.config["hook_cgroups"] = way == "cgroup"
    try:
        seen = run_rounds(daemon, random.Random(options.seed), options.rounds)
        daemon.stop()
    finally:
        daemon.close()
        if sys.exc_info()[0]:
            say(f"kept: {daemon.directory}")
    check_no_orphan(before)
    daemon.remove()
    return seen


def main():
    parser = common.arguments(__doc__, rounds=100, seed=int(time.time()))
    options = parser.parse_args()
    processes.adopt_orphans()
    reason = cgroups.why_none()
    with common.certificates() as certificates:
        with common.Outcome("hooks", options.out, pathlib.Path(tempfile.gettempdir())) as outcome:
            say(f"seed {options.seed}")
            outcome.add(seed=options.seed, no_cgroup=reason, ways=[])
            for way in ["subreaper"] if reason else ["cgroup", "subreaper"]:
                outcome.found["ways"].append(soak(certificates, way, options))
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
