# SPDX-License-Identifier: MIT
"""kill -9 at any moment: what got a 200 is on disk, and its hook runs."""
import os
import random
import signal
import threading

from support import build, kills, processes
from support.daemon import PLAIN, RECEIVER, WORKER
from support.runs import launch_many
from support.waiting import wait_for

KILLS = 20

class Load:
    """Runs launched by a thread of their own; how far it is sets when something is killed."""

    def __init__(self, daemon, sim, count, faults):
        self.runs, self.failure = [], None

        def launch():
            try:
                launch_many(daemon, sim, count, lambda i: faults, self.runs.append)
            except BaseException as failure:  # shown by join(), in the test's own thread
                self.failure = failure

        self.thread = threading.Thread(target=launch)
        self.thread.start()

    def wait_for_more(self, more):
        target = len(self.runs) + more
        wait_for("the load goes on",
                 lambda: len(self.runs) >= target or not self.thread.is_alive())

    def join(self):
        self.thread.join()
        if self.failure:
            raise self.failure


def test_nothing_is_lost_by_kill_9(daemon, sim):
    count = build.number(1000, 300, 150)
    seed = int(os.environ.get("CALLBACKD_TEST_SEED", random.randrange(2**32)))
    print(f"CALLBACKD_TEST_SEED={seed}")
    chance = random.Random(seed)
    kills.configure(daemon)
    daemon.start()
    # The sender tries again when it got no answer, as PromptLayer may or may not.
    load = Load(daemon, sim, count, {"order": 200, "retries": 200 * build.SLOWNESS,
                                     "retry_ms": 50})
    try:
        for _ in range(KILLS):
            load.wait_for_more(chance.randrange(1, count // KILLS))
            what = chance.choice([RECEIVER, WORKER, "supervisor", "group"])
            if what == "supervisor":
                kills.kill_supervisor(daemon)
            elif what == "group":
                kills.kill_group(daemon)
            else:
                kills.kill_child(daemon, what)
    finally:
        load.join()

    wait_for("every callback got its 200", lambda: len(
        {post["workflow_version_execution_id"] for post in sim.sent()
         if post["status"] == 200}) == count)
    sent = {post["workflow_version_execution_id"]: post["body"] for post in sim.sent()}
    stored = dict(daemon.received("SELECT run_id, body FROM received WHERE duplicate_of IS NULL"))
    assert stored == {run.run_id: sent[run.execution_id] for run in load.runs}
    wait_for("every job has ended", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(count,)])
    ran = set(kills.noted(daemon))
    assert ran == {row[0] for row in daemon.received(
        "SELECT id FROM received WHERE duplicate_of IS NULL")}
    assert daemon.received("PRAGMA integrity_check") == [("ok",)]
    assert daemon.decided("PRAGMA integrity_check") == [("ok",)]
    daemon.stop()


def test_a_dead_supervisor_leaves_no_listener_behind(daemon):
    kills.configure(daemon)
    daemon.start()
    place = daemon.place(PLAIN)
    below = processes.descendants(daemon.pid)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait()
    daemon.process = None

    def refused():
        try:
            place.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    wait_for("nobody listens", refused)
    wait_for("its children are gone", lambda: not any(processes.exists(pid) for pid in below))
