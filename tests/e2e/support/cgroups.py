# SPDX-License-Identifier: MIT
"""Can control groups be made here? A daemon that is started by the tests is in theirs."""
import contextlib
import os
import pathlib
import subprocess


def own():
    """The directory of the group (version 2) that this process is in; None: not to be seen."""
    mine = [line.partition("::")[2] for line in
            pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::/")]
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if mine and " - cgroup2 " in line:
            root, point = line.split()[3:5]
            below = os.path.relpath(mine[0], root)
            if not below.startswith(".."):
                return pathlib.Path(point) / below
    return None


def why_none():
    """A reason, or None: they can be made, entered and killed."""
    if (directory := own()) is None:
        return "no control groups of version 2 here"
    group = directory / f"callbackd-probe-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        return f"no control group can be made: {error}"
    try:
        if not (group / "cgroup.kill").exists():
            return "the kernel has no cgroup.kill"
        with subprocess.Popen(["sleep", "1000"]) as probe:
            try:
                (group / "cgroup.procs").write_text(str(probe.pid))
            except OSError as error:
                return f"nothing can be started in a control group: {error}"
            finally:
                probe.kill()
        return None
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


def mount():
    """Where version 2 is mounted whole."""
    return next(line.split()[4] for line in
                pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
                if " - cgroup2 " in line and line.split()[3] == "/")
