# SPDX-License-Identifier: MIT
"""What processes use, read from /proc; and that they end with the one that started them."""
import os
import pathlib
import signal
import sys

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _stat(pid):
    """The fields of /proc/PID/stat from the state (field 3) on; [] when it is gone."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def tree(pid):
    """A process and all below it."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(entry.name)):
            parents[int(entry.name)] = int(fields[1])
    found, pending = [], [pid]
    while pending:
        above = pending.pop()
        found.append(above)
        pending += [below for below, its in parents.items() if its == above]
    return found


def cpu_s(pids):
    """CPU time used, that of children which ended included."""
    return sum(int(field) for pid in pids for field in _stat(pid)[11:15]) * TICK_S


def context_switches(pids):
    """Of the threads that are alive."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            for line in _read(task / "status").splitlines():
                if b"ctxt_switches:" in line:
                    total += int(line.split()[1])
    return total


def pss_bytes(pids):
    total = 0
    for pid in pids:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def end_on_sigterm():
    """As on Ctrl-C: what was started is ended where it was started."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
