# SPDX-License-Identifier: MIT
"""The main path in numbers: every result on disk, with its run, its hook run once."""
import collections
import hashlib

from support import build
from support.runs import launch_many
from support.waiting import wait_for

HOOK = """#!/bin/sh
sum=$(sha256sum)
echo "$CALLBACK_EXECUTION_ID $CALLBACK_RUN_ID $CALLBACK_WORKFLOW ${sum%% *}" >> hook.log
"""


def faults_of(i):
    """Any order; 1 in 10 before the launch is answered, 1 in 10 twice."""
    return {"order": 500,
            "callback": {0: "before_202", 5: "twice"}.get(i % 10, "normal")}


def test_a_thousand_runs(daemon, sim):
    count = build.number(1000, 300, 150)
    daemon.write_program("hook.sh", HOOK)
    daemon.hook(name="note", endpoint="results", command=["./hook.sh"], concurrency=8)
    daemon.start()
    runs = launch_many(daemon, sim, count, faults_of)
    twice = sum(faults_of(i)["callback"] == "twice" for i in range(count))
    wait_for("every callback was sent", lambda: len(sim.sent()) == count + twice)
    assert {post["status"] for post in sim.sent()} == {200}

    wait_for("every run is completed", lambda: daemon.decided(
        "SELECT count(*) FROM runs WHERE state = 'completed'") == [(count,)])
    wait_for("every job has ended", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(count,)])
    assert daemon.decided("SELECT count(*) FROM jobs") == [(count,)]
    assert daemon.decided("SELECT count(*) FROM attempts") == [(count,)]
    assert daemon.decided("SELECT count(*), sum(duplicates) FROM results") == [(count, twice)]
    assert daemon.decided("SELECT count(*) FROM results WHERE pending = 1 OR status = 'mismatch'"
                          ) == [(0,)]

    sent = {post["workflow_version_execution_id"]: post["body"] for post in sim.sent()}
    stored = dict(daemon.received(
        "SELECT run_id, body FROM received WHERE duplicate_of IS NULL"))
    assert stored == {run.run_id: sent[run.execution_id] for run in runs}
    assert dict(daemon.decided("SELECT run_id, execution_id FROM results")) == \
        {run.run_id: run.execution_id for run in runs}

    ran = collections.Counter((daemon.directory / "hook.log").read_text().splitlines())
    assert ran == collections.Counter(
        f"{run.execution_id} {run.run_id} {run.workflow} "
        f"{hashlib.sha256(sent[run.execution_id]).hexdigest()}" for run in runs)

    assert daemon.metric("accepted") == count
    assert daemon.metric("duplicates") == twice
    assert daemon.metric("jobs_running") == 0
