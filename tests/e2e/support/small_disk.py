# SPDX-License-Identifier: MIT
"""A store on a small file system of its own, in a mount namespace that ends with the test."""
import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

HOLD = 'mount -t tmpfs -o "size=$1,mode=0700" store "$0" && echo mounted && exec cat'


class SmallDisk:
    """A tmpfs of `size` under the daemon's store, for all that it starts. Skips where it may not."""

    def __init__(self, daemon, size):
        if os.geteuid() != 0:
            pytest.skip("mounting needs root")
        self.daemon, self.place = daemon, daemon.store
        self.place.mkdir(mode=0o700)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", HOLD, self.place, size],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "mounted\n":
            _, why = self.holder.communicate()
            pytest.skip(f"no mount namespace of our own here: {why.strip()}")
        daemon.wrapper = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]
        daemon.store = pathlib.Path(f"/proc/{self.holder.pid}/root{self.place}")
        daemon.query = self.query
        self.filler = daemon.store / "filler"

    def close(self):
        self.holder.communicate()

    def query(self, database, statement, *values):
        """In place of the daemon's: SQLite would look up the path in our own namespace."""
        path = self.daemon.store / database
        with tempfile.TemporaryDirectory(dir=self.daemon.directory) as directory:
            for name in (path.name, f"{path.name}-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(path.with_name(name), directory)
            with contextlib.closing(sqlite3.connect(f"{directory}/{path.name}")) as connection:
                return connection.execute(statement, values).fetchall()

    def fill(self):
        """To the last byte."""
        with open(self.filler, "ab", buffering=0) as file:
            for piece in (bytes(65536), bytes(4096)):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(piece)

    def empty(self):
        self.filler.unlink()

    def make_read_only(self, read_only):
        """For whoever opens a file from now on."""
        if read_only:
            self.mount("--bind", self.place, self.place)
        self.mount("-o", f"remount,bind,{'ro' if read_only else 'rw'}", self.place)

    def mount(self, *arguments):
        subprocess.run(["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "mount", *arguments],
                       check=True)
