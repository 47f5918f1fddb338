# SPDX-License-Identifier: MIT
"""kill -9 of a daemon's processes, and what must be true again right after it."""
import contextlib
import os
import signal
import socket

from . import processes
from .daemon import PLAIN, RECEIVER, WORKER
from .waiting import becomes_true_within, wait_for

HOOK = """#!/bin/sh
cat > /dev/null
echo "$CALLBACK_RESULT_ID" >> hook.log
"""


_held = []


def fixed_port(listener):
    """A port that stays the daemon's across its restarts, given by the kernel. It is bound here too,
    so that nobody else is given it while the daemon is down."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    listener["address"] = f"127.0.0.1:{holder.getsockname()[1]}"
    return listener["address"]


def keep_ports(daemon):
    """For a daemon that will be killed: whoever talks to it finds it again."""
    daemon.config["public_url"] = "http://" + fixed_port(daemon.config["listen"][PLAIN])
    fixed_port(daemon.config["admin"])


def configure(daemon, concurrency=4):
    """With a hook that notes whose result it was given."""
    daemon.write_program("hook.sh", HOOK)
    daemon.hook(name="note", endpoint="results", command=["./hook.sh"], concurrency=concurrency)
    keep_ports(daemon)


def noted(daemon):
    """The results of which the hook ran, each as often as it did."""
    return (daemon.directory / "hook.log").read_text().split()


def answers(daemon):
    with contextlib.suppress(OSError):
        return daemon.is_ready()
    return False


def _start_again(daemon, below, within_s):
    daemon.launch()
    took_s = becomes_true_within(within_s, "the service answers again", lambda: answers(daemon))
    # Hooks of the dead supervisor's worker must not outlive it either.
    wait_for("all of the dead supervisor is gone",
             lambda: not any(processes.exists(pid) for pid in below))
    return took_s


def kill_supervisor(daemon, within_s=2):
    below = processes.descendants(daemon.pid)
    processes.kill(daemon.pid)
    daemon.process.wait()
    return _start_again(daemon, below, within_s)


def kill_group(daemon, within_s=2):
    """Supervisor, receiver and worker at the same moment; hooks have sessions of their own."""
    below = processes.descendants(daemon.pid)
    # A hook that is just being started has the worker's title, but is no child of the supervisor.
    own = daemon.children(RECEIVER) + daemon.children(WORKER)
    assert own and all(os.getpgid(pid) == daemon.pid for pid in own), processes.describe(below)
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.process.wait()
    wait_for("receiver and worker are gone", lambda: not any(map(processes.exists, own)))
    return _start_again(daemon, below, within_s)


def kill_child(daemon, title, within_s=1):
    """`within_s`: how long until it must serve again; returns how long it took."""
    pid = wait_for(f"there is a {title}", lambda: daemon.child(title))
    processes.kill(pid)
    wait_for("another one serves", lambda: daemon.child(title) not in (None, pid))
    return becomes_true_within(within_s, "the service answers again", lambda: answers(daemon))
