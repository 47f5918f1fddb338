# SPDX-License-Identifier: MIT
"""A stop, or kill -9, in the middle of a long queue: everything that was accepted runs.

30,000 jobs: `tests/soak.sh backlog`.
"""
import pytest

from support import backlog, build

JOBS = build.number(2000, 800, 400)  # so many that some are left when it is looked


@pytest.mark.parametrize("way", list(backlog.WAYS))
def test_what_was_accepted_runs_whatever_happens_in_the_middle(daemon, way):
    results = backlog.queue(daemon, JOBS)
    backlog.interrupt(daemon, way, JOBS, 60 * build.SLOWNESS)
    seen = backlog.check(daemon, way, results)
    print(seen)
