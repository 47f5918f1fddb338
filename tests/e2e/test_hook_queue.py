# SPDX-License-Identifier: MIT
"""Which job runs when: lines, rates, and a queue that outlives what runs it."""
import collections

from support import processes
from support.daemon import WORKER, result_body
from support.waiting import wait_for


def deliver(daemon, execution_id, workflow="flow"):
    answer = daemon.call_back(daemon.launched(execution_id, workflow), result_body(execution_id))
    assert answer.status == 200, answer
    return answer.json()["result_id"]


def test_the_example_of_the_contract_is_taken(daemon):
    daemon.hook(name="notify", endpoint="results",
                when={"status": ["failed"], "workflow": "support-*"}, shell="true",
                timeout="30s", concurrency=4, rate="10/s", priority=0, order="none", delay="0s",
                give_up_after="1d",
                retry={"attempts": 5, "first_delay": "1s", "max_delay": "5m"})
    daemon.start()


def test_results_of_a_workflow_run_one_at_a_time_in_order(daemon):
    daemon.write_program("step", """#!/bin/sh
echo "+ $CALLBACK_WORKFLOW $CALLBACK_EXECUTION_ID" >> trace
while test ! -e go; do sleep 0.02; done
echo "- $CALLBACK_WORKFLOW $CALLBACK_EXECUTION_ID" >> trace
""")
    daemon.hook(command=["./step"], order="workflow", concurrency=8)
    daemon.start()
    for number in range(1, 9):
        deliver(daemon, number, "even" if number % 2 == 0 else "odd")
    trace = daemon.directory / "trace"
    wait_for("the first of each line runs",
             lambda: trace.exists() and len(trace.read_text().splitlines()) == 2)
    daemon.wait_for_jobs(6, "waiting")
    # Killed with its hooks: those that were first run again, and are still first.
    processes.kill(daemon.child(WORKER))
    wait_for("the first of each line runs again",
             lambda: len(trace.read_text().splitlines()) == 4)
    (daemon.directory / "go").touch()
    daemon.wait_for_jobs(8)
    running = collections.Counter()
    ended = collections.defaultdict(list)
    for mark, workflow, number in (line.split() for line in trace.read_text().splitlines()[2:]):
        running[workflow] += 1 if mark == "+" else -1
        assert running[workflow] in (0, 1)
        if mark == "-":
            ended[workflow].append(int(number))
    assert ended == {"odd": [1, 3, 5, 7], "even": [2, 4, 6, 8]}


def test_a_dead_job_lets_its_line_go_on_and_comes_back_to_its_place(daemon):
    daemon.hook(shell='echo "$CALLBACK_EXECUTION_ID" >> order; test -e mended -o '
                      '"$CALLBACK_EXECUTION_ID" != 1', order="workflow",
                retry={"attempts": 2, "first_delay": "1ms"})
    daemon.start()
    for number in (1, 2):
        deliver(daemon, number)
    dead, = daemon.wait_for_jobs(1, "dead")
    daemon.wait_for_jobs(1)
    (daemon.directory / "mended").touch()
    daemon.admin.send("POST", f"/api/v1/jobs/{dead['id']}/retry")
    daemon.wait_for_jobs(2)
    assert (daemon.directory / "order").read_text().split() == ["1", "1", "2", "1"]


def test_a_rate_is_kept_also_when_the_worker_dies(daemon):
    daemon.hook(shell="true", rate="3/h")
    daemon.start()
    for number in range(1, 6):
        deliver(daemon, number)
    daemon.wait_for_jobs(3)
    worker = daemon.child(WORKER)
    processes.kill(worker)
    wait_for("another worker", lambda: daemon.child(WORKER) not in (None, worker))
    wait_for("it serves", daemon.is_ready)
    deliver(daemon, 6)
    daemon.wait_for_jobs(3, "waiting")
    assert len(daemon.jobs(state="succeeded")) == 3
    daemon.config["hooks"][0]["rate"] = "6/h"
    daemon.write_config()
    daemon.reload()
    daemon.wait_for_jobs(6)
