# SPDX-License-Identifier: MIT
"""state.db fails while the receiver accepts (docs/RELIABILITY.md, "Faults")."""
import errno
import os

import pytest

from support import faults, processes
from support.daemon import WORKER
from support.faults import FOR_EVER, Faults
from support.posts import Posts, is_ready
from support.waiting import wait_for

LONG = os.environ.get("CALLBACKD_TEST_LONG") == "1"
DURATIONS = (1, 2, 3, 5, FOR_EVER) if LONG else (1, FOR_EVER)
BEGINS, ENDS = 'msg="worker cannot go on, it keeps trying"', 'msg="worker goes on"'
STATE = {"files": faults.STATE, "roles": faults.WORKER}
TRIES = 4  # so often in vain, before a fault is taken away


@pytest.fixture
def broken(daemon, faults_library):
    return Faults(daemon, faults_library, durable=True)


def lines(daemon, text):
    return [line for line in daemon.log_text().splitlines() if text in line]


def ran(daemon):
    """What hooks wrote down, in their order."""
    path = daemon.directory / "ran"
    return path.read_text().split() if path.exists() else []


def start_again(daemon):
    daemon.launch()
    wait_for("the daemon is ready", daemon.is_ready)


@pytest.mark.parametrize("call, error", [(faults.WRITE, errno.ENOSPC), (faults.SYNC, errno.EIO)],
                         ids=["write-ENOSPC", "sync-EIO"])
def test_results_are_accepted_while_nothing_can_be_decided(daemon, broken, call, error):
    daemon.hook(shell='echo "$CALLBACK_RESULT_ID" >> ran')
    daemon.start()
    posts = Posts(daemon)
    with broken.during(call, error, **STATE):
        assert posts.statuses(5) == [200] * 5
        wait_for("it was tried in vain", lambda: broken.struck >= TRIES)
        assert is_ready(daemon) is True
        assert daemon.admin.ask("POST", "/api/v1/runs", {"workflow": "w"}).status == 503
        assert daemon.admin.ask("GET", "/api/v1/results").status == 200
        assert posts.status() == 200
        assert len(lines(daemon, BEGINS)) == 1 and not lines(daemon, ENDS)
        assert ran(daemon) == []
    wait_for("every hook has run", lambda: len(ran(daemon)) == 6)
    daemon.wait_for_jobs(6)
    assert set(ran(daemon)) == set(posts.accepted.values())
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS)) == 1
    assert daemon.register()["run_id"]
    posts.check()


def start_hook(daemon):
    """A hook that runs until it may end; returns the posts."""
    daemon.hook(shell='echo "$CALLBACK_JOB_ID" >> ran; while test ! -e go; do sleep 0.02; done')
    daemon.start()
    posts = Posts(daemon)
    assert posts.status() == 200
    wait_for("the hook runs", lambda: ran(daemon))
    return posts


def test_a_hook_whose_end_cannot_be_recorded_runs_once(daemon, broken):
    posts = start_hook(daemon)
    with broken.during(faults.WRITE, errno.ENOSPC, **STATE):
        (daemon.directory / "go").touch()
        wait_for("it was tried in vain", lambda: broken.struck >= TRIES)
        assert posts.status() == 200
        assert len(lines(daemon, BEGINS)) == 1 and not lines(daemon, ENDS)
    jobs = daemon.wait_for_jobs(2)
    assert [len(job["attempts"]) for job in jobs] == [1, 1]
    assert sorted(ran(daemon)) == sorted(job["id"] for job in jobs)
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS)) == 1


def test_a_hook_whose_end_was_never_recorded_runs_again_as_the_same_job(daemon, broken):
    start_hook(daemon)
    with broken.during(faults.WRITE, errno.ENOSPC, **STATE):
        (daemon.directory / "go").touch()
        wait_for("it was tried in vain", lambda: broken.struck >= TRIES)
        worker = daemon.child(WORKER)
        processes.kill(worker)
        wait_for("another worker waits", lambda: len(lines(daemon, BEGINS)) == 2)
        assert daemon.child(WORKER) not in (None, worker)
    job, = daemon.wait_for_jobs(1)
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["interrupted", "exit"]
    assert ran(daemon) == [job["id"]] * 2
    assert len(lines(daemon, ENDS)) == 1  # the other one was killed


def test_a_stop_does_not_wait_for_ever_for_what_cannot_be_recorded(daemon, broken):
    daemon.config["limits"].update({"stop_timeout": "1s"})
    start_hook(daemon)
    with broken.during(faults.WRITE, errno.ENOSPC, **STATE):
        (daemon.directory / "go").touch()
        wait_for("it was tried in vain", lambda: broken.struck >= TRIES)
        daemon.stop()
    assert len(lines(daemon, BEGINS)) == 1 and not lines(daemon, ENDS)
    assert len(lines(daemon, "cannot record the ends of jobs")) <= 1
    start_again(daemon)
    job, = daemon.wait_for_jobs(1)
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["interrupted", "exit"]


@pytest.mark.parametrize("call, error, step", [
    (faults.WRITE, errno.EIO, 1 if LONG else 7), (faults.SYNC, errno.EIO, 1),
    (faults.READ, errno.EIO, 1)], ids=["write", "sync", "read"])
def test_a_call_that_fails_at_any_position(daemon, broken, call, error, step):
    """Whatever the worker was about to record: every hook runs, and once only."""
    daemon.hook(shell='echo "$CALLBACK_RESULT_ID" >> ran')
    daemon.start()
    posts = Posts(daemon)
    for count in DURATIONS:
        first, struck = 1, True
        while struck:
            with broken.during(call, error, first, count, **STATE):
                assert posts.status() == 200
                # Until it strikes, or until there is nothing left that it could strike.
                wait_for("it struck or missed", lambda: broken.struck or
                         len(ran(daemon)) == len(posts.accepted) and
                         daemon.metric("jobs_succeeded") == len(posts.accepted))
                struck = broken.struck > 0
            wait_for("every hook has run", lambda: len(ran(daemon)) == len(posts.accepted))
            first += step
    daemon.wait_until_taken_in()
    wait_for("every end is recorded", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(len(posts.accepted),)])
    assert set(ran(daemon)) == set(posts.accepted.values())
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS))
    broken.cut_power()
    start_again(daemon)
    posts.check()
    assert daemon.decided("PRAGMA integrity_check") == [("ok",)]
    wait_for("every hook has run, as far as the disk knows", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(len(posts.accepted),)])
