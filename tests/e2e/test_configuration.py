# SPDX-License-Identifier: MIT
"""The command line, and what --check says."""
import json
import re
import subprocess

import pytest

from support import build
from support.waiting import wait_for

TEN_MISTAKES = """{
  "public_ulr": "https://hooks.example.com",
  "listen": [
    { "address": "localhost" },
    { "address": "127.0.0.1:0", "tls": { "certificate": "nowhere.pem", "private_key": "server.key" } }
  ],
  "admin": { "address": "0.0.0.0:0", "token_file": "admin.token" },
  "store": { "directory": "store", "retention": "30 days" },
  "run_token": { "key_file": "readable.key" },
  "limits": { "connections": 0 },
  "endpoints": [
    { "name": "results", "path": "/callback", "kind": "workflow-results",
      "verify": [ { "scheme": "run-token" } ] },
    { "name": "open", "path": "/open", "kind": "json" }
  ],
  "hooks": [
    { "name": "notify", "endpoint": "result", "shell": "true" }
  ]
}
"""
MISTAKES = [  # line, key, a word of what to do
    (2, "public_ulr", "public_url"),
    (4, "listen[0].address", "127.0.0.1"),
    (5, "listen[1].tls.certificate", "make it"),
    (7, "admin.address", "allow_plaintext"),
    (8, "store.retention", "s, m, h or d"),
    (9, "run_token.key_file", "chmod"),
    (10, "limits.connections", "1"),
    (12, "endpoints[0].kind", "workflow-result"),
    (14, "endpoints[1].verify", "none"),
    (17, "hooks[0].endpoint", "results"),
]


def callbackd(*arguments):
    return subprocess.run([build.CALLBACKD, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


def test_ten_mistakes_make_ten_lines(daemon, certificates):
    (daemon.directory / "readable.key").write_text("k" * 64)
    (daemon.directory / "readable.key").chmod(0o644)
    (daemon.directory / "server.key").symlink_to(certificates / "server.key")
    daemon.write_config(TEN_MISTAKES)
    checked = callbackd("--config", daemon.config_path, "--check")
    assert checked.returncode == 78
    lines = checked.stderr.splitlines()
    assert len(lines) == len(MISTAKES), checked.stderr
    for line, (number, key, remedy) in zip(lines, MISTAKES):
        assert line.startswith(f"{daemon.config_path}:{number}: {key}: "), line
        assert re.search(r"\(.*" + re.escape(remedy) + r".*\)$", line), line
    # And a start refuses it in the same words.
    started = callbackd("--config", daemon.config_path)
    assert (started.returncode, started.stderr) == (78, checked.stderr)


def test_a_good_configuration_passes(daemon):
    daemon.write_config()
    checked = callbackd("--config", daemon.config_path, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_configuration_may_have_comments(daemon):
    daemon.write_config("// a comment\n/* and\nanother */" + json.dumps(daemon.config))
    assert callbackd("--config", daemon.config_path, "--check").returncode == 0


@pytest.mark.parametrize("text, line", [('{\n"listen": [\n}', 3), ("", 1), ("[]", 1)])
def test_a_broken_file_is_one_problem_with_its_line(daemon, text, line):
    daemon.config_path.write_text(text)
    checked = callbackd("--config", daemon.config_path, "--check")
    assert checked.returncode == 78
    assert checked.stderr.startswith(f"{daemon.config_path}:{line}: "), checked.stderr


def test_a_file_that_is_not_there_is_said(tmp_path):
    checked = callbackd("--config", tmp_path / "none.json", "--check")
    assert checked.returncode == 78
    assert "none.json" in checked.stderr


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--role", "cook"], ["extra"], ["--config"]])
def test_usage_errors_exit_64(arguments):
    done = callbackd(*arguments)
    assert done.returncode == 64
    assert done.stderr and not done.stdout


def test_help_and_version_go_to_standard_output():
    for option in ("--help", "--version"):
        done = callbackd(option)
        assert done.returncode == 0
        assert "callbackd" in done.stdout and not done.stderr


def test_a_secret_may_come_from_the_environment(daemon):
    daemon.config["admin"]["token_file"] = "env:ADMIN_TOKEN"
    daemon.write_config()
    assert callbackd("--config", daemon.config_path, "--check").returncode == 78
    daemon.launch(environment={"PATH": "/usr/bin:/bin", "ADMIN_TOKEN": daemon.token})
    wait_for("the daemon is ready", daemon.is_ready)


def test_the_log_may_be_json(daemon):
    daemon.config["log"] = {"format": "json", "level": "info"}
    daemon.start()
    daemon.stop()
    for line in daemon.log_text().splitlines():
        assert {"time", "level", "role", "msg"} <= json.loads(line).keys()


def test_each_role_can_run_alone(daemon):
    daemon.write_config()
    daemon.launch("--role", "worker")
    wait_for("the worker is ready", lambda: "msg=ready" in daemon.log_text())
    assert daemon.children("callbackd: receiver") == []
    assert daemon.admin.get("/api/v1/runs")["items"] == []
    daemon.stop()
    daemon.launch("--role", "receiver")
    wait_for("the receiver is ready", lambda: daemon.log_text().count("msg=ready") == 2)
    assert daemon.children("callbackd: worker") == []
    assert daemon.post("/callback/x", b"{}").status == 401
