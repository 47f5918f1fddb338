# SPDX-License-Identifier: MIT
"""What a hook sees, when it runs, and how it ends."""
import datetime
import os
import pathlib
import re

import pytest

from support import processes, recorder
from support.daemon import WORKER, result_body
from support.waiting import wait_for

NASTY = r"""'"`$(touch pwned)`; rm -rf . | & > < * ? ~ # \ {name} %s"""


def deliver(daemon, body=None, execution_id=7, **members):
    """A run, launched, and its callback; returns both."""
    run = daemon.launched(execution_id, **members)
    answer = daemon.call_back(run, body or result_body(execution_id))
    assert answer.status == 200, answer
    return run, answer.json()["result_id"]


def test_a_hook_sees_exactly_what_is_documented(daemon):
    daemon.hook(name="record", command=[
        recorder.install(daemon), "{execution_id}", "{/final_output/Node 2/value}", "{{{status}}}",
        "{/nothing}", "{/final_output/Node 2}", "{workflow}:{/workflow_version_execution_id}"],
        env={"EXTRA": "a b"})
    daemon.start()
    body = result_body(7, '{"Node 2": {"status":"SUCCESS","value":"two words","error_message":null,'
                          '"raw_error_message":null,"is_output_node":true} }')
    run, result_id = deliver(daemon, body, workflow="my flow")
    job, = daemon.wait_for_jobs(1)
    saw, = recorder.seen(daemon)
    assert saw.arguments == [
        b"7", b"two words", b"{success}", b"",
        b'{"status":"SUCCESS","value":"two words","error_message":null,'
        b'"raw_error_message":null,"is_output_node":true}', b"my flow:7"]
    body_file = saw.environment.pop("CALLBACK_BODY_FILE")
    assert saw.environment == {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"),
        "LANG": os.environ.get("LANG", "C.UTF-8"), "EXTRA": "a b",
        "CALLBACK_HOOK": "record", "CALLBACK_ENDPOINT": "results",
        "CALLBACK_RESULT_ID": result_id, "CALLBACK_EXECUTION_ID": "7",
        "CALLBACK_RUN_ID": run["run_id"], "CALLBACK_WORKFLOW": "my flow",
        "CALLBACK_STATUS": "success",
        "CALLBACK_RECEIVED_AT": daemon.result(result_id)["received_at"],
        "CALLBACK_ATTEMPT": "1", "CALLBACK_JOB_ID": job["id"], "CALLBACK_REPLAY": "",
    }
    assert saw.stdin == saw.body_file == body.encode()
    assert not pathlib.Path(body_file).exists(), "the body file outlives its attempt"
    assert saw.directory == str(daemon.directory)
    assert saw.descriptors == [0, 1, 2]
    assert saw.session


def test_no_body_moves_an_argument_boundary(daemon):
    daemon.hook(command=[recorder.install(daemon), "first", "{/final_output}",
                         "x{/final_output}y", "last"])
    daemon.start()
    output = "\"' \\\"\\\\ \\n\\r\\t $(touch pwned) `touch pwned` \\ud83d\\ude00 😀 \\u0001 é\""
    deliver(daemon, result_body(7, output))
    daemon.wait_for_jobs(1)
    saw, = recorder.seen(daemon)
    value = "' \"\\ \n\r\t $(touch pwned) `touch pwned` 😀 😀 \x01 é".encode()
    assert saw.arguments == [b"first", value, b"x" + value + b"y", b"last"]
    assert saw.stdin == result_body(7, output).encode()
    assert not (daemon.directory / "pwned").exists()


def test_a_nul_cannot_be_an_argument(daemon):
    daemon.hook(command=[recorder.install(daemon), "{/final_output}"])
    daemon.start()
    deliver(daemon, result_body(7, '"a\\u0000b"'))
    job, = daemon.wait_for_jobs(1, "dead")
    assert "NUL" in job["reason"]
    assert recorder.seen(daemon) == []


def test_a_value_that_is_too_long_cannot_be_an_argument(daemon):
    daemon.hook(command=[recorder.install(daemon), "{/final_output}"])
    daemon.start()
    deliver(daemon, result_body(7, '"' + "a" * 131072 + '"'))
    job, = daemon.wait_for_jobs(1, "dead")
    assert "128 KiB" in job["reason"] and job["attempts_made"] <= 1


def test_a_shell_hook_gets_data_through_environment_and_stdin_only(daemon):
    daemon.hook(shell='printf "%s|" "$CALLBACK_STATUS" "$CALLBACK_WORKFLOW" > seen; cat >> seen')
    daemon.start()
    body = result_body(7, '"$(touch pwned)"')
    deliver(daemon, body, workflow=NASTY)
    daemon.wait_for_jobs(1)
    assert (daemon.directory / "seen").read_text() == f"success|{NASTY}|{body}"
    assert not (daemon.directory / "pwned").exists()


@pytest.mark.parametrize("when, names", [
    ({"status": ["failed"]}, {"bad"}),
    ({"workflow": "support-*"}, {"good", "bad"}),
    ({"match": [{"pointer": "/final_output", "equals": "yes"}]}, {"good"}),
    ({"match": [{"pointer": "/final_output", "regex": "^y.s$"}]}, {"good"}),
    ({"match": [{"pointer": "/nothing", "exists": False}]}, {"good", "bad", "other"}),
    ({"match": [{"header": "x-kind", "glob": "A*"}]}, {"other"}),
    ({"any": [{"status": ["failed"]}, {"workflow": "other"}]}, {"bad", "other"}),
    ({"not": {"workflow": "support-*"}}, {"other"}),
])
def test_conditions_choose(daemon, when, names):
    daemon.hook(name="chosen", when=when, shell="true")
    daemon.hook(name="always", shell="true")
    daemon.start()
    ids = {}
    for number, (name, workflow, body, headers) in enumerate([
            ("good", "support-triage", '"yes"', {}),
            ("bad", "support-reply", '{"N":{"status":"FAILED","value":null,"error_message":"x",'
                                     '"raw_error_message":null,"is_output_node":true}}', {}),
            ("other", "other", '"no"', {"X-Kind": "A1"})], 1):
        run = daemon.launched(number, workflow)
        answer = daemon.call_back(run, result_body(number, body), headers=headers)
        ids[answer.json()["result_id"]] = name
    daemon.wait_for_jobs(3, hook="always")
    assert {ids[job["result_id"]] for job in daemon.jobs(hook="chosen")} == names


def test_what_is_not_final_triggers_only_hooks_that_ask_for_it(daemon):
    daemon.hook(name="final", shell="true")
    daemon.hook(name="running", when={"status": ["running"]}, shell="true")
    daemon.start()
    run = daemon.launched(7)
    daemon.call_back(run, result_body(7, '{"N":{"status":"RUNNING","value":null,"error_message":null,'
                                         '"raw_error_message":null,"is_output_node":true}}'))
    daemon.wait_for_jobs(1, hook="running")
    assert daemon.jobs(hook="final") == []
    daemon.call_back(run, result_body(7))
    daemon.wait_for_jobs(1, hook="final")


def test_duplicates_revisions_and_mismatches_trigger_nothing_more(daemon):
    daemon.hook(name="any", shell="true")
    daemon.start()
    run = daemon.launched(7)
    for body in (result_body(8), result_body(7, "1"), result_body(7, "1"), result_body(7, "2")):
        assert daemon.call_back(run, body).status == 200
    daemon.wait_until_taken_in()
    daemon.wait_for_jobs(1)
    assert len(daemon.jobs()) == 1


def test_an_endpoint_may_trigger_on_revisions(daemon):
    daemon.config["endpoints"][0]["on_revision"] = "trigger"
    daemon.hook(shell="true")
    daemon.start()
    run = daemon.launched(7)
    for output in ("1", "1", "2"):
        daemon.call_back(run, result_body(7, output))
    daemon.wait_until_taken_in()
    daemon.wait_for_jobs(2)


def test_a_failing_hook_is_retried_and_its_output_kept(daemon):
    daemon.hook(shell='echo "out $CALLBACK_ATTEMPT"; echo "err $CALLBACK_JOB_ID" >&2; '
                      'test "$CALLBACK_ATTEMPT" = 3',
                retry={"attempts": 5, "first_delay": "10ms", "max_delay": "20ms"})
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1)
    assert job["attempts_made"] == 3
    assert [(attempt["n"], attempt["outcome"], attempt["exit_code"])
            for attempt in job["attempts"]] == [(1, "exit", 1), (2, "exit", 1), (3, "exit", 0)]
    for attempt in job["attempts"]:
        assert attempt["output"].splitlines() == [f"out {attempt['n']}", f"err {job['id']}"]
    daemon.wait_for_metric("attempts_failed", 2)


def test_a_hook_that_never_succeeds_is_dead_and_can_be_retried(daemon):
    daemon.hook(shell="test -e mended", retry={"attempts": 2, "first_delay": "10ms"})
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts_made"] == 2
    daemon.wait_for_metric("jobs_dead", 1)
    (daemon.directory / "mended").touch()
    daemon.admin.send("POST", f"/api/v1/jobs/{job['id']}/retry")
    again, = daemon.wait_for_jobs(1)
    assert again["id"] == job["id"]
    assert [attempt["exit_code"] for attempt in again["attempts"]] == [1, 1, 0]


def test_exit_65_is_not_retried(daemon):
    daemon.hook(shell="exit 65", retry={"attempts": 5, "first_delay": "10ms"})
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts_made"] == 1


def test_a_signal_is_its_own_outcome(daemon):
    daemon.hook(shell="kill -USR1 $$", retry={"attempts": 1})
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    attempt, = job["attempts"]
    assert (attempt["outcome"], attempt["signal"]) == ("signal", 10)


def test_a_program_that_is_not_there_is_tried_again(daemon):
    program = daemon.write_program("later", "#!/bin/sh\n")
    daemon.hook(command=["./later"], retry={"attempts": 1000, "first_delay": "100ms",
                                            "max_delay": "100ms"})
    daemon.start()
    program.unlink()
    deliver(daemon)
    daemon.wait_for_jobs(1, "retrying")
    daemon.write_program("later", "#!/bin/sh\n")
    job, = daemon.wait_for_jobs(1)
    assert job["attempts"][0]["outcome"] == "spawn_error"


def test_a_timeout_ends_the_whole_tree(daemon):
    # Two generations, one of them in a session of its own, deaf to SIGTERM.
    daemon.write_program("tree", """#!/bin/sh
trap '' TERM
setsid sh -c 'trap "" TERM; echo $$ >> pids; exec sleep 1000' &
sh -c 'echo $$ >> pids; exec sleep 1000' &
echo $$ >> pids
wait
sleep 1000
""")
    daemon.hook(command=["./tree"], timeout="5s", retry={"attempts": 1})
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts"][0]["outcome"] == "timeout"
    pids = [int(pid) for pid in (daemon.directory / "pids").read_text().split()]
    assert len(pids) == 3
    wait_for("the tree is gone", lambda: not any(processes.exists(pid) for pid in pids))
    wait_for("no zombie of it is left", lambda: not processes.children(daemon.child(WORKER)))


def test_the_end_of_long_output_is_kept(daemon):
    daemon.hook(shell="seq 1 100000; seq 1 10 >&2")
    daemon.start()
    deliver(daemon)
    attempt, = daemon.wait_for_jobs(1)[0]["attempts"]
    assert attempt["output_truncated"] is True
    assert "\n99999\n100000\n" in attempt["output"]
    assert len(attempt["output"]) <= 2 * 65536
    assert "\n1\n" not in attempt["output"].partition("100000\n")[0]


def test_a_hook_need_not_read_its_stdin(daemon):
    daemon.hook(shell="exec <&-; true")
    daemon.start()
    deliver(daemon, result_body(7, '"' + "a" * 1_000_000 + '"'))
    daemon.wait_for_jobs(1)


def test_queued_jobs_survive_a_restart(daemon):
    daemon.hook(name="slow", shell='touch started; while test ! -e go; do sleep 0.05; done; '
                                   'echo "$CALLBACK_JOB_ID" >> done', concurrency=1)
    daemon.start()
    for number in (1, 2, 3):
        deliver(daemon, result_body(number), number)
    wait_for("the first is running", (daemon.directory / "started").exists)
    daemon.wait_until_taken_in()
    ids = {job["id"] for job in daemon.jobs()}
    assert len(ids) == 3
    daemon.config["limits"].update({"stop_timeout": "100ms"})
    daemon.write_config()
    daemon.reload()
    daemon.stop()
    assert {state for state, in daemon.decided("SELECT state FROM jobs")} <= {"waiting", "retrying"}
    (daemon.directory / "go").touch()
    daemon.start()
    daemon.wait_for_jobs(3)
    assert set((daemon.directory / "done").read_text().split()) == ids


def test_no_more_run_at_once_than_allowed(daemon):
    daemon.hook(concurrency=2, shell="""
        echo + >> trace; while test ! -e go; do sleep 0.02; done; echo - >> trace""")
    daemon.start()
    for number in range(1, 7):
        deliver(daemon, result_body(number), number)
    trace = daemon.directory / "trace"
    wait_for("two run", lambda: trace.exists() and trace.read_text() == "+\n+\n")
    daemon.wait_for_jobs(4, "waiting")
    (daemon.directory / "go").touch()
    daemon.wait_for_jobs(6)
    running = most = 0
    for mark in trace.read_text().split():
        running += 1 if mark == "+" else -1
        most = max(most, running)
    assert (running, most) == (0, 2)


def test_a_paused_hook_queues(daemon):
    name = daemon.hook(shell="true")
    daemon.start()
    daemon.admin.send("POST", f"/api/v1/hooks/{name}/pause")
    deliver(daemon)
    daemon.wait_for_jobs(1, "waiting")
    hook, = daemon.admin.get("/api/v1/hooks")["items"]
    assert hook["paused"] is True
    daemon.admin.send("POST", f"/api/v1/hooks/{name}/resume")
    daemon.wait_for_jobs(1)


def test_jobs_of_a_hook_that_is_gone_are_shown_and_can_be_cancelled(daemon, ctl):
    name = daemon.hook(name="old", shell="true")
    daemon.start()
    assert "not configured" not in daemon.log_text()
    daemon.admin.send("POST", f"/api/v1/hooks/{name}/pause")
    for execution_id in range(3):
        daemon.call_back(daemon.launched(execution_id), result_body(execution_id))
    daemon.wait_for_jobs(3, "waiting")
    daemon.config["hooks"] = []
    daemon.hook(name="new", shell="true")
    daemon.write_config()
    daemon.reload()
    line, = [line for line in daemon.log_text().splitlines() if "not configured" in line]
    assert "level=warning" in line and "hook=old" in line and "jobs=3" in line
    new, old = daemon.admin.get("/api/v1/hooks")["items"]
    assert (new["name"], new["state"], new["waiting"]) == ("new", "active", 0)
    assert (old["name"], old["state"], old["waiting"]) == ("old", "gone", 3)
    assert daemon.admin.get("/api/v1/status")["orphaned_jobs"] == {"old": 3}
    shown = ctl("hooks")
    assert "gone" in shown.stdout.decode() and "callbackctl cancel --hook old" in shown.stderr
    assert ctl("cancel", "--hook", "old", "--json").json() == {"cancelled": 3}
    daemon.wait_for_jobs(3, "cancelled")
    assert daemon.admin.get("/api/v1/status")["orphaned_jobs"] == {}
    assert len(daemon.admin.get("/api/v1/hooks")["items"]) == 1
    assert ctl("cancel", "--hook", "new", "--json").json() == {"cancelled": 0}
    mistyped = ctl("cancel", "--hook", "odl")
    assert mistyped.status == 3 and "no hook is named odl" in mistyped.stderr
    assert ctl("cancel").status == 2 and ctl("cancel", old["name"], "--hook", "old").status == 2


def test_a_job_can_be_cancelled_while_it_waits_and_while_it_runs(daemon):
    daemon.hook(concurrency=1, shell="echo $$ > pid; exec sleep 1000")
    daemon.start()
    deliver(daemon)
    running, = daemon.wait_for_jobs(1, "running")
    deliver(daemon, result_body(8), 8)
    waiting, = daemon.wait_for_jobs(1, "waiting")
    wait_for("it has begun", (daemon.directory / "pid").exists)
    for job in (waiting, running):
        daemon.admin.send("POST", f"/api/v1/jobs/{job['id']}/cancel")
    daemon.wait_for_jobs(2, "cancelled")


def test_the_log_says_the_same_duration_as_the_job(daemon):
    daemon.hook(shell="sleep 0.05")
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    job, = daemon.wait_for_jobs(1)
    attempt, = job["attempts"]
    started, ended = (datetime.datetime.fromisoformat(attempt[at]) for at in ("started_at", "ended_at"))
    logged = wait_for("its end is in the log", lambda: re.search(
        r'msg="attempt ended".* duration_ms=(\d+)', daemon.log_text()))
    assert round((ended - started) / datetime.timedelta(milliseconds=1)) == int(logged[1])


def test_a_replay_is_a_job_of_its_own(daemon):
    daemon.hook(name="record", command=[recorder.install(daemon)])
    daemon.hook(name="other", shell="true")
    daemon.start()
    _, result_id = deliver(daemon)
    daemon.wait_for_jobs(2)
    daemon.admin.send("POST", f"/api/v1/results/{result_id}/replay?hook=record")
    daemon.wait_for_jobs(2, hook="record")
    assert len(daemon.jobs()) == 3
    assert sorted(saw.environment["CALLBACK_REPLAY"] for saw in recorder.seen(daemon)) == ["", "1"]
    assert len({saw.environment["CALLBACK_JOB_ID"] for saw in recorder.seen(daemon)}) == 2


def test_hooks_of_a_run_that_is_launching_wait_for_its_id(daemon):
    daemon.hook(shell="true")
    daemon.start()
    run = daemon.register()
    daemon.call_back(run, result_body(7))
    daemon.wait_until_taken_in()
    assert daemon.jobs() == []
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": "7"})
    daemon.wait_for_jobs(1)


def test_hooks_do_not_fire_when_the_launch_names_another_execution(daemon):
    daemon.hook(shell="true")
    daemon.start()
    run = daemon.register()
    answer = daemon.call_back(run, result_body(8))
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": "7"})
    wait_for("it is decided", lambda: daemon.result(answer.json()["result_id"])["status"] ==
             "mismatch")
    assert daemon.jobs() == []


def test_ps_shows_the_roles(daemon):
    daemon.start()
    titles = sorted(processes.title(pid) for pid in processes.children(daemon.pid))
    assert titles == ["callbackd: receiver", "callbackd: worker"]
    names = {processes.read(pid, "comm").decode().strip()
             for pid in processes.children(daemon.pid)}
    assert names == {"receiver", "worker"} or all(re.match("callbackd", name) for name in names)
