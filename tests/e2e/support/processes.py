# SPDX-License-Identifier: MIT
"""Looking at processes through /proc.

The test process is a child subreaper: whatever a daemon leaves behind becomes its
child, so that nothing can hide from `descendants`.
"""
import contextlib
import ctypes
import os
import pathlib
import signal

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def read(pid, name):
    """The bytes of /proc/PID/NAME; empty when the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _fields(pid):
    """State, parent and so on, from /proc/PID/stat; [] when it is gone."""
    return read(pid, "stat").rpartition(b")")[2].split()


def state(pid):
    fields = _fields(pid)
    return fields[0].decode() if fields else None


def parent(pid):
    fields = _fields(pid)
    return int(fields[1]) if fields else None


def exists(pid):
    """Alive: neither gone nor a zombie. While a thread of it still ends, its files are open."""
    if state(pid) not in (None, "Z", "X"):
        return True
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    return False


def title(pid):
    """What ps shows: the command line."""
    return read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def everything():
    return [int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()]


def children(pid):
    return [other for other in everything() if parent(other) == pid]


def descendants(pid):
    """All below `pid`, zombies included."""
    parents = {other: parent(other) for other in everything()}
    found, pending = set(), [pid]
    while pending:
        above = pending.pop()
        below = [other for other, its in parents.items() if its == above and other not in found]
        found.update(below)
        pending += below
    return found


def reap_orphans(ours):
    """Takes the ends of adopted processes; `ours` are left to whoever started them."""
    for pid in children(os.getpid()):
        if pid not in ours and state(pid) == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def describe(pids):
    return ", ".join(f"{pid} {state(pid)} {title(pid) or read(pid, 'comm').decode().strip()!r}"
                     for pid in sorted(pids))
