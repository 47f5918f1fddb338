# SPDX-License-Identifier: MIT
"""kill -9 of the worker, again and again, with hooks that behave as badly as they can.

Every job ends in its right state, at most one instance of a job is alive at any time, and nothing
is left of any: no orphan, no zombie, no descriptor. CALLBACKD_TEST_LONG=1: a hundred rounds, as
`tests/soak.sh hooks`.
"""
import os
import random

import pytest

from support import cgroups, misbehaving

LONG = os.environ.get("CALLBACKD_TEST_LONG") == "1"
ROUNDS = 100 if LONG else 8


@pytest.mark.parametrize("way", ["cgroup", "subreaper"])
def test_jobs_survive_workers_that_are_killed(daemon, way):
    if way == "cgroup" and (reason := cgroups.why_none()):
        pytest.skip(reason)
    daemon.config["hook_cgroups"] = way == "cgroup"
    seed = int(os.environ.get("CALLBACKD_TEST_SEED", random.randrange(2**32)))
    print(f"CALLBACKD_TEST_SEED={seed}")
    chance = random.Random(seed)
    idle = misbehaving.start(daemon)
    for _ in range(ROUNDS):
        misbehaving.kill_worker(daemon, chance)
    misbehaving.finish(daemon)
    misbehaving.check(daemon, idle)
