# SPDX-License-Identifier: MIT
"""kill -9 of the worker, again and again, with hooks that behave as badly as they can.

Every job ends in its right state, at most one instance of a job is alive at any time, and nothing
is left of any: no orphan, no zombie, no descriptor. CALLBACKD_TEST_LONG=1: a hundred rounds.
"""
import os
import random

from support import build, processes
from support.daemon import WORKER, result_body
from support.waiting import wait_for

LONG = os.environ.get("CALLBACKD_TEST_LONG") == "1"
ROUNDS = 100 if LONG else 8

# Each one writes down who it is, behaves badly, and, once `go` is there, ends well. Another
# instance of the same job that is alive when one starts is an error that it reports: all of an
# instance holds a lock, by a descriptor that every process of it inherits.
PROLOGUE = """#!/bin/bash
exec 9> "locks/$CALLBACK_JOB_ID"
if ! flock -n 9; then echo "$0 $CALLBACK_JOB_ID" >> two_at_once; fi
echo "$$" >> pids
wait_for_go() { while test ! -e go; do sleep 0.05; done; }
"""
HOOKS = {
    "grandchildren": """
for i in 1 2; do bash -c 'echo $$ >> pids; for k in 1 2; do (echo $BASHPID >> pids; exec sleep 1000) & done; wait' & done
wait_for_go
""",
    "deaf": """
trap '' TERM HUP INT
bash -c 'trap "" TERM; echo $$ >> pids; while :; do sleep 1; done' &
wait_for_go
""",
    "double-fork": """
(setsid bash -c 'echo $$ >> pids; trap "" TERM; while :; do sleep 1; done' &)
wait_for_go
""",
    "flood": """
wait_for_go & waiter=$!
while kill -0 $waiter 2>/dev/null; do seq 1 20000; done
""",
    "closes": """
exec <&- >&- 2>&-
wait_for_go
""",
    "hangs": """
test -e go || exec sleep 1000
""",
}


def alive(daemon):
    """Those that hooks wrote down, of jobs of this daemon; a number may be another's by now."""
    pids = daemon.directory / "pids"
    mine = str(daemon.directory).encode()
    found = set()
    for pid in {int(text) for text in pids.read_text().split()} if pids.exists() else set():
        environment = processes.read(pid, "environ")
        if processes.exists(pid) and b"CALLBACK_JOB_ID=" in environment and \
                b"MARK=" + mine in environment:
            found.add(pid)
    return found


def workers_started(daemon):
    """As the log tells it: by its title also a hook's process is a worker, until it has executed,
    and the supervisor's child, if its worker is killed just then."""
    return daemon.log_text().count('msg="child started" child=worker')


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_jobs_survive_workers_that_are_killed(daemon):
    seed = int(os.environ.get("CALLBACKD_TEST_SEED", random.randrange(2**32)))
    print(f"CALLBACKD_TEST_SEED={seed}")
    chance = random.Random(seed)
    (daemon.directory / "locks").mkdir()
    for name, text in HOOKS.items():
        daemon.write_program(name, PROLOGUE + text)
        daemon.hook(name=name, command=[f"./{name}"], timeout="1h", concurrency=2,
                    env={"MARK": str(daemon.directory)}, retry={"attempts": 1})
    daemon.config["hook_concurrency"] = 2 * len(HOOKS)
    daemon.start()
    idle = descriptors(daemon.child(WORKER))
    supervisor = descriptors(daemon.pid)
    results = 3
    for number in range(1, results + 1):
        answer = daemon.call_back(daemon.launched(number), result_body(number))
        assert answer.status == 200, answer
    jobs = results * len(HOOKS)
    daemon.wait_until_taken_in()
    running = wait_for("all places are taken", lambda: (found := daemon.decided(
        "SELECT id FROM jobs WHERE state = 'running'")) and len(found) == 2 * len(HOOKS) and found)
    for _ in range(ROUNDS):
        worker = wait_for("there is a worker", lambda: daemon.child(WORKER))
        began = len((daemon.directory / "pids").read_text().split())
        old = alive(daemon)
        started = workers_started(daemon)
        processes.kill(worker)
        # Somewhere between its first instant and all being at work again.
        wait_for("another worker", lambda: workers_started(daemon) > started)
        target = began + chance.randrange(0, 2 * len(HOOKS))
        wait_for("it has come that far", lambda: len(
            (daemon.directory / "pids").read_text().split()) >= target)
        if target > began:
            assert not old & alive(daemon), "an instance outlived its worker's successor"
    wait_for("all places are taken again", lambda: len(daemon.decided(
        "SELECT id FROM jobs WHERE state = 'running'")) == len(running))
    wait_for("it serves", daemon.is_ready)
    # Now they may end well; one that hangs needs the next worker for that.
    (daemon.directory / "go").touch()
    processes.kill(daemon.child(WORKER))
    wait_for("every job has ended well", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(jobs,)], 120 * build.SLOWNESS)
    assert not (daemon.directory / "two_at_once").exists(), \
        (daemon.directory / "two_at_once").read_text()
    outcomes = daemon.decided(
        "SELECT outcome, exit_code, count(*) FROM attempts GROUP BY 1, 2 ORDER BY 1")
    assert {outcome for outcome, *_ in outcomes} == {"exit", "interrupted"}
    assert ("exit", 0, jobs) in outcomes
    # Each job that leaked one would show; connections to the store come and go.
    wait_for("the worker's descriptors are closed",
             lambda: descriptors(daemon.child(WORKER)) < idle + jobs)
    wait_for("those of its workers are closed in the supervisor",
             lambda: descriptors(daemon.pid) <= supervisor)
    # One that made a session of its own is free to go on after its job ended; kill -9 of the worker
    # takes it too.
    for pid in alive(daemon):
        processes.kill(pid)
    wait_for("no zombie is left", lambda: not [
        pid for pid in processes.descendants(daemon.child(WORKER)) if processes.state(pid) == "Z"])
