# SPDX-License-Identifier: MIT
"""Hooks that do what they should not: whatever it is, their job ends as what it was, and the other
hooks do not notice."""
import os

import pytest

from support import cgroups, processes
from support.daemon import WORKER, result_body
from support.waiting import wait_for

ONCE = {"attempts": 1}
AGAIN_SOON = {"attempts": 100, "first_delay": "300ms", "max_delay": "300ms"}


def deliver(daemon, execution_id=7):
    answer = daemon.call_back(daemon.launched(execution_id), result_body(execution_id))
    assert answer.status == 200, answer


def test_bytes_that_are_no_text_are_kept_and_shown(daemon, ctl):
    daemon.hook(name="binary", shell=r"printf 'a\0b\377\303\033[31mred\n'; printf '\200' >&2")
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1)
    stored, = daemon.decided("SELECT standard_output, standard_error FROM attempts")
    assert stored == (b"a\0b\xff\xc3\x1b[31mred\n", b"\x80")
    attempt, = job["attempts"]
    assert attempt["stdout"] == "a\0b\ufffd\ufffd\x1b[31mred\n" and attempt["stderr"] == "\ufffd"
    shown = ctl("job", job["id"])
    assert shown.status == 0 and b"red" in shown.stdout and b"\0" not in shown.stdout


def test_a_flood_of_output_costs_no_memory_and_holds_nobody_up(daemon):
    daemon.hook(name="flood", shell="trap 'exit 0' TERM; touch flooding; yes; true",
                timeout="1h", retry=ONCE)
    daemon.hook(name="other", shell="true", concurrency=4)
    daemon.start()
    before = resident_mib(daemon.child(WORKER))  # of a sanitized one, much
    deliver(daemon)
    wait_for("it floods", (daemon.directory / "flooding").exists)
    for number in range(8, 28):
        deliver(daemon, number)
    daemon.wait_for_jobs(21, hook="other")
    flood = daemon.jobs(hook="flood", state="running")
    live = wait_for("what it writes is shown", lambda: (
        shown := daemon.admin.get(f"/api/v1/jobs/{flood[0]['id']}")["attempts"][0])
        ["output_truncated"] and shown)
    assert len(live["stdout"]) == 65536
    assert resident_mib(daemon.child(WORKER)) - before < 100
    daemon.admin.send("POST", "/api/v1/hooks/flood/pause")
    for job in daemon.jobs(hook="flood"):
        daemon.admin.send("POST", f"/api/v1/jobs/{job['id']}/cancel")
    wait_for("all are cancelled", lambda: {
        job["state"] for job in daemon.jobs(hook="flood")} == {"cancelled"})


def resident_mib(pid):
    line = next(line for line in processes.read(pid, "status").splitlines()
                if line.startswith(b"VmRSS:"))
    return int(line.split()[1]) // 1024


def test_who_keeps_its_output_open_keeps_no_job_open(daemon):
    daemon.hook(shell='setsid sh -c \'echo "$$" > left; exec sleep 1000\' & '
                      'while ! test -s left; do sleep 0.02; done; echo done')
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1)
    assert job["attempts"][0]["stdout"] == "done\n"
    left = int((daemon.directory / "left").read_text())
    assert processes.exists(left), "one that made a session of its own may go on"
    processes.kill(left)


def test_who_stops_itself_is_ended_by_its_timeout(daemon):
    daemon.hook(shell="echo begun; kill -STOP $$", timeout="4s", retry=ONCE)
    daemon.start()
    deliver(daemon)
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts"][0]["outcome"] == "timeout"
    assert job["attempts"][0]["stdout"] == "begun\n"


def test_what_cannot_be_executed_says_why_and_is_tried_again(daemon):
    programs = {name: daemon.write_program(name, text) for name, text in {
        "plain": "#!/bin/sh\n", "folder": "#!/bin/sh\n", "empty": "",
        "lost": "#!/no/such/interpreter\n"}.items()}
    for name in programs:
        daemon.hook(name=name, command=[f"./{name}"], retry=AGAIN_SOON)
    daemon.start()
    programs["plain"].chmod(0o644)
    programs["folder"].unlink()
    programs["folder"].mkdir()
    deliver(daemon)
    for name, reason in (("plain", "Permission denied"), ("empty", "Exec format error"),
                         ("lost", "No such file"), ("folder", "Permission denied")):
        job, = wait_for(f"{name} failed", lambda name=name: daemon.jobs(hook=name, state="retrying"))
        attempt = daemon.admin.get(f"/api/v1/jobs/{job['id']}")["attempts"][0]
        assert attempt["outcome"] == "spawn_error" and reason in attempt["message"], attempt
    programs["plain"].chmod(0o755)
    daemon.wait_for_jobs(1, hook="plain")


def test_a_program_that_is_replaced_while_it_runs(daemon):
    wait = "while test ! -e go; do sleep 0.02; done"
    program = daemon.write_program("program", f"#!/bin/sh\ntouch began; {wait}; echo old\n")
    daemon.hook(command=["./program"], concurrency=1)
    daemon.start()
    deliver(daemon, 1)
    wait_for("it runs", (daemon.directory / "began").exists)
    deliver(daemon, 2)
    daemon.write_program("new", "#!/bin/sh\necho new\n")
    os.rename(daemon.directory / "new", program)
    (daemon.directory / "go").touch()
    jobs = daemon.wait_for_jobs(2)
    assert [job["attempts"][0]["stdout"] for job in jobs] == ["new\n", "old\n"]


def test_a_hook_that_is_removed_while_it_runs_ends_well(daemon):
    daemon.hook(name="stays", shell="true")
    daemon.hook(name="goes", shell="touch began; while test ! -e go; do sleep 0.02; done; exit 3",
                on_dead="told", retry=ONCE, concurrency=1)
    daemon.hook(name="told", takes="dead", shell="true")
    daemon.start()
    deliver(daemon, 1)
    wait_for("it runs", (daemon.directory / "began").exists)
    deliver(daemon, 2)
    daemon.wait_until_taken_in()
    removed = daemon.config["hooks"][1:]
    daemon.config["hooks"] = daemon.config["hooks"][:1]
    daemon.write_config()
    daemon.reload()
    (daemon.directory / "go").touch()
    # By the rules that it began with; whom to tell is not there any more.
    daemon.wait_for_jobs(1, "dead", hook="goes")
    daemon.wait_for_jobs(1, "waiting", hook="goes")
    assert not daemon.jobs(hook="told")
    daemon.config["hooks"] += removed
    daemon.write_config()
    daemon.reload()
    daemon.wait_for_jobs(2, "dead", hook="goes")
    daemon.wait_for_jobs(1, hook="told")


def test_reloads_under_load_drop_no_job(daemon):
    daemon.hook(name="first", shell='echo "$CALLBACK_JOB_ID" >> ran', concurrency=2)
    daemon.hook(name="second", shell='echo "$CALLBACK_JOB_ID" >> ran', order="workflow")
    daemon.start()
    for number in range(5):
        for execution_id in range(10 * number, 10 * number + 10):
            deliver(daemon, execution_id + 1)
        daemon.config["hooks"][0]["concurrency"] = number + 1
        daemon.config["hooks"][1]["order"] = ["execution", "none", "workflow"][number % 3]
        daemon.config["hooks"].reverse()
        daemon.write_config()
        daemon.reload()
    jobs = daemon.wait_for_jobs(100)
    ran = (daemon.directory / "ran").read_text().split()
    assert sorted(ran) == sorted(job["id"] for job in jobs), "each once"


# What one of the daemon's own user can do to its control group; its job, and those after it, end.
TO_ITS_GROUP = {
    "leaves": 'echo 0 > "$group/../../cgroup.procs"',
    "makes others in it": 'mkdir "$group/a" "$group/a/b"; echo 0 > "$group/a/b/cgroup.procs"',
    "gives rights on": 'mkdir "$group/a"; echo 0 > "$group/a/cgroup.procs"; '
                       'echo +pids > "$group/cgroup.subtree_control"',
    "makes it one of threads": 'echo threaded > "$group/cgroup.type"',
    "removes it": 'echo 0 > "$group/../../cgroup.procs"; rmdir "$group"',
    "freezes what comes": 'echo 0 > "$group/../../cgroup.procs"; echo 1 > "$group/cgroup.freeze"',
}


@pytest.mark.parametrize("deed", TO_ITS_GROUP)
def test_what_a_hook_does_to_its_group_harms_no_other(daemon, deed):
    if reason := cgroups.why_none():
        pytest.skip(reason)
    daemon.hook(shell='test "$CALLBACK_EXECUTION_ID" = 1 || exit 0; '
                      f'group={cgroups.mount()}$(sed -n "s/^0:://p" /proc/self/cgroup); '
                      f'{TO_ITS_GROUP[deed]} 2>&1; true', concurrency=1)
    daemon.start()
    for number in range(1, 5):
        deliver(daemon, number)
    jobs = daemon.wait_for_jobs(4)
    assert all(job["attempts_made"] == 1 for job in jobs)
    store = daemon.store.stat()
    groups = cgroups.own() / f"callbackd-{os.getuid()}-{store.st_dev:x}-{store.st_ino:x}"
    assert groups.exists()
    daemon.stop()
    assert not groups.exists(), "its groups are left"
