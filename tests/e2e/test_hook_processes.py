# SPDX-License-Identifier: MIT
"""What a hook's process is: its user, limits, environment; and how its end is told."""
import os
import stat

import pytest

from support import recorder
from support.daemon import result_body

LOOK = """#!/bin/sh
{ id -un; id -gn; id -Gn; umask; nice; ulimit -t; ulimit -v; ulimit -f; ulimit -n; ulimit -c
  echo "$HOME"; cat; echo; cat "$CALLBACK_BODY_FILE"; echo; stat -c %U:%a "$CALLBACK_BODY_FILE"
  touch "$OUT/made"; }
"""


def deliver(daemon, execution_id=7):
    answer = daemon.call_back(daemon.launched(execution_id), result_body(execution_id))
    assert answer.status == 200, answer


def output_of(daemon):
    job, = daemon.wait_for_jobs(1)
    return job["attempts"][-1]["output"].splitlines()


def test_limits_mask_and_niceness(daemon):
    daemon.write_program("look", LOOK)
    daemon.hook(command=["./look"], umask="0027", nice=19, env={"OUT": str(daemon.directory)},
                limits={"cpu": "9s", "memory": "512MiB", "file_size": "1MiB", "open_files": 50})
    daemon.start()
    deliver(daemon)
    lines = output_of(daemon)
    assert lines[3:10] == ["0027", "19", "9", str(512 * 1024), "2048", "50", "0"]
    assert stat.S_IMODE((daemon.directory / "made").stat().st_mode) == 0o640


def test_what_goes_over_a_limit_ends_as_what_it_is(daemon):
    retry = {"attempts": 1}
    daemon.hook(name="busy", shell="while :; do :; done", limits={"cpu": "1s"}, retry=retry)
    daemon.hook(name="large", limits={"file_size": "1KiB"}, retry=retry,
                shell="exec dd if=/dev/zero of=large bs=4096 count=1 2>/dev/null")
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead", hook="busy")
    attempt, = job["attempts"]
    assert (attempt["outcome"], attempt["signal"]) in {("signal", 9), ("signal", 24)}
    job, = daemon.wait_for_jobs(1, "dead", hook="large")
    attempt, = job["attempts"]
    assert (daemon.directory / "large").stat().st_size == 1024
    assert (attempt["outcome"], attempt["signal"], attempt["exit_code"]) in {
        ("signal", 25, None), ("exit", None, 1)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_gets_all_that_a_hook_gets(daemon):
    daemon.write_program("look", LOOK)
    daemon.directory.chmod(0o755)
    out = daemon.directory / "out"
    out.mkdir()
    out.chmod(0o777)
    daemon.hook(command=["./look"], user="nobody", env={"OUT": str(out)})
    daemon.start()
    deliver(daemon)
    lines = output_of(daemon)
    assert lines[:3] == ["nobody", "nogroup", "nogroup"]
    assert lines[10:] == ["/nonexistent", result_body(7), result_body(7), "nobody:400"]
    assert (out / "made").owner() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_may_open_the_descriptors_again_and_pass_to_the_body_after_a_reload(daemon):
    look = "cat /dev/stdin \"$CALLBACK_BODY_FILE\" >/dev/stdout && echo fine >/dev/stderr"
    daemon.directory.chmod(0o755)
    daemon.hook(name="ours", shell="true")
    daemon.start()
    deliver(daemon)
    daemon.wait_for_jobs(1)
    daemon.hook(name="look", shell=look, user="nobody", retry={"attempts": 1})
    daemon.hook(name="stream", shell="head -n 1 </dev/stdin | sed 's/,.*/,\"status\":\"ok\"}/'",
                mode="stream", user="nobody", retry={"attempts": 1})
    daemon.write_config()
    daemon.reload()
    deliver(daemon, 8)
    job, = daemon.wait_for_jobs(1, hook="look")
    output = job["attempts"][-1]["output"]
    assert output == result_body(8) * 2 + "fine\n"
    daemon.wait_for_jobs(1, hook="stream")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_directory_that_the_user_may_not_enter_is_said(daemon):
    private = daemon.directory / "private"
    private.mkdir(mode=0o700)
    daemon.directory.chmod(0o755)
    daemon.hook(shell="true", user="nobody", directory="private", retry={"attempts": 1})
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    attempt, = job["attempts"]
    assert attempt["outcome"] == "spawn_error"
    assert "cannot enter the hook's directory" in attempt["message"]


def test_secrets_for_the_environment_come_from_a_file(daemon):
    daemon.write_secret("hook.env", b"# secrets\nTOKEN=s3cret with 'quotes' $HOME\nEXTRA=file\n"
                                    b"TWICE=1\nTWICE=2\nHOME=/elsewhere")
    daemon.hook(command=[recorder.install(daemon)], env_file="hook.env", env={"EXTRA": "env"})
    daemon.start()
    deliver(daemon)
    daemon.wait_for_jobs(1)
    saw, = recorder.seen(daemon)
    assert saw.environment["TOKEN"] == "s3cret with 'quotes' $HOME"
    assert saw.environment["EXTRA"] == "env"
    assert saw.environment["TWICE"] == "2"
    assert saw.environment["HOME"] == "/elsewhere"
    assert len(saw.environment) == 3 + 3 + 12
    # Another content is taken over by a reload; none of it reaches the log.
    daemon.write_secret("hook.env", b"TOKEN=an0ther")
    daemon.reload()
    deliver(daemon, 8)
    daemon.wait_for_jobs(2)
    assert {saw.environment["TOKEN"] for saw in recorder.seen(daemon)} == {
        "s3cret with 'quotes' $HOME", "an0ther"}
    assert "s3cret" not in daemon.log_text() and "an0ther" not in daemon.log_text()
