# SPDX-License-Identifier: MIT
"""Hooks with "mode": "stream": one process that is told of jobs line by line."""
import base64
import json
import os
import random
import re
import subprocess

import pytest

from support import build, cgroups, processes
from support.daemon import WORKER, result_body
from support.waiting import wait_for

DOCUMENT = build.ROOT / "docs/STREAM_HOOKS.md"

# Writes down who it is and every line; then does what `do` of the body's output says. All that a copy
# starts holds the locks of its jobs, by descriptors that it inherits.
WORKER_PROGRAM = """#!/usr/bin/env python3
import fcntl, json, os, subprocess, sys, time
def note(name, text):
    with open(name, "a") as file:
        print(text, file=file)
def lock(job):
    file = os.open("locks/" + job, os.O_CREAT | os.O_RDWR, 0o600)
    os.set_inheritable(file, True)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("two_at_once", job)
    return file
note("pids", os.getpid())
locks = {}
for line in sys.stdin:
    job = json.loads(line)
    note("lines", line.strip())
    locks[job["job"]] = lock(job["job"])
    do = job["body"]["final_output"]
    if do == "child":
        subprocess.Popen(["setsid", "env", "-i", "sh", "-c",
                          "trap '' TERM; echo $$ >> children; exec sleep 1000"], close_fds=False)
        while not os.path.exists("children"):
            time.sleep(0.01)
    if do == "moment":
        time.sleep(0.003)
    if do == "exit":
        sys.exit(3)
    while do in ("wait", "child") and not os.path.exists("go"):
        time.sleep(0.01)
    os.close(locks.pop(job["job"]))
    print(json.dumps({"job": job["job"], "status": "ok", "message": str(os.getpid())}), flush=True)
note("ended", os.getpid())
"""


@pytest.fixture
def streaming(daemon):
    """A daemon that is not started yet, with a stream hook."""
    (daemon.directory / "locks").mkdir()
    daemon.write_program("worker.py", WORKER_PROGRAM)
    daemon.hook(name="stream", endpoint="results", mode="stream", command=["./worker.py"],
                concurrency=1, retry={"attempts": 3, "first_delay": "1ms"})
    return daemon


def deliver(daemon, *outputs, first=1):
    for number, output in enumerate(outputs, first):
        answer = daemon.call_back(daemon.launched(number), result_body(number, json.dumps(output)))
        assert answer.status == 200, answer


def post(daemon, count):
    """Results that take a moment each, in one go."""
    daemon.admin.send("POST", "/api/v1/hooks/stream/pause")
    deliver(daemon, *["moment"] * count)
    daemon.wait_until_taken_in()
    daemon.admin.send("POST", "/api/v1/hooks/stream/resume")


def lines(daemon, name="lines"):
    path = daemon.directory / name
    return path.read_text().splitlines() if path.exists() else []


def let_go(daemon):
    (daemon.directory / "go").touch()


def check_never_two(daemon):
    twice = daemon.directory / "two_at_once"
    assert not twice.exists(), twice.read_text()


# ---- the documented protocol ----

def example(language):
    return re.search(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)[1]


def test_the_examples_of_the_documentation_work(daemon):
    daemon.write_program("files.sh", example("sh"))
    daemon.write_program("store.py", example("python"))
    (daemon.directory / "echo.c").write_text(example("c"))
    subprocess.run(["cc", "-Wall", "-Werror", "-o", daemon.directory / "echo",
                    daemon.directory / "echo.c"], check=True)
    for name in ("files.sh", "store.py", "echo"):
        daemon.hook(name=name, mode="stream", command=[f"./{name}"], window=3, concurrency=2)
    daemon.start()
    outputs = ["fine", {"a": [1, "\n\u2028'\"\\"]}, None, 5, "x" * 100000]
    deliver(daemon, *outputs)
    jobs = daemon.wait_for_jobs(15)
    files = {job["id"]: json.loads((daemon.directory / f"{job['id']}.json").read_text())
             for job in jobs if job["hook"] == "files.sh"}
    assert len(files) == 5
    found = [line["body"]["final_output"] for line in files.values()]
    assert sorted(map(repr, found)) == sorted(map(repr, outputs))
    for identity, line in files.items():
        assert line["job"] == identity and line["hook"] == "files.sh" and line["attempt"] == 1
    stored = subprocess.run(["python3", "-c", "import sqlite3; print(sqlite3.connect('outputs.db')"
                             ".execute('SELECT count(*) FROM outputs').fetchone()[0])"],
                            cwd=daemon.directory, capture_output=True, text=True, check=True)
    assert stored.stdout == "5\n"


def test_what_it_writes_is_told_by_its_job_and_not_in_the_log(daemon):
    program = "while read -r line; do %s; done"
    answer = """echo "$line" | sed 's/,.*/,"status":"fail","message":"about customer 4711"}/'"""
    daemon.hook(name="fails", mode="stream", shell=program % answer, retry={"attempts": 1})
    daemon.hook(name="babbles", mode="stream", shell=program % "echo customer 4711",
                retry={"attempts": 1})
    daemon.start()
    deliver(daemon, "fine")
    jobs = daemon.wait_for_jobs(2, "dead")
    assert all("customer 4711" in job["attempts"][0]["message"] for job in jobs)
    wait_for("both deaths and the end of a copy are in the log", lambda: (
        log := daemon.log_text()).count('msg="job is dead"') == 2 and
        'reason="it wrote a line that is no answer"' in log)
    assert "4711" not in daemon.log_text()


def test_why_a_job_died_is_in_the_log_where_it_is_not_what_the_stream_wrote(daemon):
    daemon.hook(name="late", mode="stream", shell="while read -r line; do echo customer; done",
                give_up_after="1s", retry={"attempts": 9, "first_delay": "20d", "max_delay": "30d"})
    daemon.hook(name="closes", mode="stream", retry={"attempts": 1},
                shell="trap 'echo customer; exit 0' TERM; exec <&-; while :; do sleep 0.05; done")
    daemon.start()
    deliver(daemon, "fine")
    daemon.wait_for_jobs(2, "dead")
    wait_for("both deaths are told", lambda: all(
        re.search(rf'msg="job is dead" hook={hook} .*reason="[^"]*{why}', daemon.log_text())
        for hook, why in (("late", "give_up_after"), ("closes", "closed its stdin"))))
    assert "customer" not in daemon.log_text()


def test_only_an_end_that_nobody_wanted_is_a_warning(daemon):
    for name, status in (("anew", 75), ("broken", 3)):
        daemon.hook(name=name, mode="stream", shell="read -r line; job=${line#'{\"job\":\"'}; "
                    f"echo '{{\"job\":\"'${{job%%\\\"*}}'\",\"status\":\"ok\"}}'; exit {status}")
    daemon.start()
    deliver(daemon, "fine")
    daemon.wait_for_jobs(2, "succeeded")
    wait_for("both ends are told", lambda: all(
        re.search(rf'level={level} .*msg="stream ended" hook={name} .*answered=1', daemon.log_text())
        for name, level in (("anew", "info"), ("broken", "warning"))))


def test_what_is_no_json_arrives_byte_for_byte(daemon):
    daemon.endpoint(name="form", path="/form", kind="form", verify="none")
    daemon.hook(name="form", endpoint="form", mode="stream", shell="exec ./keep.py")
    daemon.hook(name="exact", endpoint="results", mode="stream", shell="exec ./keep.py",
                body="base64")
    daemon.write_program("keep.py", example("python").replace(
        "job = json.loads(line)", "job = json.loads(line); open(job['hook'], 'w').write(line)"
        "; job['body'] = {'final_output': 1}"))
    daemon.start()
    form = b"a=1&b=two%20words"
    answer = daemon.post("/form", form, {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer
    text = '{\r\n "workflow_version_execution_id" : 1,\n "final_output" : 1.0e0 }\n'
    assert daemon.call_back(daemon.launched(1), text).status == 200
    daemon.wait_for_jobs(2)
    for name, body in (("form", form), ("exact", text.encode())):
        line = json.loads((daemon.directory / name).read_text())
        assert "body" not in line and base64.b64decode(line["body_base64"]) == body


# ---- a life ----

def test_one_process_serves_many_and_is_told_to_end(streaming):
    daemon = streaming.start()
    deliver(daemon, *["fine"] * 10)
    jobs = daemon.wait_for_jobs(10)
    pid, = set(lines(daemon, "pids"))
    assert {job["attempts"][0]["stdout"] for job in jobs} == {pid}
    assert daemon.metric("stream_workers") == 1
    hook, = daemon.admin.get("/api/v1/hooks")["items"]
    assert [hook[key] for key in ("mode", "window", "copies", "restarts")] == ["stream", 16, 1, 0]
    assert int(pid) in processes.descendants(daemon.child(WORKER))
    environment = processes.read(int(pid), "environ").split(b"\0")
    assert b"CALLBACK_HOOK=stream" in environment
    assert not [name for name in environment if name.startswith(b"CALLBACK_JOB_ID=")]
    assert any(name.startswith(b"CALLBACK_WORKER_ID=") for name in environment)
    daemon.stop()
    assert lines(daemon, "ended") == [pid]


def test_a_stop_in_the_middle_loses_nothing(streaming):
    streaming.config["limits"]["stop_timeout"] = "100ms"
    daemon = streaming.start()
    deliver(daemon, "fine", "wait", "fine")
    wait_for("it is at work", lambda: len(lines(daemon)) == 2)
    daemon.wait_until_taken_in()
    daemon.stop()
    assert daemon.decided("SELECT state, count(*) FROM jobs GROUP BY 1 ORDER BY 1") == [
        ("succeeded", 1), ("waiting", 2)]
    let_go(daemon)
    daemon.start()
    daemon.wait_for_jobs(3)
    check_never_two(daemon)


def test_a_reload_replaces_copies_without_dropping_a_job(streaming):
    daemon = streaming.start()
    deliver(daemon, "wait", "fine")
    wait_for("it is at work", lambda: len(lines(daemon)) == 1)
    daemon.wait_for_jobs(2, "running")
    daemon.config["hooks"][0]["env"] = {"NEW": "1"}
    daemon.write_config()
    daemon.reload()
    deliver(daemon, "fine", first=3)
    daemon.wait_for_jobs(1)
    old, new = map(int, lines(daemon, "pids"))
    assert b"NEW=1" in processes.read(new, "environ")
    assert processes.exists(old)
    let_go(daemon)
    jobs = daemon.wait_for_jobs(3)
    assert {len(job["attempts"]) for job in jobs} == {1}
    wait_for("the old copy has ended", lambda: lines(daemon, "ended") == [str(old)])


def test_a_job_that_hangs_can_be_cancelled(streaming, ctl):
    daemon = streaming.start()
    deliver(daemon, "wait", "fine")
    wait_for("it is at work", lambda: len(lines(daemon)) == 1)
    hanging = json.loads(lines(daemon)[0])["job"]
    assert ctl("cancel", hanging).status == 0
    job, = daemon.wait_for_jobs(1, "cancelled")
    assert job["id"] == hanging
    daemon.wait_for_jobs(1)
    assert len(lines(daemon, "pids")) == 2
    check_never_two(daemon)


def test_order_holds(streaming):
    streaming.config["hooks"][0].update(order="workflow", concurrency=3)
    daemon = streaming.start()
    deliver(daemon, *map(str, range(30)))
    daemon.wait_for_jobs(30)
    assert [json.loads(line)["execution_id"] for line in lines(daemon)] == [
        str(number) for number in range(1, 31)]


# ---- kills ----

@pytest.fixture(params=["cgroup", "subreaper"])
def killable(streaming, request):
    if request.param == "cgroup" and (reason := cgroups.why_none()):
        pytest.skip(reason)
    streaming.config["hook_cgroups"] = request.param == "cgroup"
    return streaming


def test_kill_of_a_copy_runs_its_jobs_again_when_all_of_it_is_dead(killable):
    daemon = killable.start()
    deliver(daemon, "child", *["fine"] * 5)
    wait_for("it has a child", lambda: lines(daemon, "children"))
    wait_for("it has all jobs", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'running'") == [(6,)])
    child, = map(int, lines(daemon, "children"))
    processes.kill(int(lines(daemon, "pids")[0]))
    wait_for("the job runs again", lambda: len(lines(daemon)) >= 2)
    assert not processes.exists(child)
    let_go(daemon)
    jobs = daemon.wait_for_jobs(6)
    first = min(jobs, key=lambda job: job["id"])
    assert (first["attempts"][0]["outcome"], first["attempts"][0]["signal"]) == ("signal", 9)
    others = {job["attempts"][0]["outcome"] for job in jobs if job["id"] != first["id"]}
    assert others == {"interrupted"}
    assert daemon.metric("stream_restarts") == 1
    hook, = daemon.admin.get("/api/v1/hooks")["items"]
    assert (hook["copies"], hook["restarts"]) == (1, 1)
    check_never_two(daemon)


def test_kill_of_the_worker_runs_jobs_again_and_never_beside_the_old_ones(killable):
    killable.config["hooks"][0]["concurrency"] = 2
    daemon = killable.start()
    deliver(daemon, "child", "child", *["fine"] * 4)
    rounds = 4
    for count in range(1, rounds + 1):
        wait_for("both are at work", lambda: len(lines(daemon)) >= 2 * count)
        before = [int(pid) for pid in lines(daemon, "pids") + lines(daemon, "children")]
        processes.kill(wait_for("there is a worker", lambda: daemon.child(WORKER)))
        wait_for("others are at work", lambda: len(lines(daemon, "pids")) >= 2 * count + 1)
        assert not list(filter(processes.exists, before))
    wait_for("it serves", daemon.is_ready)
    let_go(daemon)
    jobs = daemon.wait_for_jobs(6)
    outcomes = {attempt["outcome"] for job in jobs for attempt in job["attempts"]}
    assert outcomes <= {"exit", "interrupted"}
    check_never_two(daemon)
    # A copy whose worker is gone while it is idle goes as well.
    idle = [pid for pid in map(int, lines(daemon, "pids")) if processes.exists(pid)]
    assert idle
    processes.kill(daemon.child(WORKER))
    wait_for("it serves again", lambda: daemon.child(WORKER) and daemon.is_ready())
    assert not list(filter(processes.exists, idle))


def test_kills_at_random_lose_no_job_and_run_none_twice_at_once(killable):
    """The worker and copies, with a backlog; CALLBACKD_TEST_LONG=1: fifty rounds."""
    long = os.environ.get("CALLBACKD_TEST_LONG") == "1"
    rounds, results = (50, 3000) if long else (4, build.number(100, 80, 50))
    seed = int(os.environ.get("CALLBACKD_TEST_SEED", random.randrange(2**32)))
    print(f"CALLBACKD_TEST_SEED={seed}")
    chance = random.Random(seed)
    killable.config["hooks"][0].update(
        concurrency=3, window=8, retry={"attempts": 1000, "first_delay": "1ms"})
    daemon = killable.start()
    post(daemon, results)
    for _ in range(rounds):
        done = len(lines(daemon))
        wait_for("it goes on", lambda: len(lines(daemon)) >= min(
            done + chance.randrange(results // rounds), results))
        if chance.random() < 0.5:
            processes.kill(wait_for("there is a worker", lambda: daemon.child(WORKER)))
        else:
            for pid in map(int, lines(daemon, "pids")[-2:]):
                if processes.parent(pid) == daemon.child(WORKER):
                    processes.kill(pid)
    wait_for("every job has ended well", lambda: daemon.decided(
        "SELECT state, count(*) FROM jobs GROUP BY 1") == [("succeeded", results)],
        60 * build.SLOWNESS)
    check_never_two(daemon)


# ---- trying one ----

def test_hook_test_shows_line_and_answer(streaming, ctl):
    daemon = streaming
    daemon.write_config()
    body = result_body(7, '"fine"').encode()

    def trial(*arguments, **how):
        return ctl("hook", "test", "stream", "--body", "-", *arguments, **how)

    done = trial("--json", input=body)
    said = done.json()
    assert done.status == 0, done
    assert said["answer"].startswith("ok: ")
    assert json.loads(said["line"])["body"] == json.loads(body)
    assert (said["outcome"], said["exit_code"]) == ("exit", 0)
    text = trial(input=body).stdout.decode()
    assert "\nline:\n" in text and "\nanswer: ok" in text
    (daemon.directory / "lines").unlink()
    assert trial("--dry-run", input=body).status == 0
    assert not lines(daemon)
    failed = trial("--json", input=result_body(7, '"exit"').encode())
    assert failed.status == 1 and failed.json()["answer"] == "none"
    daemon.config["hooks"][0].update(command=["/bin/echo", "hello"])
    daemon.write_config()
    assert "a line that is no answer" in trial(input=body).stdout.decode()


def test_check_refuses_fields_in_arguments(streaming):
    streaming.config["hooks"][0].update(command=["./worker.py", "{execution_id}"], fail_on=[1])
    streaming.write_config()
    done = subprocess.run([build.CALLBACKD, "--config", streaming.config_path, "--check"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "a stream is started once for many jobs" in done.stdout + done.stderr
    assert "each answer says" in done.stdout + done.stderr


