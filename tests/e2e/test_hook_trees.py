# SPDX-License-Identifier: MIT
"""All that a hook started is killed, whatever it did to get away: by control group where one can be
made, else by a search. Every test runs in both ways."""
import os
import pathlib
import signal

import pytest

from support import build, cgroups, processes
from support.daemon import RECEIVER, WORKER, result_body
from support.waiting import wait_for

# Ignores every polite signal, writes down who it is, and stays.
STAYS = """#!/bin/sh
trap '' TERM HUP INT
echo $$ >> {directory}/pids
while :; do /bin/sleep 0.1; done
"""
TREE = """#!/bin/bash
trap '' TERM HUP INT
./stays &                       # in its process group
setsid ./stays &                # in a session of its own
(setsid ./stays &)              # without its parent too
(setsid env -i ./stays &)       # and without its environment
test -z "$LOSE_MARK" || (ulimit -x 1; setsid env -i ./stays &)
exec ./stays
"""


@pytest.fixture(params=["cgroup", "subreaper"])
def way(request, daemon):
    """How the daemon is to kill; it is not started yet."""
    if request.param == "cgroup" and (reason := cgroups.why_none()):
        pytest.skip(reason)
    daemon.config["hook_cgroups"] = request.param == "cgroup"
    return request.param


def start(daemon, way, **members):
    """With one hook, which has started all of its tree when this returns: returns their pids. Where
    nothing but the control group tells that a process is the hook's, there is one of those too."""
    daemon.write_program("stays", STAYS.format(directory=daemon.directory))
    daemon.write_program("tree", TREE)
    count = 6 if way == "cgroup" else 5
    daemon.hook(name="tree", command=["./tree"], env={"LOSE_MARK": "1" if count == 6 else ""},
                retry={"attempts": 1}, **members)
    daemon.start()
    assert told_way(daemon)["kill"] == way
    answer = daemon.call_back(daemon.launched(7), result_body(7))
    assert answer.status == 200, answer
    noted = daemon.directory / "pids"
    wait_for("the whole tree is there",
             lambda: noted.exists() and len(noted.read_text().split()) == count)
    pids = {int(text) for text in noted.read_text().split()}
    assert pids == alive(pids)
    return pids


def told_way(daemon):
    """As the status tells it, once the worker has begun."""
    return wait_for("it is told how hooks are killed", lambda: (
        told := daemon.admin.get("/api/v1/status")["hooks"])["kill"] and told)


def alive(pids):
    return {pid for pid in pids if processes.exists(pid) and
            processes.title(pid).endswith("/stays")}


def test_a_timeout_leaves_nothing(daemon, way):
    # Long enough for the tree to be there first.
    pids = start(daemon, way, timeout=f"{5 * build.SLOWNESS}s")
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts"][0]["outcome"] == "timeout"
    assert not alive(pids)


def test_those_that_run_after_one_was_killed_are_not(daemon, way):
    daemon.hook(name="first", shell="trap '' TERM; test \"$CALLBACK_ATTEMPT\" = 2 || sleep 1000",
                timeout="4s", retry={"attempts": 5, "first_delay": "1ms"}, concurrency=1)
    daemon.hook(name="other", shell="exit 0", concurrency=1)
    daemon.start()
    for execution_id in (1, 2):
        answer = daemon.call_back(daemon.launched(execution_id), result_body(execution_id))
        assert answer.status == 200, answer
    for job in daemon.wait_for_jobs(2, hook="first"):
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["timeout", "exit"]
    for job in daemon.wait_for_jobs(2, hook="other"):
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["exit"]


def test_a_cancelled_job_leaves_nothing(daemon, way):
    pids = start(daemon, way, timeout="1h")
    job, = daemon.wait_for_jobs(1, "running")
    daemon.admin.send("POST", f"/api/v1/jobs/{job['id']}/cancel")
    daemon.wait_for_jobs(1, "cancelled")
    assert not alive(pids)


def test_a_stop_leaves_nothing(daemon, way):
    daemon.config["limits"]["stop_timeout"] = "0s"
    pids = start(daemon, way, timeout="1h")
    directory = told_way(daemon)["cgroup"]
    daemon.stop()
    assert not alive(pids)
    assert daemon.decided("SELECT state FROM jobs") == [("waiting",)]
    assert way != "cgroup" or not pathlib.Path(directory).exists()


def test_a_worker_that_is_killed_leaves_nothing_to_the_next(daemon, way):
    pids = start(daemon, way, timeout="1h")
    worker = daemon.child(WORKER)
    processes.kill(worker)
    wait_for("another tree", lambda: len((daemon.directory / "pids").read_text().split())
             == 2 * len(pids))
    assert not alive(pids)
    job, = daemon.wait_for_jobs(1, "running")
    assert [attempt["outcome"] for attempt in job["attempts"]][0] == "interrupted"


def test_a_daemon_that_is_killed_leaves_nothing_to_the_next(daemon, way):
    """Not even the supervisor is there to see to what its worker left."""
    pids = start(daemon, way, timeout="1h")
    everybody = [daemon.pid, daemon.child(WORKER), daemon.child(RECEIVER)]
    os.kill(daemon.pid, signal.SIGSTOP)
    for pid in reversed(everybody[1:]):
        os.kill(pid, signal.SIGSTOP)  # the worker would kill its hooks when the supervisor is gone
    for pid in everybody:
        processes.kill(pid)
    daemon.process.wait()
    wait_for("the daemon is gone", lambda: not any(map(processes.exists, everybody)))
    assert alive(pids) == pids
    daemon.launch()
    wait_for("another tree", lambda: len((daemon.directory / "pids").read_text().split())
             == 2 * len(pids))
    assert not alive(pids)
    wait_for("the daemon is ready", daemon.is_ready)


def test_the_log_and_the_status_tell_how_hooks_are_killed(daemon, way):
    daemon.start()
    told = told_way(daemon)
    if way == "cgroup":
        assert told["reason"] is None
        assert pathlib.Path(told["cgroup"]).parent == cgroups.own()
        assert f"msg=\"hooks are killed by control group\" cgroup={told['cgroup']}" in \
            daemon.log_text()
    else:
        assert told["cgroup"] is None and told["reason"] == "hook_cgroups is false"
        assert "hooks are killed by a search for their processes" in daemon.log_text()


def test_a_reload_changes_how_hooks_are_killed(daemon, way):
    if reason := cgroups.why_none():
        pytest.skip(reason)
    other = {"cgroup": "subreaper", "subreaper": "cgroup"}[way]
    daemon.hook(name="tree", shell="test ! -e wait || exec sleep 1000", timeout="5s",
                retry={"attempts": 1})
    daemon.start()
    daemon.config["hook_cgroups"] = other == "cgroup"
    daemon.write_config()
    daemon.reload()
    assert told_way(daemon)["kill"] == other
    daemon.call_back(daemon.launched(7), result_body(7))
    daemon.wait_for_jobs(1)
    (daemon.directory / "wait").touch()
    daemon.call_back(daemon.launched(8), result_body(8))
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts"][0]["outcome"] == "timeout"
