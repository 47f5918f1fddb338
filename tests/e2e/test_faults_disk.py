# SPDX-License-Identifier: MIT
"""Calls that fail, lie or are slow under the receiver's log (docs/RELIABILITY.md, "Faults")."""
import errno
import os

import pytest

from support import build, faults, processes
from support.daemon import RECEIVER
from support.faults import FOR_EVER, Faults
from support.posts import Posts, at_once, is_ready
from support.waiting import wait_for

LONG = os.environ.get("CALLBACKD_TEST_LONG") == "1"
POSTS = 6 if LONG else 2  # of a short run
DURATIONS = (1, 2, 3, 5, 8, FOR_EVER) if LONG else (1, 2, FOR_EVER)
BEGINS, ENDS = 'msg="the store cannot be written"', 'msg="the store can be written again"'


@pytest.fixture
def broken(daemon, faults_library):
    """The faults of `daemon`; what its disk would have is kept."""
    return Faults(daemon, faults_library, durable=True)


def lines(daemon, text):
    return [line for line in daemon.log_text().splitlines() if text in line]


def start_again(daemon):
    daemon.launch()
    wait_for("the daemon is ready", daemon.is_ready)


def lose_connection(broken, posts):
    """The next post opens the log anew and empties the write-ahead file first."""
    with broken.during(faults.SYNC):
        assert posts.status() == 503


def short_run(broken, posts, call, error, first, count):
    """Posts while the first-th such call and those after it fail. Did it strike?"""
    with broken.during(call, error, first, count):
        assert set(posts.statuses(POSTS)) <= {200, 503}
        posts.check_rows(broken.after_power_cut())
    posts.send_again()
    posts.check_rows(broken.after_power_cut())
    assert is_ready(broken.daemon) is True
    return broken.struck > 0


CALLS = {"write": faults.WRITE, "sync": faults.SYNC, "truncate": faults.TRUNCATE,
         "open": faults.OPEN, "read": faults.READ}


@pytest.mark.parametrize("call, error, connected", [
    ("write", errno.EIO, True), ("write", errno.ENOSPC, True), ("write", errno.EIO, False),
    ("write", errno.ENOSPC, False), ("write", errno.EROFS, False), ("sync", errno.EIO, True),
    ("sync", errno.ENOSPC, True), ("sync", errno.EIO, False), ("truncate", errno.EIO, False),
    ("open", errno.EIO, False), ("open", errno.EROFS, False), ("read", errno.EIO, False)],
    ids=lambda value: errno.errorcode.get(value, value) if type(value) is int else str(value))
def test_a_call_that_fails_at_any_position(daemon, broken, call, error, connected):
    daemon.start()
    posts = Posts(daemon)
    for count in DURATIONS:
        positions = 0
        while True:
            if not connected:
                lose_connection(broken, posts)
            if not short_run(broken, posts, CALLS[call], error, positions + 1, count):
                break
            positions += 1
        assert positions > 0, "it struck nowhere"
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS))
    broken.cut_power()
    start_again(daemon)
    posts.check()


def test_a_sync_that_lies_is_seen_by_these_tests(daemon, broken):
    """The control: were the durable images blind, the tests above would prove nothing."""
    daemon.start()
    posts = Posts(daemon)
    assert posts.status() == 200
    with broken.during(faults.SYNC, effect=faults.LIE):
        assert posts.statuses(3) == [200] * 3
    assert len(broken.after_power_cut()) == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_receiver_that_starts_while_calls_fail(daemon, broken, call):
    """It is there and says 503: a sender that waits in vain would learn nothing."""
    daemon.start()
    posts = Posts(daemon)
    assert posts.status() == 200
    first = daemon.child(RECEIVER)
    with broken.during(CALLS[call]):
        processes.kill(first)
        wait_for("another receiver is ready to refuse", lambda: is_ready(daemon) is False)
        assert posts.statuses(2) == [503, 503]
        assert broken.struck > 0
    second = daemon.child(RECEIVER)
    posts.send_again()
    assert is_ready(daemon) is True
    assert daemon.child(RECEIVER) == second != first
    assert daemon.metric("receiver_restarts") == 1
    posts.check()


def test_a_slow_sync_is_shared_by_all_who_wait(daemon, broken):
    """At least 200 ms each: one after the other, these posts would need as many syncs as there are."""
    daemon.start()
    posts = Posts(daemon)
    senders, each = 16, 4
    with broken.during(faults.SYNC, effect=faults.DELAY,
                       delay_s=0.2 * min(build.SLOWNESS, 3)):
        answered = at_once(senders, lambda i: posts.statuses(each))
        syncs = broken.seen
    assert answered == [[200] * each] * senders  # nobody starves
    assert each <= syncs <= senders * each / 2
    assert not lines(daemon, BEGINS)
    posts.check()


def test_a_store_that_fails_does_not_fill_the_log_as_well(daemon, broken):
    daemon.config["log"]["level"] = "info"
    daemon.start()
    posts = Posts(daemon)
    began = len(daemon.log_text())
    with broken.during(faults.SYNC):
        assert posts.statuses(20) == [503] * 20
        for _ in range(5):
            assert is_ready(daemon) is False
    posts.send_again()
    errors = [line for line in daemon.log_text()[began:].splitlines() if "role=receiver" in line]
    assert len(errors) == 2 and BEGINS in errors[0] and ENDS in errors[1], errors
    assert daemon.metric("unavailable") == 20


def test_what_a_failed_sync_left_behind_is_not_built_upon(daemon, broken):
    """It stands whole in the write-ahead file, as far as memory goes, and not on the disk."""
    daemon.start()
    posts = Posts(daemon)
    with broken.during(faults.SYNC):
        assert posts.status() == 503
        daemon.kill()
    start_again(daemon)
    assert posts.statuses(2) == [200, 200]
    posts.check_rows(broken.after_power_cut())
    posts.send_again()
    broken.cut_power()
    start_again(daemon)
    posts.check()
