# SPDX-License-Identifier: MIT
"""What is wrong with the store as a whole (docs/RELIABILITY.md, "Faults")."""
import contextlib
import shutil
import sqlite3

import pytest

from support import processes
from support.daemon import RECEIVER, WORKER
from support.posts import Posts, is_ready
from support.small_disk import SmallDisk
from support.waiting import wait_for

BEGINS, ENDS = 'msg="the store cannot be written"', 'msg="the store can be written again"'
DATABASES = ["log/results.db", "state/state.db"]


def lines(daemon, text, role="receiver"):
    return [line for line in daemon.log_text().splitlines()
            if text in line and f"role={role}" in line]


@pytest.fixture
def disk(daemon):
    disk = SmallDisk(daemon, "8m")
    yield disk
    daemon.close()
    disk.close()


def start_again(daemon):
    daemon.launch()
    wait_for("the daemon is ready", daemon.is_ready)


# ---- its file system ----

def test_a_full_disk(daemon, disk):
    daemon.hook(shell="true")
    daemon.start()
    posts = Posts(daemon, size=3000)
    assert posts.statuses(3) == [200] * 3
    daemon.wait_for_jobs(3)
    disk.fill()
    wait_for("there is no room for another post", lambda: posts.status() == 503)
    assert posts.statuses(3) == [503] * 3
    assert is_ready(daemon) is False
    begins, = lines(daemon, BEGINS)
    assert "No space left on device" in begins
    assert not lines(daemon, ENDS)
    disk.empty()
    posts.send_again()
    assert is_ready(daemon) is True
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS)) == 1
    daemon.wait_for_jobs(len(posts.accepted))
    daemon.kill()
    start_again(daemon)
    posts.check()


def test_a_file_system_that_becomes_read_only(daemon, disk):
    """Descriptors stay writable then, so both children are new."""
    daemon.hook(shell="true")
    daemon.start()
    posts = Posts(daemon)
    assert posts.status() == 200
    daemon.wait_for_jobs(1)
    disk.make_read_only(True)
    for title in (RECEIVER, WORKER):
        processes.kill(daemon.child(title))
    wait_for("another receiver is ready to refuse", lambda: is_ready(daemon) is False)
    assert posts.statuses(3) == [503] * 3
    begins, = lines(daemon, BEGINS)
    assert "Read-only file system" in begins
    disk.make_read_only(False)
    posts.send_again()
    assert is_ready(daemon) is True
    assert len(lines(daemon, ENDS)) == 1
    wait_for("the daemon is ready", daemon.is_ready)
    daemon.wait_for_jobs(len(posts.accepted))
    posts.check()


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_start_that_cannot_write(daemon, disk, fault):
    """It says so and ends: whoever looks after services tries again."""
    daemon.start()
    posts = Posts(daemon)
    assert posts.status() == 200
    daemon.kill()
    disk.fill() if fault == "full" else disk.make_read_only(True)
    daemon.launch()
    assert daemon.process.wait(60) == 69
    last = daemon.log_text().splitlines()[-1]
    assert "not started" in last
    assert ("No space left" if fault == "full" else "Read-only file system") in last, last
    disk.empty() if fault == "full" else disk.make_read_only(False)
    start_again(daemon)
    posts.check()


# ---- its directory ----

@pytest.mark.parametrize("gone", ["store", "store/log"])
def test_a_directory_that_vanishes(daemon, gone):
    daemon.start()
    posts = Posts(daemon)
    place = daemon.place()
    daemon.place = lambda index=1: place  # the announcement vanishes too
    assert posts.status() == 200
    directory = daemon.directory / gone
    away = directory.rename(daemon.directory / "away")
    assert is_ready(daemon) is False
    assert posts.statuses(3) == [503] * 3
    begins, = lines(daemon, BEGINS)
    assert "results.db" in begins and "No such file or directory" in begins
    assert not lines(daemon, ENDS)
    for title in (RECEIVER, WORKER):
        processes.kill(daemon.child(title))
    wait_for("another receiver is ready to refuse", lambda: is_ready(daemon) is False)
    assert posts.status() == 503
    assert not directory.exists(), "something new was begun in its place"
    away.rename(directory)
    # The receiver that found nothing may not open it: another one comes.
    wait_for("a receiver is ready", lambda: is_ready(daemon))
    posts.send_again()
    wait_for("the daemon is ready", daemon.is_ready)
    posts.check()


# ---- its files ----

def foreign(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA application_id = 7; CREATE TABLE t (x); "
                                 "INSERT INTO t VALUES (1)")


def newer(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")


def overwrite(path, begin, end=None):
    data = bytearray(path.read_bytes())
    end = end or len(data)
    data[begin:end] = bytes(7 + i * 31 % 249 for i in range(end - begin))
    path.write_bytes(data)


UNFIT = {
    "a text": (lambda path: path.write_text("Dear diary,\n" * 700), "not a database"),
    "no header": (lambda path: overwrite(path, 0, 100), "not a database"),
    "no schema": (lambda path: overwrite(path, 100, 4096), "malformed"),
    "half of it": (lambda path: path.write_bytes(path.read_bytes()[:4096 * 2]), "malformed"),
    "another program's": (foreign, "application_id"),
    "of a newer callbackd": (newer, "newer callbackd"),
}


def spoil_table(path, table):
    """The file begins well and other tables are whole; this one and its indexes are noise."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        pages = connection.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = ?",
                                   (table,)).fetchall()
        (size,), = connection.execute("PRAGMA page_size")
    for page, in pages:
        overwrite(path, (page - 1) * size, page * size)


def test_damage_that_shows_while_it_runs(daemon):
    daemon.start()
    posts = Posts(daemon)
    assert posts.statuses(3) == [200] * 3
    daemon.stop()
    path = daemon.store / "log/results.db"
    copy = shutil.copy(path, daemon.directory)
    spoil_table(path, "received")
    daemon.launch()
    wait_for("a receiver answers", lambda: daemon.listeners() and is_ready(daemon) is not None)
    assert posts.statuses(3) == [503] * 3
    # Other tables still take what is tried on them, which is not health.
    for _ in range(3):
        assert is_ready(daemon) is False
        assert posts.status() == 503
    begins, = lines(daemon, BEGINS)
    assert str(path) in begins and "malformed" in begins and "move it away" in begins
    assert not lines(daemon, ENDS)
    daemon.stop()
    shutil.copy(copy, path)
    start_again(daemon)
    posts.send_again()
    posts.check()


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("kind", UNFIT)
def test_a_database_that_is_not_fit_is_refused_at_start(daemon, database, kind):
    spoil, reason = UNFIT[kind]
    daemon.start()
    assert Posts(daemon).status() == 200
    daemon.stop()
    path = daemon.store / database
    spoil(path)
    spoiled = path.read_bytes()
    daemon.launch()
    assert daemon.process.wait(60) == 69
    last = daemon.log_text().splitlines()[-1]
    assert str(path) in last and reason in last, last
    assert any(advice in last for advice in ("move it away", "upgrade callbackd")), last
    assert path.read_bytes() == spoiled
