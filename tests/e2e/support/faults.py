# SPDX-License-Identifier: MIT
"""Faults inside a running callbackd: faults.c, loaded into it, and its steering.

A preload rather than strace or libfiu: it needs no right to trace, works under
sanitizers, strikes at an exact call, and keeps what a disk would have of each file.
"""
import contextlib
import errno
import mmap
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import tempfile

from . import build

WRITE, SYNC, TRUNCATE, OPEN, READ, ALLOCATE, ACCEPT = range(7)
SUPERVISOR, RECEIVER, WORKER = 1, 2, 4
LOG, STATE = 1 | 2, 4 | 8  # the database and its write-ahead file
FAIL, DELAY, LIE, HOLD = range(4)
FOR_EVER = 2**62
DAY_S = 86400
# What a receiver can be made to try.
EXECUTE, FORK, SOCKET, CONNECT, READ_SYSTEM, WRITE_BESIDE, SIGNAL_SUPERVISOR = range(1, 8)

FIELDS = ["armed", "effect", "errnum", "delay_us", "first", "last", "roles", "files", "seen",
          "struck", "clock_offset_ns", "durable", "attempt", "outcome"]
SANITIZER = {"release": None, "asan": "libasan.so", "tsan": "libtsan.so"}[build.NAME]


def compile_library(directory):
    """faults.so in `directory`: its path."""
    library = pathlib.Path(directory) / "faults.so"
    source = pathlib.Path(__file__).with_name("faults.c")
    allocator = [] if SANITIZER else ["-DFAULTS_WITH_ALLOCATOR"]
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *allocator,
                    "-o", library, source], check=True)
    return library


def preloads(library):
    """What LD_PRELOAD has to say: a sanitizer wants to be the first."""
    if SANITIZER is None:
        return str(library)
    runtime = subprocess.run(["cc", f"-print-file-name={SANITIZER}"], check=True,
                             capture_output=True, text=True).stdout.strip()
    return f"{os.path.realpath(runtime)}:{library}"


class Faults:
    """The steering of one daemon's faults. Nothing fails until it is told to."""

    def __init__(self, daemon, library, durable=False):
        path = daemon.directory / "faults"
        path.write_bytes(bytes(mmap.PAGESIZE))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.daemon = daemon
        self.set("armed", -1)
        self.set("durable", int(durable))
        daemon.environment = {**os.environ, "LD_PRELOAD": preloads(library),
                              "CALLBACKD_TEST_FAULTS": str(path)}

    def set(self, field, value):
        struct.pack_into("q", self.memory, 8 * FIELDS.index(field), value)

    def get(self, field):
        return struct.unpack_from("q", self.memory, 8 * FIELDS.index(field))[0]

    # ---- calls ----

    # HOLD is for OPEN and ACCEPT, and lasts until the end of it; ACCEPT knows nothing else.

    def arm(self, call, error=errno.EIO, first=1, count=FOR_EVER, roles=RECEIVER, files=LOG,
            effect=FAIL, delay_s=0):
        """From the first-th matching call from now on, `count` of them fail."""
        self.end()
        for field, value in [("effect", effect), ("errnum", error),
                             ("delay_us", int(delay_s * 1e6)), ("first", first),
                             ("last", min(first + count - 1, FOR_EVER)), ("roles", roles),
                             ("files", files), ("seen", 0), ("struck", 0), ("armed", call)]:
            self.set(field, value)

    def end(self):
        self.set("armed", -1)

    @contextlib.contextmanager
    def during(self, call, *arguments, **how):
        self.arm(call, *arguments, **how)
        try:
            yield self
        finally:
            self.end()

    @property
    def struck(self):
        return self.get("struck")

    @property
    def seen(self):
        return self.get("seen")

    def attempt(self, what):
        """The receiver tries that at its next sync; then see `outcome`."""
        self.set("outcome", -1)
        self.set("attempt", what)

    @property
    def outcome(self):
        """-1: not known; 0: it was done; else the errno with which it was refused."""
        return self.get("outcome")

    def set_clock(self, offset_s):
        """The daemon's wall clock, against that of the machine."""
        self.set("clock_offset_ns", int(offset_s * 1e9))

    # ---- the disk ----

    def after_power_cut(self):
        """What a power cut now would leave of the log: rows (run, id, body) of its posts."""
        with tempfile.TemporaryDirectory(dir=self.daemon.directory) as directory:
            for image in (self.daemon.store / "log").glob("*.durable"):
                shutil.copy(image, f"{directory}/{image.name.removesuffix('.durable')}")
            with contextlib.closing(sqlite3.connect(f"{directory}/results.db")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                return connection.execute("SELECT run_id, id, body FROM received"
                                          " WHERE duplicate_of IS NULL").fetchall()

    def cut_power(self):
        """kill -9 of the daemon; then its files are what a disk would have of them."""
        self.end()
        self.daemon.kill()
        images = list(self.daemon.store.rglob("*.durable"))
        assert images, "no durable image was kept"
        for image in images:
            image.rename(image.with_name(image.name.removesuffix(".durable")))
        for index in self.daemon.store.rglob("*-shm"):
            index.unlink()
