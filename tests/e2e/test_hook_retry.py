# SPDX-License-Identifier: MIT
"""Attempts, pauses between them, and what follows the last one."""
import datetime

from support.daemon import result_body


def deliver(daemon, execution_id=7):
    answer = daemon.call_back(daemon.launched(execution_id), result_body(execution_id))
    assert answer.status == 200, answer


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_hook_that_fails_four_times_runs_five_times_with_its_pauses(daemon):
    daemon.hook(shell='test "$CALLBACK_ATTEMPT" = 5',
                retry={"attempts": 5, "first_delay": "200ms", "max_delay": "800ms"})
    daemon.start()
    for number in range(20):
        deliver(daemon, number + 1)
    jobs = daemon.wait_for_jobs(20)
    pauses = [[seconds(after["started_at"]) - seconds(before["ended_at"])
               for before, after in zip(job["attempts"], job["attempts"][1:])] for job in jobs]
    for job, gaps in zip(jobs, pauses):
        assert [attempt["exit_code"] for attempt in job["attempts"]] == [1, 1, 1, 1, 0]
        assert all(gap > -0.005 for gap in gaps)
        assert len(set(gaps)) > 1, "chance has no part in it"


def test_a_hook_says_itself_when_it_wants_to_be_tried_again(daemon):
    daemon.hook(name="asks", retry={"attempts": 3, "first_delay": "10d", "max_delay": "30d"},
                shell='if test "$CALLBACK_ATTEMPT" = 2; then exit 0; fi; '
                      'printf "HTTP/1.1 503\\r\\nretry-after: 1\\r\\n\\r\\n" >&2; exit 75')
    daemon.hook(name="late", retry={"attempts": 3, "first_delay": "1ms", "max_delay": "1ms"},
                shell="echo Retry-After: 2h >&2; exit 75")
    daemon.hook(name="other", retry={"attempts": 2, "first_delay": "1ms", "max_delay": "1ms"},
                shell="echo Retry-After: 2h >&2; exit 1")
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, hook="asks")
    before, after = job["attempts"]
    assert seconds(after["started_at"]) - seconds(before["ended_at"]) > 0.99
    late, = daemon.wait_for_jobs(1, "retrying", hook="late")
    pause = seconds(late["next_at"]) - seconds(late["attempts"][0]["ended_at"])
    assert 7190 < pause < 7210
    daemon.wait_for_jobs(1, "dead", hook="other")


def test_exit_codes_are_the_hooks_own(daemon):
    retry = {"attempts": 2, "first_delay": "1ms", "max_delay": "1ms"}
    daemon.hook(name="final", shell="exit 3", fail_on=[3, 4], retry=retry)
    daemon.hook(name="mended", shell='test "$CALLBACK_ATTEMPT" = 2 || exit 65', fail_on=[3],
                retry=retry)
    daemon.hook(name="only", shell="exit 1", retry_on=[2], retry=retry)
    daemon.start()
    deliver(daemon)
    for name, made in (("final", 1), ("only", 1)):
        job, = daemon.wait_for_jobs(1, "dead", hook=name)
        assert job["attempts_made"] == made
    job, = daemon.wait_for_jobs(1, hook="mended")
    assert job["attempts_made"] == 2


def test_a_dead_job_is_told_listed_and_comes_back(daemon):
    daemon.hook(name="charge", shell="test -e mended", on_dead="alarm",
                retry={"attempts": 2, "first_delay": "1ms", "max_delay": "1ms"})
    daemon.hook(name="alarm", takes="dead",
                command=["/bin/sh", "-c", 'echo "$@"; env | grep ^CALLBACK_ | sort; cat', "sh",
                         "{dead_hook}", "{dead_job_id}", "{dead_reason}"])
    daemon.start()
    deliver(daemon)
    dead, = daemon.wait_for_jobs(1, "dead", hook="charge")
    told, = daemon.wait_for_jobs(1, hook="alarm")
    assert told["dead_job_id"] == dead["id"] and told["result_id"] == dead["result_id"]
    lines = told["attempts"][0]["output"].splitlines()
    assert lines[0] == f"charge {dead['id']} exit 1"
    assert lines[-1] == result_body(7)
    assert len(lines) == 1 + 15 + 1
    assert f"CALLBACK_DEAD_JOB_ID={dead['id']}" in lines
    (daemon.directory / "mended").touch()
    daemon.admin.send("POST", f"/api/v1/jobs/{dead['id']}/retry")
    daemon.wait_for_jobs(1, hook="charge")
    assert len(daemon.jobs(hook="alarm")) == 1
