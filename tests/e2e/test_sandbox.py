# SPDX-License-Identifier: MIT
"""What the kernel keeps a receiver from, and what of a secret can be seen from outside.

tests/unit/callbackd/test_sandbox.c tries each forbidden call; here is the real receiver.
"""
import errno
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from support import build, faults, processes
from support.daemon import PLAIN, RECEIVER, TLS, UNIX, WORKER, result_body
from support.faults import Faults
from support.waiting import wait_for

# Sanitizers need some of it themselves.
release_only = pytest.mark.skipif(build.NAME != "release", reason="a build with a sanitizer")

# From now on a call does not exist, for whatever is executed.
TAKE_AWAY = """
import ctypes, os, struct, sys
number = int(sys.argv[1])
code = b"".join(struct.pack("HBBI", *step) for step in [
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7fff0000)])
program = ctypes.create_string_buffer(code, len(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
header = struct.pack("HxxxxxxP", 4, ctypes.addressof(program))
assert libc.prctl(22, 2, header, 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""
NUMBERS = {"landlock_create_ruleset": {"x86_64": 444, "aarch64": 444},
           "seccomp": {"x86_64": 317, "aarch64": 277}}


def without(call):
    """A wrapper for a daemon on a kernel that lacks a system call."""
    return [sys.executable, "-c", TAKE_AWAY, str(NUMBERS[call][platform.machine()])]


def status_of(pid, thread=None):
    """The lines of /proc/PID/status, or of a thread's."""
    text = processes.read(pid, f"task/{thread}/status" if thread else "status").decode()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def threads(pid):
    return os.listdir(f"/proc/{pid}/task")


def sandbox(daemon):
    return daemon.admin.get("/api/v1/status")["sandbox"]


def accepts(daemon, number, listener=PLAIN):
    return daemon.call_back(daemon.launched(number), result_body(number),
                            listener=listener).status == 200


# ---- the sandbox holds ----

def test_every_thread_of_a_receiver_is_restricted(daemon):
    daemon.start()
    for number, listener in enumerate((PLAIN, TLS, UNIX)):
        assert accepts(daemon, 100 + number, listener)
    receiver = daemon.child(RECEIVER)
    for thread in threads(receiver):
        status = status_of(receiver, thread)
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status
    names = {processes.read(receiver, f"task/{thread}/comm").decode().strip()
             for thread in threads(receiver)}
    assert names == {"receiver", "receiver-acc", "receiver-http", "log-committer", "log-teller"}
    assert status_of(daemon.child(WORKER))["Seccomp"] == "0"
    assert sandbox(daemon) == {"mode": "auto", "receivers": 1, "seccomp": True, "landlock": True}
    assert daemon.metric("receivers") == daemon.metric("receivers_seccomp") == 1
    assert daemon.metric("receivers_landlock") == 1
    assert 'msg="the receiver is restricted" seccomp=true landlock=true' in daemon.log_text()


def test_a_receiver_after_a_reload_is_restricted_too(daemon):
    daemon.config["limits"]["idle_timeout"] = "1s"
    daemon.start()
    daemon.config["sandbox"] = "required"
    daemon.write_config()
    daemon.reload()
    assert status_of(daemon.child(RECEIVER))["Seccomp"] == "2"
    # The old one counts until the supervisor has seen its end.
    wait_for("the new one is counted alone", lambda: sandbox(daemon) == {
        "mode": "required", "receivers": 1, "seccomp": True, "landlock": True})
    assert accepts(daemon, 7)
    before = daemon.child(RECEIVER)
    processes.kill(before)
    wait_for("another receiver serves", lambda: daemon.child(RECEIVER) not in (None, before) and
             sandbox(daemon)["receivers"] == 1)
    assert status_of(daemon.child(RECEIVER))["Seccomp"] == "2"
    assert accepts(daemon, 8)


@release_only
@pytest.mark.parametrize("what, refusal", [
    (faults.SOCKET, errno.ENOSYS),
    (faults.CONNECT, errno.ENOSYS),
    (faults.SIGNAL_SUPERVISOR, errno.ENOSYS),
    (faults.READ_SYSTEM, errno.EACCES),
    (faults.WRITE_BESIDE, errno.EACCES),
], ids=["socket", "connect", "signal", "read", "write"])
def test_a_receiver_that_was_taken_over_is_refused(daemon, faults_library, what, refusal):
    inside = Faults(daemon, faults_library)
    daemon.start()
    receiver = daemon.child(RECEIVER)
    inside.attempt(what)
    assert accepts(daemon, 7)
    wait_for("it has tried", lambda: inside.outcome >= 0)
    assert inside.outcome == refusal, os.strerror(inside.outcome)
    assert daemon.child(RECEIVER) == receiver


@release_only
@pytest.mark.parametrize("what", [faults.EXECUTE, faults.FORK], ids=["execute", "fork"])
def test_a_receiver_that_was_taken_over_is_ended(daemon, faults_library, what):
    inside = Faults(daemon, faults_library)
    daemon.start()
    receiver, run = daemon.child(RECEIVER), daemon.launched(7)
    inside.attempt(what)
    with pytest.raises(OSError):
        daemon.call_back(run, result_body(7))
    assert inside.outcome == -1
    wait_for("another receiver serves", lambda: daemon.child(RECEIVER) not in (None, receiver))
    assert f'msg="child died" child=receiver pid={receiver} signal=SYS' in daemon.log_text()
    assert "ended by its sandbox" in daemon.log_text()
    assert daemon.call_back(run, result_body(7)).status == 200


def test_without_a_sandbox_the_same_is_done(daemon, faults_library):
    """Or the tests above would prove nothing."""
    inside = Faults(daemon, faults_library)
    daemon.config["sandbox"] = "off"
    daemon.start()
    for number, what in enumerate([faults.FORK, faults.SOCKET, faults.READ_SYSTEM,
                                   faults.WRITE_BESIDE, faults.SIGNAL_SUPERVISOR]):
        inside.attempt(what)
        assert accepts(daemon, number)
        wait_for("it has tried", lambda: inside.outcome >= 0)
        assert inside.outcome == 0, what
    assert sandbox(daemon) == {"mode": "off", "receivers": 1, "seccomp": False, "landlock": False}
    assert "level=warning" in next(line for line in daemon.log_text().splitlines()
                                   if "is not restricted, as configured" in line)


# ---- kernels that cannot ----

@pytest.mark.parametrize("call, protection", [("landlock_create_ruleset", "landlock"),
                                              ("seccomp", "seccomp")])
def test_a_kernel_without_it_is_warned_of(daemon, call, protection):
    daemon.wrapper = without(call)
    daemon.start()
    assert accepts(daemon, 7)
    told = sandbox(daemon)
    assert told.pop(protection) is False
    assert told == {"mode": "auto", "receivers": 1,
                    {"landlock": "seccomp", "seccomp": "landlock"}[protection]: True}
    assert daemon.metric(f"receivers_{protection}") == 0
    warnings = [line for line in daemon.log_text().splitlines() if "lacks a protection" in line]
    assert len(warnings) == 1 and f"protection={protection}" in warnings[0]
    assert "level=warning" in warnings[0]


@pytest.mark.parametrize("call, reason", [("landlock_create_ruleset", "no Landlock"),
                                          ("seccomp", "no seccomp")])
def test_a_kernel_without_it_is_not_enough_when_it_is_required(daemon, call, reason):
    daemon.wrapper = without(call)
    daemon.config["sandbox"] = "required"
    daemon.write_config()
    daemon.launch()
    assert daemon.process.wait(60) == 69
    last = daemon.log_text().splitlines()[-1]
    assert "not started" in last and reason in last and "sandbox" in last
    # Nor is it taken over by a reload.
    daemon.config["sandbox"] = "auto"
    daemon.start()
    daemon.config["sandbox"] = "required"
    daemon.write_config()
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("the reload is refused", lambda: "reload refused" in daemon.log_text())
    assert accepts(daemon, 7)


# ---- the log's folder ----

def test_a_log_that_is_put_in_place_of_the_other_is_used(daemon):
    """What may be opened is a folder, not a name: a receiver that is allowed the new one comes."""
    daemon.start()
    assert accepts(daemon, 7)
    daemon.wait_until_taken_in()
    before = daemon.child(RECEIVER)
    log = daemon.store / "log"
    shutil.copytree(log, daemon.directory / "new")
    log.rename(daemon.directory / "old")
    (daemon.directory / "new").rename(log)
    wait_for("another receiver serves", lambda: daemon.child(RECEIVER) not in (None, before))
    wait_for("it stores", lambda: accepts(daemon, 8))
    assert "the log's folder is another one" in daemon.log_text()


# ---- memory ----

def cores_can_be_made(directory):
    """Does the kernel write one at all, for a program that does not mind?"""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith(("|", "/")):
        return False
    process = subprocess.Popen(["sleep", "60"], cwd=directory, preexec_fn=allow_cores)
    process.send_signal(signal.SIGSEGV)
    dumped = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT).si_code == os.CLD_DUMPED
    process.wait()
    return dumped


def allow_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@release_only
def test_no_process_of_ours_leaves_a_core(daemon, tmp_path):
    if not cores_can_be_made(tmp_path):
        pytest.skip("this kernel writes no core files here")
    daemon.wrapper = ["sh", "-c", 'ulimit -c unlimited && exec "$0" "$@"']
    daemon.hook(shell="ulimit -c; kill -SEGV $$", limits={"core": "1MiB"},
                retry={"attempts": 1})
    daemon.start()
    for title in (RECEIVER, WORKER):
        processes.kill(daemon.child(title), signal.SIGSEGV)
    wait_for("both have died of it", lambda: daemon.log_text().count("signal=SEGV") == 2)
    assert daemon.log_text().count("signal=SEGV core=false") == 2
    # A hook may, where it is configured to.
    wait_for("the daemon is ready", daemon.is_ready)
    assert accepts(daemon, 7)
    job, = daemon.wait_for_jobs(1, "dead")
    assert job["attempts"][0]["output"].strip() == "2048"  # blocks of 512
    os.kill(daemon.pid, signal.SIGSEGV)
    ended = os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
    assert ended.si_code == os.CLD_KILLED and ended.si_status == signal.SIGSEGV
    daemon.process.wait()


def reads(look, pid, name):
    """Can a program that is started that way read /proc/PID/NAME?"""
    return subprocess.run([*look, "head", "-c1", f"/proc/{pid}/{name}"],
                          capture_output=True).returncode == 0


@release_only
def test_others_of_the_same_user_cannot_look_into_them(daemon):
    without_privileges = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    daemon.wrapper = without_privileges
    daemon.start()
    with subprocess.Popen([*without_privileges, "sleep", "60"]) as open_to_all:
        wait_for("it runs", lambda: processes.title(open_to_all.pid) == "sleep 60")
        assert reads(without_privileges, open_to_all.pid, "environ")
        assert reads(without_privileges, open_to_all.pid, "maps")
        open_to_all.kill()
    for pid in (daemon.pid, daemon.child(RECEIVER), daemon.child(WORKER)):
        assert not reads(without_privileges, pid, "environ")
        assert not reads(without_privileges, pid, "maps")
        assert reads(without_privileges, pid, "stat")
