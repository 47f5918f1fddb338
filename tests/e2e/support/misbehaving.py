# SPDX-License-Identifier: MIT
"""Hooks that behave as badly as they can, while their worker is killed again and again.

Each one writes down who it is, behaves badly, and, once `go` is there, ends well. Another instance
of the same job that is alive when one starts is an error that it reports: all of an instance holds
a lock, by a descriptor that every process of it inherits.
"""
import dataclasses
import os

from . import build, processes
from .daemon import WORKER, result_body
from .waiting import wait_for

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
RESULTS = 3
JOBS = RESULTS * len(HOOKS)
PLACES = 2 * len(HOOKS)


def alive(daemon):
    """Those that hooks wrote down, of jobs of this daemon; a number may be another's by now."""
    mine = str(daemon.directory).encode()
    found = set()
    for pid in set(noted(daemon)):
        environment = processes.read(pid, "environ")
        if processes.exists(pid) and b"CALLBACK_JOB_ID=" in environment and \
                b"MARK=" + mine in environment:
            found.add(pid)
    return found


def noted(daemon):
    """The process numbers that hooks wrote down, in their order."""
    pids = daemon.directory / "pids"
    return [int(line) for line in pids.read_text().splitlines()] if pids.exists() else []


def workers_started(daemon):
    """As the log tells it: by its title also a hook's process is a worker, until it has executed,
    and the supervisor's child, if its worker is killed just then."""
    return daemon.log_text().count('msg="child started" child=worker')


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def zombies(daemon):
    return [pid for pid in processes.descendants(daemon.child(WORKER))
            if processes.state(pid) == "Z"]


@dataclasses.dataclass
class Idle:
    """Descriptors of a daemon that has run nothing yet."""
    worker: int
    supervisor: int


def start(daemon):
    """Configures and starts it, and waits until every place is taken. Returns its Idle."""
    (daemon.directory / "locks").mkdir()
    for name, text in HOOKS.items():
        daemon.write_program(name, PROLOGUE + text)
        daemon.hook(name=name, command=[f"./{name}"], timeout="1h", concurrency=2,
                    env={"MARK": str(daemon.directory)}, retry={"attempts": 1})
    daemon.config["hook_concurrency"] = PLACES
    daemon.start()
    wait_for("the worker has begun", lambda: daemon.admin.get("/api/v1/status")["hooks"]["kill"])
    idle = Idle(descriptors(daemon.child(WORKER)), descriptors(daemon.pid))
    for number in range(1, RESULTS + 1):
        answer = daemon.call_back(daemon.launched(number), result_body(number))
        assert answer.status == 200, answer
    daemon.wait_until_taken_in()
    wait_until_busy(daemon)
    return idle


def wait_until_busy(daemon):
    wait_for("all places are taken", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'running'") == [(PLACES,)])


def kill_worker(daemon, chance):
    """One round: kills it somewhere between its first instant and all being at work again."""
    worker = wait_for("there is a worker", lambda: daemon.child(WORKER))
    began = len(noted(daemon))
    old = alive(daemon)
    started = workers_started(daemon)
    processes.kill(worker)
    wait_for("another worker", lambda: workers_started(daemon) > started)
    target = began + chance.randrange(0, PLACES)
    wait_for("it has come that far", lambda: len(noted(daemon)) >= target)
    if target > began:
        assert not old & alive(daemon), "an instance outlived its worker's successor"


def finish(daemon):
    """Lets all end well."""
    wait_until_busy(daemon)
    wait_for("it serves", daemon.is_ready)
    (daemon.directory / "go").touch()
    # One that hangs needs the next worker for that.
    processes.kill(daemon.child(WORKER))
    wait_for("every job has ended well", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(JOBS,)], 120 * build.SLOWNESS)


def check(daemon, idle):
    """Every job in its right state, never two instances of one, and nothing left of any."""
    twice = daemon.directory / "two_at_once"
    assert not twice.exists(), twice.read_text()
    outcomes = daemon.decided(
        "SELECT outcome, exit_code, count(*) FROM attempts GROUP BY 1, 2 ORDER BY 1")
    assert {outcome for outcome, *_ in outcomes} == {"exit", "interrupted"}
    assert ("exit", 0, JOBS) in outcomes
    # Each job that leaked one would show; connections to the store come and go.
    wait_for("the worker's descriptors are closed",
             lambda: descriptors(daemon.child(WORKER)) < idle.worker + JOBS)
    wait_for("those of its workers are closed in the supervisor",
             lambda: descriptors(daemon.pid) <= idle.supervisor)
    # One that made a session of its own is free to go on after its job ended; kill -9 of the worker
    # takes it too.
    for pid in alive(daemon):
        processes.kill(pid)
    wait_for("no zombie is left", lambda: not zombies(daemon))
