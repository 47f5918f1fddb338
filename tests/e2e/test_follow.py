# SPDX-License-Identifier: MIT
"""What a running job prints, while it runs."""
from support.daemon import result_body
from support.posts import at_once
from support.waiting import wait_for
from test_ctl import DONE, FAILED

# Prints, then waits until the test lets it go on.
TALKER = """#!/bin/sh
echo "first $CALLBACK_ATTEMPT"; echo aside >&2
until [ -e go ]; do sleep 0.02; done
echo last
[ "$CALLBACK_ATTEMPT" = 2 ]
"""


def start_talker(daemon, **retry):
    daemon.write_program("talk", TALKER)
    daemon.hook(name="talk", command=["./talk"], retry=retry)
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    job, = daemon.wait_for_jobs(1, "running")
    return job["id"]


def let_go_on(daemon):
    (daemon.directory / "go").touch()


def test_a_running_attempt_shows_what_it_has_printed(daemon):
    job_id = start_talker(daemon, attempts=1)

    def printed():
        attempt, = daemon.admin.get(f"/api/v1/jobs/{job_id}")["attempts"]
        return attempt if attempt["stdout"] and attempt["stderr"] else None

    attempt = wait_for("its output can be seen", printed)
    assert (attempt["outcome"], attempt["stdout"], attempt["stderr"]) == (
        "running", "first 1\n", "aside\n")
    assert attempt["ended_at"] is None and not attempt["output_truncated"]
    let_go_on(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts"][0]["stdout"] == "first 1\nlast\n"


def test_a_job_is_followed_through_its_attempts(daemon, ctl):
    job_id = start_talker(daemon, attempts=2, first_delay="1ms")
    following = ctl.start("job", job_id, "--follow")
    assert following.stdout.readline() == b"first 1\n"  # while it runs: nobody has let it go on
    let_go_on(daemon)
    out, err = following.communicate()
    assert (following.returncode, out) == (DONE, b"last\nfirst 2\nlast\n")
    assert err.count(b"aside\n") == 2 and b"attempt 2" in err


def test_following_a_job_that_dies_is_1(daemon, ctl):
    job_id = start_talker(daemon, attempts=1)
    let_go_on(daemon)
    done = ctl("job", job_id, "--follow")
    assert (done.status, done.stdout) == (FAILED, b"first 1\nlast\n")


def test_many_may_look_at_once(daemon):
    job_id = start_talker(daemon, attempts=1)
    path = f"/api/v1/jobs/{job_id}"
    wait_for("its output can be seen", lambda: daemon.admin.get(path)["attempts"][0]["stdout"])
    looks = at_once(32, lambda _: wait_for("it can be seen", lambda: daemon.admin.get(path)
                                           ["attempts"][0]["stdout"]))
    assert looks == ["first 1\n"] * 32
    let_go_on(daemon)
    daemon.wait_for_jobs(1, "dead")
