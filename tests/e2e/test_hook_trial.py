# SPDX-License-Identifier: MIT
"""callbackctl hook test: one run of a hook, here."""
import json
import os
import signal

import pytest

from support import processes
from support.waiting import wait_for
from test_ctl import DONE, FAILED, LOCAL, USAGE

BODY = b'{"workflow_version_execution_id":42,"final_output":{"name":"two words"}}'


@pytest.fixture
def trial(daemon, ctl):
    """Runs the hook NAME on BODY; there is no daemon."""
    def run(name, *arguments, body=BODY, json_output=True):
        daemon.write_config()
        return ctl("hook", "test", name, "--body", "-", *arguments,
                   *["--json"][:json_output], input=body)
    return run


def test_everything_is_shown(daemon, trial):
    daemon.write_secret("hook.env", b"SECRET=hush")
    daemon.hook(name="look", env={"EXTRA": "a b"}, env_file="hook.env", command=[
        "/bin/sh", "-c", 'echo "$1 $SECRET"; cat "$CALLBACK_BODY_FILE"; cat >&2; pwd', "x",
        "{/final_output/name}"])
    done = trial("look")
    said = done.json()
    assert done.status == DONE, done
    assert said["matches"] and said["status"] == "success"
    assert said["arguments"][3:] == ["x", "two words"]
    environment = said["environment"]
    assert (environment["CALLBACK_EXECUTION_ID"], environment["EXTRA"]) == ("42", "a b")
    assert environment["SECRET"] == "[from env_file]"
    assert said["stdout"] == f"two words hush\n{BODY.decode()}{daemon.directory}\n"
    assert said["stderr"] == BODY.decode()
    assert (said["outcome"], said["exit_code"], said["signal"]) == ("exit", 0, None)
    assert not os.path.exists(os.path.dirname(environment["CALLBACK_BODY_FILE"]))
    assert not daemon.store.exists()


def test_the_condition_that_fails_is_named(daemon, trial):
    daemon.hook(name="picky", shell="true", endpoint="results", when={
        "status": ["failed"], "workflow": "support-*",
        "any": [{"match": [{"header": "X-Kind", "equals": "a"}]},
                {"not": {"match": [{"pointer": "/final_output/name", "exists": False}]}}]})
    said = trial("picky", "--workflow", "support-eu", "--header", "x-kind: b")
    assert said.status == FAILED
    holds = {condition["condition"]: condition["holds"] for condition in said.json()["conditions"]}
    assert holds["status is failed"] is False
    assert holds["workflow is like support-*"] is True
    assert holds["endpoint is results"] is True
    assert holds["header X-Kind is a"] is False and holds["any of"] is True
    assert said.json()["exit_code"] == 0, "it is run all the same"
    assert trial("picky", "--workflow", "support-eu", "--status", "failed").status == DONE
    text = trial("picky", json_output=False).stdout.decode()
    assert "NO  status is failed" in text and "the daemon would not run it" in text


@pytest.mark.parametrize("shell, outcome, code, number", [
    ("exit 3", "exit", 3, None), ("kill -9 $$", "signal", None, 9),
    ("sleep 1000 & wait", "timeout", None, 15)])
def test_the_end_is_told_as_it_was(daemon, trial, shell, outcome, code, number):
    daemon.hook(name="ends", shell=shell, timeout="500ms" if outcome == "timeout" else "1h")
    done = trial("ends")
    said = done.json()
    assert done.status == FAILED
    assert (said["outcome"], said["exit_code"], said["signal"]) == (outcome, code, number)
    assert said["duration_ms"] >= (500 if outcome == "timeout" else 0)


def test_what_cannot_be_started_says_why(daemon, trial):
    daemon.hook(name="gone", command=["./nowhere"])
    daemon.hook(name="nul", command=["/bin/echo", "{/final_output}"])
    said = trial("gone")
    assert said.status == FAILED and said.json()["outcome"] == "spawn_error"
    assert "nowhere" in said.json()["message"]
    said = trial("nul", body=b'{"workflow_version_execution_id":1,"final_output":"a\\u0000b"}')
    assert said.status == FAILED and said.json()["message"]


def test_a_dry_run_runs_nothing(daemon, trial):
    daemon.hook(name="touch", shell="touch ran")
    said = trial("touch", "--dry-run")
    assert said.status == DONE and said.json()["outcome"] is None
    assert not (daemon.directory / "ran").exists()
    assert trial("touch").status == DONE and (daemon.directory / "ran").exists()


def test_an_interrupted_trial_ends_its_hook(daemon, ctl):
    daemon.hook(name="hangs", shell="echo $$ > new; mv new pid; sleep 1000")
    daemon.write_config()
    body = daemon.directory / "body"
    body.write_bytes(BODY)
    started = ctl.start("hook", "test", "hangs", "--body", body, "--json")
    wait_for("the hook runs", (daemon.directory / "pid").exists)
    pid = int((daemon.directory / "pid").read_text())
    started.send_signal(signal.SIGINT)
    said = json.loads(started.communicate()[0])
    assert (started.returncode, said["outcome"], said["signal"]) == (FAILED, "signal", 15)
    assert not processes.exists(pid)


def test_wrong_words_are_explained(daemon, trial, ctl):
    daemon.hook(name="good", shell="true")
    assert trial("nobody").status == USAGE
    assert trial("good", "--status", "nonsense").status == USAGE
    assert trial("good", "--endpoint", "nowhere").status == USAGE
    assert trial("good", "--header", "nothing").status == USAGE
    assert ctl("hook", "run", "good").status == USAGE
    assert ctl("hook", "test", "good").status == USAGE
    refused = trial("good", body=b"nonsense")
    assert refused.status == LOCAL and "would refuse this body" in refused.stderr
    missing = ctl("hook", "test", "good", "--body", "/nowhere")
    assert missing.status == LOCAL and "/nowhere" in missing.stderr
