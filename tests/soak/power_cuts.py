#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""power_cuts.py [--file-system ext4] [--cuts 60] [--without-syncs] [--posts 1500] [--seed N]
[--out FILE]: the power goes while posts are stored, again and again.

The store lies on a file system of its own in an image. Under load that file system is shut down
(the ioctl behind `xfs_io -x -c shutdown`: nothing more reaches the image, the journal included),
the daemon is killed, the image is unmounted and mounted again. Every post whose 200 had arrived
before the cut began must be there. What was posted after the cut must not get a 200.

--without-syncs: the same with a daemon whose syncs do nothing (libeatmydata). It must lose
something, or this test is blind.

As root, in a mount namespace of its own: unshare --mount --propagation private. It does not test
a disk that loses what it said it had flushed."""
import contextlib
import fcntl
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import common
from common import say

from support import accounts, build, kills, processes
from support.daemon import Daemon
from support.posting import Poster

IMAGE_MIB = 1024
CUTS_OF_AN_IMAGE = 6  # then a new one: a young store has other things unsynced than an old one
MAKE = {"ext4": ["mkfs.ext4", "-q"], "xfs": ["mkfs.xfs", "-q"]}
SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32): XFS_IOC_GOINGDOWN, on ext4 EXT4_IOC_SHUTDOWN
WITHOUT_LOG_FLUSH = struct.pack("I", 2)
REFUSALS = 20
CONTROL_CUTS = 5


class Disk:
    """A file system in an image, whose power can be cut."""

    def __init__(self, directory, file_system):
        self.image, self.mounted = directory / "image", directory / "disk"
        self.file_system = file_system
        self.is_mounted = False  # asking a file system that was shut down may fail
        self.mounted.mkdir()

    def make(self):
        self.unmount()
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(IMAGE_MIB * common.MIB)
        subprocess.run([*MAKE[self.file_system], self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-t", self.file_system, "-o", "loop", self.image, self.mounted],
                       check=True)
        self.is_mounted = True

    def unmount(self):
        if self.is_mounted:
            subprocess.run(["umount", self.mounted], check=True)
            self.is_mounted = False

    def cut(self):
        """When it began and when it was done, in nanoseconds."""
        root = os.open(self.mounted, os.O_RDONLY | os.O_DIRECTORY)
        try:
            begin = time.monotonic_ns()
            fcntl.ioctl(root, SHUTDOWN, WITHOUT_LOG_FLUSH)
            return begin, time.monotonic_ns()
        finally:
            os.close(root)


def program_without_syncs(directory):
    """The daemon, with libeatmydata before the C library: its children, who are the same file
    with a clean environment, have it too."""
    program = directory / "callbackd"
    if program.exists():
        return str(program)
    shutil.copy2(build.CALLBACKD, program)
    subprocess.run(["patchelf", "--add-needed", "libeatmydata.so.1", program], check=True)
    return str(program)


class Trial:
    def __init__(self, certificates, options, outcome):
        self.options, self.outcome = options, outcome
        self.chance = random.Random(options.seed)
        self.daemon = Daemon(pathlib.Path(certificates))
        self.directory = self.daemon.directory
        self.disk = Disk(self.directory, options.file_system)
        self.daemon.config["store"]["directory"] = "disk/store"
        self.daemon.store = self.directory / "disk/store"
        self.daemon.config["log"]["level"] = "info"
        # So that the worker writes as much as the receiver does, and all of it stays.
        self.daemon.hook(name="later", endpoint="results", command=["true"], delay="1h")
        kills.keep_ports(self.daemon)
        self.poster = None
        self.posts = []  # on this image: their answers came before a cut began
        self.seen = 0    # of the poster's acknowledged ones
        self.sums = dict.fromkeys(("acknowledged", "missing", "twice", "altered", "misnamed",
                                   "acknowledged_after_the_cut", "refused_after_the_cut"), 0)

    # ---- a life of an image ----

    def begin_image(self):
        self.end_image()
        self.disk.make()
        self.daemon.program = build.CALLBACKD
        self.daemon.start()
        if self.options.without_syncs:
            # What it does not sync is what is posted to it, not a store that nobody knew yet.
            self.daemon.stop()
            self.daemon.program = program_without_syncs(self.directory)
            self.daemon.start()
        self.poster = Poster(self.daemon, self.chance.random())
        self.posts, self.seen = [], 0

    def end_image(self):
        """With all posts answered, also those whose first answer was lost."""
        if self.poster is None:
            return
        if not self.options.without_syncs:
            self.poster.finish()
            self.take_answered_before(time.monotonic_ns())
            self.check("with all answered")
            self.check_decided("with all answered")
            self.daemon.stop()
        self.poster.stop()
        self.poster = None

    # ---- a cut ----

    def take_answered_before(self, moment_ns):
        """Returns those that were answered later, and count for nothing: in truth their answer
        would not have left the machine."""
        new = self.poster.acknowledged[self.seen:]
        self.seen += len(new)
        sure = [post for post in new if post.answered_ns < moment_ns]
        self.sums["acknowledged"] += len(sure)
        self.posts += sure
        return [post for post in new if post.answered_ns >= moment_ns]

    def cut(self, sees_refusals):
        poster = self.poster
        poster.allow(self.options.posts)
        poster.wait_for_more(self.chance.randrange(1, self.options.posts * 3 // 4))
        begin_ns, end_ns = self.disk.cut()
        if sees_refusals:
            poster.allow(REFUSALS)  # whatever was left of the others
            poster.wait_for_refusals(REFUSALS)
        poster.pause()
        self.daemon.kill()
        poster.wait_until_idle()
        late = self.take_answered_before(begin_ns)
        self.sums["acknowledged_after_the_cut"] += sum(post.sent_ns > end_ns for post in late)
        self.sums["refused_after_the_cut"] += poster.refused[503]
        poster.refused.clear()
        self.disk.unmount()
        self.disk.mount()

    def check(self, when):
        stored = accounts.read_log(self.daemon.store / "log/results.db")
        account = accounts.settle(self.posts, stored)
        for name in ("missing", "twice", "altered", "misnamed"):
            found = getattr(account, name)
            self.sums[name] += len(found)
            self.outcome.require(not found, f"{when}: {len(found)} {name}, as {found[:3]}")

    def check_decided(self, when):
        """What the worker keeps agrees with the log: each result has one job."""
        daemon = self.daemon
        daemon.wait_until_taken_in()
        (results,), = daemon.received("SELECT count(*) FROM received WHERE duplicate_of IS NULL")
        (jobs,), = daemon.decided("SELECT count(*) FROM jobs")
        (of_results,), = daemon.decided("SELECT count(DISTINCT result_seq) FROM jobs")
        self.outcome.require(results == jobs == of_results,
                             f"{when}: {results} results, {jobs} jobs for {of_results} of them")
        for name in ("log/results.db", "state/state.db"):
            whole = daemon.query(name, "PRAGMA integrity_check")
            self.outcome.require(whole == [("ok",)], f"{when}: {name}: {whole[:3]}")

    # ---- all of them ----

    def run(self):
        for number in range(self.options.cuts):
            if number % CUTS_OF_AN_IMAGE == 0:
                self.begin_image()
            self.cut(number % 2 == 1)
            when = f"cut {number + 1}"
            # Once as it is found, once after the daemon has recovered it.
            self.check(when)
            self.daemon.start()
            self.check(when + ", started again")
            self.check_decided(when)
            self.poster.go_on()
            if (number + 1) % 5 == 0:
                say(f"{number + 1} cuts on {self.options.file_system}: {self.sums}")
        self.end_image()
        self.outcome.require(self.sums["acknowledged_after_the_cut"] == 0,
                             "posts were acknowledged after the cut")
        self.outcome.require(self.options.cuts < 2 or self.sums["refused_after_the_cut"] > 0,
                             "nothing was refused after a cut: the cuts cut nothing")

    def run_control(self):
        """Until something is lost."""
        for number in range(CONTROL_CUTS):
            self.begin_image()
            self.cut(False)
            found = 0
            # A store that is not whole any more has lost all.
            with contextlib.suppress(sqlite3.Error):
                stored = accounts.read_log(self.daemon.store / "log/results.db")
                found = sum(post.run_id in stored for post in self.posts)
            lost = len(self.posts) - found
            self.sums["missing"] += lost
            self.end_image()
            say(f"without syncs {lost} of {len(self.posts)} were lost")
            if lost > 0:
                break
        self.outcome.require(self.sums["missing"] > 0,
                             "nothing is lost without syncs: the test is blind")

    def close(self, keep):
        try:
            if self.poster is not None:
                self.poster.stop()
        finally:
            if self.daemon.is_running():
                self.daemon.kill()
            self.daemon.close()
            self.disk.unmount()
            if keep:
                say(f"kept: {self.directory}")
            else:
                self.daemon.remove()


def main():
    parser = common.arguments(__doc__, cuts=60, posts=1500, seed=int(time.time()))
    parser.add_argument("--file-system", choices=list(MAKE), default="ext4")
    parser.add_argument("--without-syncs", action="store_true")
    options = parser.parse_args()
    processes.adopt_orphans()
    name = "power-control" if options.without_syncs else "power"
    with common.certificates() as certificates, \
            common.Outcome(name, options.out, pathlib.Path(tempfile.gettempdir())) as outcome:
        trial = Trial(certificates, options, outcome)
        failed = True
        try:
            say(f"{options.file_system}, seed {options.seed}")
            trial.run_control() if options.without_syncs else trial.run()
            failed = bool(outcome.faults)
        finally:
            outcome.add(on=options.file_system, cuts=options.cuts, seed=options.seed, **trial.sums)
            trial.close(failed)
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
