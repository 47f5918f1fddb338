# SPDX-License-Identifier: MIT
"""callbackctl against a real daemon and the simulator."""
import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from support import build, web
from support.ctl import Ctl
from support.daemon import result_body
from support.waiting import wait_for

DONE, FAILED, USAGE, REFUSED, UNREACHABLE, TIMED_OUT, LOCAL = range(7)


def sim_input(**faults):
    return ["--input-json", "_sim=" + json.dumps(faults)]


@pytest.fixture
def running(daemon, sim, ctl):
    daemon.hook(name="note", shell="true")
    daemon.start()
    return ctl


def test_what_init_writes_works(daemon, sim, tmp_path):
    directory = tmp_path / "new"
    assert Ctl()("init", directory, "--port", "0", "--admin-port", "0").status == DONE
    config = directory / "callbackd.json"
    checked = subprocess.run([build.CALLBACKD, "--config", config, "--check"], capture_output=True,
                             text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    for secret in ("admin.token", "run-token.key", "certs/server.key"):
        assert (directory / secret).stat().st_mode & 0o077 == 0
    again = Ctl()("init", directory)
    assert again.status == LOCAL and "already" in again.stderr

    daemon.config_path = config
    daemon.launch()
    wait_for("it is ready", lambda: "msg=ready" in daemon.log_text())
    ctl = Ctl(config, PROMPTLAYER_API_KEY="k", PROMPTLAYER_BASE_URL=sim.url)
    assert ctl("run", "flow").status == DONE
    assert ctl("status").status == DONE
    daemon.stop()


def test_the_next_steps_that_init_prints_can_be_typed(daemon, tmp_path):
    directory = tmp_path / "a folder"
    said = Ctl()("init", directory, "--port", "0", "--admin-port", "0").stdout.decode()
    daemon.config_path = directory / "callbackd.json"
    assert f"  callbackd --config '{daemon.config_path}'\n" in said
    daemon.launch()
    wait_for("it is ready", lambda: "msg=ready" in daemon.log_text())
    trial = said.partition("Try it on this machine")[2].partition(":\n")[2].partition("\n\n")[0]
    *steps, last = trial.splitlines()
    export, = re.findall("^  export .*", said, re.MULTILINE)
    done = subprocess.run(["/bin/sh", "-euc", "\n".join([export, *steps])], capture_output=True,
                          text=True, env={"PATH": f"{build.BIN}:/usr/bin:/bin"})
    assert done.returncode == 0 and '"accepted":true' in done.stdout, (said, done)
    log = pathlib.Path(shlex.split(last)[1])
    wait_for("the hook has run", lambda: log.exists() and "workflow=trial" in log.read_text())
    daemon.stop()


def test_init_says_what_a_public_url_still_needs(tmp_path):
    said = Ctl()("init", tmp_path / "new", "--public-url", "https://hooks.example.com").stdout.decode()
    assert "curl https://hooks.example.com/healthz" in said and "Try it" not in said


@pytest.mark.parametrize("value, printed", [
    ('"two words"', b"two words\n"),
    ('"caf\\u00e9 \\ud83d\\ude00"', "café 😀\n".encode()),
    ('{"a": [1, 2.50, null]}', b'{"a":[1,2.50,null]}\n'),
    ("9223372036854775807", b"9223372036854775807\n"),
    ("false", b"false\n"),
    ('""', b"\n"),
])
def test_run_wait_prints_the_output_alone(running, value, printed):
    for how in ([], ["--all-outputs"]):
        done = running("run", "flow", "--wait=30s", "--input-json",
                       f'_sim={{"value":{value},"output":"bare"}}', *how)
        assert (done.status, done.stdout) == (DONE, printed), done


def test_run_wait_of_a_node_map_prints_its_output(running):
    inputs = ["--input-json", '_sim={"value":"fine","output":"nodes"}']
    assert running("run", "flow", "--wait", *inputs).stdout == b"fine\n"
    nodes = running("run", "flow", "--wait", "--all-outputs", *inputs).json()
    assert "fine" in [node["value"] for node in nodes.values()]


def test_run_sends_what_it_was_told(running, sim, daemon):
    assert running("run", "a flow/é", "--input", "a=b=c", "--input-json", 'n={"x":1.50}',
                   "--metadata", "who=me", "--label", "prod", "--tag", "t=1").status == DONE
    sent = running("run", "a flow/é", "--input", "a=b=c", "--input-json", 'n={"x":1.50}',
                   "--metadata", "who=me", "--label", "prod", "--dry-run")
    head, _, body = sent.stdout.decode().partition("\n\n")
    assert head.startswith(f"POST {sim.url}/workflows/a%20flow%2F%C3%A9/run")
    assert "pl-test" not in head
    assert json.loads(body) | {"callback_url": ""} == {
        "input_variables": {"a": "b=c", "n": {"x": 1.5}}, "metadata": {"who": "me"},
        "workflow_label_name": "prod", "return_all_outputs": False, "callback_url": ""}
    run, = daemon.admin.get("/api/v1/runs")["items"]
    assert (run["workflow"], run["tags"]) == ("a flow/é", {"t": "1"})


def test_inputs_come_from_a_file_or_standard_input(running, tmp_path):
    inputs = {"_sim": {"value": "from a file", "output": "bare"}}
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps(inputs))
    assert running("run", "flow", "--inputs", file, "--wait").stdout == b"from a file\n"
    assert running("run", "flow", "--inputs", "-", "--wait",
                   input=file.read_bytes()).stdout == b"from a file\n"


def test_a_failed_workflow_is_1_and_says_why(running):
    done = running("run", "flow", "--wait", *sim_input(node="failed", output="nodes"))
    assert done.status == FAILED
    assert "failed" in done.stderr


def test_a_mismatch_is_1(running):
    done = running("run", "flow", "--wait=30s", *sim_input(wrong_id=True))
    assert (done.status, done.stdout) == (FAILED, b"")
    assert "another execution" in done.stderr


@pytest.mark.parametrize("arguments", [
    [], ["nonsense"], ["run"], ["run", "a", "b"], ["run", "f", "--label", "x", "--version-number", "1"],
    ["run", "f", "--input", "novalue"], ["run", "f", "--input-json", "a={"],
    ["run", "f", "--wait=soon"], ["show"], ["wait"], ["results", "--limit", "x"]])
def test_usage_errors_are_2(ctl, daemon, arguments):
    daemon.write_config()
    done = ctl(*arguments)
    assert done.status == USAGE
    assert done.stderr and not done.stdout


def test_a_refusal_of_the_api_is_3_and_its_message_shown(running, daemon):
    done = running("run", "missing-flow", "--wait")
    assert done.status == REFUSED
    run, = daemon.admin.get("/api/v1/runs")["items"]
    assert run["state"] == "launch_failed"
    assert run["reason"] and run["reason"] in done.stderr


def test_a_daemon_that_is_not_there_is_4(daemon, ctl):
    daemon.start()
    daemon.stop()
    for arguments in (["runs"], ["run", "flow"], ["status"]):
        assert ctl(*arguments).status == UNREACHABLE, arguments
    assert Ctl(CALLBACKD_URL="http://127.0.0.1:1", CALLBACKD_TOKEN="x")("runs").status == \
        UNREACHABLE


def test_waiting_too_long_is_5(running):
    done = running("run", "flow", "--wait=100ms", *sim_input(callback="never"))
    assert (done.status, done.stdout) == (TIMED_OUT, b"")


def test_local_trouble_is_6(ctl, daemon, tmp_path):
    assert Ctl(tmp_path / "none.json")("runs").status == LOCAL
    daemon.write_config("{")
    assert ctl("runs").status == LOCAL


def test_a_wrong_token_is_refused(running, daemon):
    host = daemon.admin.place.name()
    assert Ctl(CALLBACKD_URL=f"http://{host}", CALLBACKD_TOKEN="x")("runs").status == REFUSED
    assert Ctl(CALLBACKD_URL=f"http://{host}", CALLBACKD_TOKEN=daemon.token)("runs").status == DONE
    assert Ctl()("runs", "--url", f"http://{host}", "--token-file",
                 daemon.directory / "admin.token").status == DONE


def test_only_the_secrets_that_are_needed_are_read(daemon, sim, ctl):
    """As for a hook that calls callbackctl, or a person: the daemon has credentials, they do not."""
    credentials = daemon.directory / "credentials"
    credentials.mkdir()
    for name in ("run-token.key", "promptlayer.key"):
        (daemon.directory / name).rename(credentials / name)
    daemon.config["run_token"]["key_file"] = "credential:run-token.key"
    daemon.config["promptlayer"]["api_key_file"] = "credential:promptlayer.key"
    daemon.write_config()
    daemon.launch(environment={**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)})
    wait_for("the daemon is ready", daemon.is_ready)

    assert ctl("runs").status == DONE
    done = ctl("run", "flow")
    assert done.status == LOCAL
    assert "CREDENTIALS_DIRECTORY is not set" in done.stderr and "PROMPTLAYER_API_KEY" in done.stderr
    keyed = Ctl(daemon.config_path, PROMPTLAYER_API_KEY="pl-test")
    done = keyed("run", "flow", "--wait=30s", *sim_input(value="fine", output="bare"))
    assert (done.status, done.stdout) == (DONE, b"fine\n"), done.stderr
    assert "(not shown)" in ctl("run", "flow", "--dry-run").stdout.decode()
    done = ctl("url")
    assert done.status == LOCAL and "run_token.key_file" in done.stderr
    assert ctl("url", "--register").status == DONE


def test_an_admin_token_out_of_reach_can_be_given(daemon, ctl):
    daemon.config["admin"]["token_file"] = "env:ADMIN_TOKEN"
    daemon.write_config()
    daemon.launch(environment={**os.environ, "ADMIN_TOKEN": daemon.token})
    wait_for("the daemon is ready", daemon.is_ready)
    done = ctl("runs")
    assert done.status == LOCAL and "--token-file" in done.stderr and "CALLBACKD_TOKEN" in done.stderr
    assert ctl("runs", "--token-file", daemon.directory / "admin.token").status == DONE
    assert Ctl(daemon.config_path, CALLBACKD_TOKEN=daemon.token)("runs").status == DONE


def test_wait_for_a_run_that_was_launched_before(running):
    launched = running("run", "flow", "--json", *sim_input(value="fine", output="bare"))
    run_id = launched.json()["run_id"]
    assert running("wait", run_id).stdout == b"fine\n"
    assert running("wait", run_id, "--json").json()["output"] == "fine"


def test_whoever_waits_is_told_of_a_refused_post(daemon, ctl):
    daemon.config["promptlayer"].pop("api_key_file")  # nobody is asked
    daemon.start()
    run = daemon.launched(7)
    assert daemon.call_back(run, b"nonsense").status == 400
    daemon.wait_for_run(run["run_id"], "overdue")
    done = ctl("wait", run["run_id"], "--timeout", "100ms")
    assert done.status == TIMED_OUT and "refused with 400" in done.stderr


def test_a_run_without_callback_is_polled(running, daemon):
    done = running("run", "flow", "--no-callback", "--wait=30s",
                   *sim_input(value="polled", output="bare"))
    assert (done.status, done.stdout) == (DONE, b"polled\n"), done.stderr
    assert daemon.admin.get("/api/v1/runs")["items"] == []


def test_an_offline_run_needs_no_daemon_to_be_launched(daemon, sim, ctl):
    daemon.config["public_url"] = "http://127.0.0.1:9"
    daemon.write_config()
    done = ctl("run", "flow", "--offline", *sim_input(callback="never"))
    assert done.status == DONE, done


def test_show_prints_the_exact_body(running, daemon):
    body = b' {"workflow_version_execution_id":7,\r\n "final_output":"\xc3\xa9\\u00e9"}\n'
    result_id = daemon.call_back(daemon.launched(7), body).json()["result_id"]
    daemon.result(result_id)
    assert running("show", result_id, "--body").stdout == body
    assert running("show", result_id, "--output").stdout == "éé\n".encode()
    assert running("show", result_id, "--json").json()["id"] == result_id
    assert result_id.encode() in running("show", result_id).stdout


def test_show_prints_one_node(running, daemon):
    nodes = '{"A b":{"status":"SUCCESS","value":{"x": 1},"error_message":null,' \
            '"raw_error_message":null,"is_output_node":true}}'
    result_id = daemon.call_back(daemon.launched(7), result_body(7, nodes)).json()["result_id"]
    daemon.result(result_id)
    assert running("show", result_id, "--node", "A b").stdout == b'{"x":1}\n'


def test_lists_for_people_and_for_programs(running, daemon):
    result_id = daemon.call_back(daemon.launched(7), result_body(7)).json()["result_id"]
    job, = daemon.wait_for_jobs(1)
    run, = running("runs", "--json").json()["items"]
    assert (run["state"], run["execution_id"]) == ("completed", "7")
    result, = running("results", "--json", "--status", "success").json()["items"]
    assert result["id"] == result_id
    listed, = running("jobs", "--json", "--hook", "note").json()["items"]
    assert listed["id"] == job["id"]
    assert running("job", job["id"], "--json").json()["attempts"][0]["exit_code"] == 0
    for verb, text in [("runs", run["run_id"]), ("results", result_id), ("jobs", job["id"]),
                       ("hooks", "note"), ("status", "ready")]:
        done = running(verb)
        assert done.status == DONE and text in done.stdout.decode(), done
        assert b"\x1b" not in done.stdout
    assert "exit" in running("job", job["id"]).stdout.decode()


def test_acting_on_jobs_hooks_and_results(running, daemon):
    result_id = daemon.call_back(daemon.launched(7), result_body(7)).json()["result_id"]
    job, = daemon.wait_for_jobs(1)
    assert running("pause", "note").status == DONE
    assert running("replay", result_id).status == DONE
    replayed, = daemon.wait_for_jobs(1, "waiting")
    assert replayed["replay"] is True
    assert running("cancel", replayed["id"]).status == DONE
    daemon.wait_for_jobs(1, "cancelled")
    assert running("resume", "note").status == DONE
    assert running("retry", replayed["id"]).status == DONE
    daemon.wait_for_jobs(2)
    assert running("job", "01900000-0000-7000-8000-000000000000").status == REFUSED


def test_a_job_that_waits_for_a_paused_hook_is_said_to(running, daemon):
    result_id = daemon.call_back(daemon.launched(7), result_body(7)).json()["result_id"]
    job, = daemon.wait_for_jobs(1)
    assert running("replay", result_id).stderr == ""
    daemon.wait_for_jobs(2)
    said = "the hook note is paused: it waits until callbackctl resume note"
    running("pause", "note")
    assert said in running("replay", result_id).stderr
    waiting, = daemon.wait_for_jobs(1, "waiting")
    running("cancel", waiting["id"])
    done = running("retry", waiting["id"])
    assert said in done.stderr and waiting["id"] in done.stdout.decode()
    assert running("retry", waiting["id"], "--json").stderr == ""
    running("resume", "note")
    daemon.wait_for_jobs(3)


def test_rejected_posts_are_shown(running, daemon):
    daemon.call_back(daemon.launched(7), b"nonsense")
    wait_for("it is kept", lambda: daemon.received("SELECT 1 FROM rejected"))
    assert "400" in running("rejected").stdout.decode()
    assert running("rejected", "--json").json()["items"][0]["status"] == 400


def test_a_minted_url_takes_a_result(running, daemon):
    url = running("url").stdout.decode().strip()
    assert re.match(r"https://127\.0\.0\.1:\d+/callback/[\w-]{76}$", url)
    assert daemon.post(web.path_of(url), result_body(7)).status == 200
    registered = running("url", "--register", "--workflow", "flow").stdout.decode().strip()
    run = [run for run in daemon.admin.get("/api/v1/runs")["items"] if run["workflow"] == "flow"]
    assert run[0]["callback_url"] == registered


def test_a_registered_url_is_waited_for_and_triggers_at_once(running, daemon):
    url = running("url", "--register", "--workflow", "flow").stdout.decode().strip()
    run, = daemon.admin.get("/api/v1/runs")["items"]
    assert run["state"] == "waiting"
    assert daemon.post(web.path_of(url), result_body(7)).status == 200
    daemon.wait_for_jobs(1)
    known = daemon.wait_for_run(run["run_id"], "completed")
    assert known["execution_id"] == "7"


def test_a_wait_without_its_sign_is_explained(ctl):
    for words in (["run", "flow", "--wait", "5s"], ["run", "--wait", "5s", "flow"]):
        done = ctl(*words)
        assert done.status == USAGE
        assert "did you mean --wait=5s?" in done.stderr
    assert "did you mean" not in ctl("run", "flow", "--wait", "other").stderr


def test_help_names_every_verb(ctl):
    done = ctl("help")
    assert done.status == DONE
    for verb in "init run wait runs results show jobs job retry replay cancel hooks status".split():
        assert re.search(rf"^ +{verb}\b", done.stdout.decode(), re.MULTILINE), verb
        assert ctl(verb, "--help").status == DONE
