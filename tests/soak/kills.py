#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kills.py [--rounds 200] [--burst 400] [--seed N] [--out FILE]: kill -9 under load, of the
receiver and of supervisor, receiver and worker together, in turn.

Each round posts a burst at full speed and kills in the midst of it; what got no answer is posted
again. In the end every acknowledged post must be stored once, under the id that was answered, and
its hook must have run; both databases must be whole, and no process may be left."""
import os
import pathlib
import random
import sys
import tempfile
import time

import common
from common import say

from support import accounts, kills, processes
from support.daemon import RECEIVER, Daemon
from support.posting import Poster
from support.waiting import wait_for

HOOKS_AT_ONCE = 8
STANDSTILL_S = 60  # if fewer hooks end in so long, they have stopped
HOOKS_IN_STANDSTILL = 3000
WITHIN_S = 60      # how long a restart may take here; the longest is noted


def one_round(daemon, poster, chance, number, burst):
    """Returns what was killed and how long until the service answered again."""
    poster.allow(burst)
    poster.wait_for_more(chance.randrange(burst // 2))
    if number % 2 == 0:
        return "receiver", kills.kill_child(daemon, RECEIVER, WITHIN_S)
    return "group", kills.kill_group(daemon, WITHIN_S)


def run_rounds(daemon, poster, chance, rounds, burst):
    took = {"receiver": [], "group": []}
    for number in range(rounds):
        what, seconds = one_round(daemon, poster, chance, number, burst)
        took[what].append(seconds)
        if (number + 1) % 10 == 0:
            say(f"{number + 1} rounds, {len(poster.acknowledged):,} posts acknowledged")
    poster.finish()
    return took


def wait_for_hooks(daemon):
    """As long as they get on."""
    unfinished = ("SELECT coalesce(sum(jobs), 0) FROM job_counts"
                  " WHERE state NOT IN ('succeeded', 'dead')")
    while (left := daemon.decided(unfinished)[0][0]) > 0:
        say(f"{left:,} hooks to run")
        aim = max(0, left - HOOKS_IN_STANDSTILL)
        wait_for("more hooks ended", lambda: daemon.decided(unfinished)[0][0] <= aim, STANDSTILL_S)


def check(daemon, poster, outcome):
    stored = accounts.read_log(daemon.store / "log/results.db")
    account = accounts.settle(poster.acknowledged, stored)
    ran = kills.noted(daemon)
    ids = {result_id for result_id, _, _ in stored.values()}
    jobs = daemon.decided("SELECT state, count(*) FROM jobs GROUP BY state")
    (duplicates,), = daemon.received("SELECT count(*) FROM received WHERE duplicate_of IS NOT NULL")
    per_result = daemon.decided("SELECT count(*) FROM (SELECT 1 FROM jobs GROUP BY result_seq)")
    outcome.add(acknowledged=account.acknowledged, missing=len(account.missing),
                twice=len(account.twice), altered=len(account.altered),
                misnamed=len(account.misnamed), hooks_missing=len(ids - set(ran)),
                hooks_ran_again=len(ran) - len(set(ran)),
                posted_again=sum(post.tries > 1 for post in poster.acknowledged),
                stored_without_answer=duplicates)
    outcome.require(account.is_balanced, f"missing {account.missing[:5]}, twice "
                    f"{account.twice[:5]}, altered {account.altered[:5]}, misnamed "
                    f"{account.misnamed[:5]}")
    outcome.require(len(stored) == account.acknowledged, "stored is what nobody posted")
    outcome.require(not poster.unexpected, f"answers {poster.unexpected[:5]}")
    outcome.require(set(ran) == ids, "a hook did not run, or ran for nothing")
    outcome.require(jobs == [("succeeded", len(ids))] and per_result == [(len(ids),)],
                    f"jobs {jobs} of {per_result} results for {len(ids)} results")


def check_databases(daemon, outcome, when):
    for name in ("log/results.db", "state/state.db"):
        found = daemon.query(name, "PRAGMA integrity_check")
        outcome.require(found == [("ok",)], f"{name} {when}: {found[:5]}")


def check_no_orphan(before, outcome):
    def left():
        processes.reap_orphans(before)
        return processes.descendants(os.getpid()) - before
    try:
        wait_for("all processes are gone", lambda: not left())
    except AssertionError:
        outcome.require(False, f"left over: {processes.describe(left())}")


def soak(certificates, options, outcome):
    before = processes.descendants(os.getpid())
    daemon = Daemon(pathlib.Path(certificates))
    daemon.config["log"]["level"] = "info"
    kills.configure(daemon, HOOKS_AT_ONCE)
    daemon.start()
    poster = Poster(daemon, options.seed)
    try:
        took = run_rounds(daemon, poster, random.Random(options.seed), options.rounds,
                          options.burst)
        wait_for_hooks(daemon)
        check(daemon, poster, outcome)
        outcome.add(rounds=options.rounds, seed=options.seed, longest_restart_s={
            what: round(max(times), 2) for what, times in took.items() if times})
        check_databases(daemon, outcome, "while it runs")
        daemon.stop()
        check_databases(daemon, outcome, "when it has stopped")
    finally:
        poster.stop()
        daemon.close()
        check_no_orphan(before, outcome)
        if outcome.faults or sys.exc_info()[0]:
            say(f"kept: {daemon.directory}")
        else:
            daemon.remove()


def main():
    parser = common.arguments(__doc__, rounds=200, burst=400, seed=int(time.time()))
    options = parser.parse_args()
    processes.adopt_orphans()
    with common.certificates() as certificates:
        with common.Outcome("kills", options.out, pathlib.Path(tempfile.gettempdir())) as outcome:
            say(f"seed {options.seed}")
            soak(certificates, options, outcome)
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
