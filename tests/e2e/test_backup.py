# SPDX-License-Identifier: MIT
"""Copies of the store, and what comes back from them."""
import collections
import contextlib
import sqlite3
import threading

import pytest

from support import build, tokens, web
from support.ctl import Ctl
from support.daemon import PLAIN, result_body
from support.waiting import wait_for

DONE, USAGE, LOCAL = 0, 2, 6
HOOK = """#!/bin/sh
cat > /dev/null
echo "$CALLBACK_RESULT_ID $CALLBACK_JOB_ID" >> hook.log
"""


@pytest.fixture
def noting(daemon):
    """A daemon whose hook notes each of its runs."""
    daemon.write_program("hook.sh", HOOK)
    daemon.hook(name="note", endpoint="results", command=["./hook.sh"], concurrency=4)
    return daemon


def post_one(daemon, client, number):
    """The id of a new result, acknowledged."""
    path = f"/callback/{daemon.token_for(tokens.new_run_id())}"
    answer = client.ask("POST", path, result_body(number), {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return answer.json()["result_id"]


def post_many(daemon, count):
    with web.Client(daemon.place(PLAIN)) as client:
        return [post_one(daemon, client, number) for number in range(1, count + 1)]


class Load:
    """Posts without a pause until it is ended."""

    def __init__(self, daemon):
        self.daemon, self.acknowledged, self.failure = daemon, [], None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.post)
        self.thread.start()

    def post(self):
        try:
            with web.Client(self.daemon.place(PLAIN)) as client:
                while not self.ending.is_set():
                    self.acknowledged.append(
                        post_one(self.daemon, client, 1000 + len(self.acknowledged)))
        except BaseException as failure:  # shown by end(), in the test's own thread
            self.failure = failure

    def end(self):
        self.ending.set()
        self.thread.join()
        if self.failure:
            raise self.failure


def ran(daemon):
    """How often the hook ran for each job."""
    path = daemon.directory / "hook.log"
    return collections.Counter(path.read_text().splitlines() if path.exists() else [])


def ids_of(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}/log/results.db?mode=ro", uri=True)) as log:
        return {row[0] for row in log.execute("SELECT id FROM received")}


def restore(daemon, copy):
    """As docs/STORE.md says."""
    (daemon.directory / "store").rename(daemon.directory / "store.old")
    copy.rename(daemon.directory / "store")
    daemon.start()


def test_what_was_acknowledged_before_a_copy_began_comes_back_from_it(noting, ctl):
    daemon = noting.start()
    first = post_many(daemon, build.number(300, 100, 50))
    wait_for("their jobs have ended", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(len(first),)])
    ended = ran(daemon)
    assert len(ended) == len(first) and set(ended.values()) == {1}

    copy = daemon.directory / "copy"
    load = Load(daemon)
    try:
        wait_for("there is load", lambda: len(load.acknowledged) > 20)
        before = first + list(load.acknowledged)
        done = ctl("backup", copy)
        assert done.status == DONE, done
        wait_for("there is load after it", lambda n=len(load.acknowledged):
                 len(load.acknowledged) > n)
    finally:
        load.end()
    daemon.stop()
    assert copy.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in copy.iterdir()) == ["log", "state"]
    checked = ctl("check", copy)
    assert checked.status == DONE, checked
    assert set(before) <= ids_of(copy)

    restore(daemon, copy)
    daemon.wait_until_taken_in()
    stored = {row[0] for row in daemon.decided("SELECT id FROM results")}
    assert set(before) <= stored
    wait_for("no job is left", lambda: daemon.decided(
        "SELECT count(*) FROM jobs WHERE state <> 'succeeded'") == [(0,)])
    # What had ended before does not run again; what came later ran, there or here or in both.
    assert {key: count for key, count in ran(daemon).items() if key in ended} == ended
    assert stored <= {line.split()[0] for line in ran(daemon)}
    # It is a store like any other: it goes on.
    after = post_many(daemon, 1)
    wait_for("a new hook ran", lambda: after[0] in {line.split()[0] for line in ran(daemon)})
    assert ctl("check").status == DONE


def test_a_duplicate_is_known_after_a_restore(noting, ctl):
    daemon = noting.start()
    run = daemon.launched(7)
    first = daemon.call_back(run, result_body(7)).json()
    daemon.wait_for_jobs(1)
    copy = daemon.directory / "copy"
    assert ctl("backup", copy).status == DONE
    daemon.stop()
    restore(daemon, copy)
    assert daemon.call_back(run, result_body(7)).json() == first | {"duplicate": True}
    daemon.wait_until_taken_in()
    assert len(ran(daemon)) == 1


def test_a_stopped_daemons_store_is_copied_too(noting, ctl, tmp_path):
    daemon = noting.start()
    ids = post_many(daemon, 3)
    daemon.stop()
    done = ctl("backup", tmp_path / "a/copy", "--json")
    assert done.status == DONE, done
    said = done.json()
    assert (said["directory"], said["received"]) == (str(tmp_path / "a/copy"), 3)
    assert said["log_size"] == (tmp_path / "a/copy/log/results.db").stat().st_size
    assert ids_of(tmp_path / "a/copy") == set(ids)
    shown = ctl("backup", tmp_path / "again").stdout.decode()
    assert str(tmp_path / "again") in shown and "3 posts" in shown


def test_a_store_is_not_written_over(noting, ctl, tmp_path):
    daemon = noting.start()
    post_many(daemon, 2)
    assert ctl("backup", tmp_path / "copy").status == DONE
    content = (tmp_path / "copy/log/results.db").read_bytes()
    for target in (tmp_path / "copy", daemon.directory / "store"):
        done = ctl("backup", target)
        assert done.status == LOCAL and "holds a store already" in done.stderr, done
        assert done.stdout == b""
    assert (tmp_path / "copy/log/results.db").read_bytes() == content


def test_a_copy_that_cannot_be_made(noting, ctl, tmp_path):
    daemon = noting
    daemon.write_config()
    done = ctl("backup", tmp_path / "copy")  # there is no store yet
    assert done.status == LOCAL and "store" in done.stderr, done
    (tmp_path / "file").write_text("")
    daemon.start()
    assert ctl("backup", tmp_path / "file").status == LOCAL
    assert ctl("backup").status == USAGE
    assert ctl("backup", tmp_path / "copy", "--url", "http://127.0.0.1:1").status == USAGE
    assert not list(tmp_path.glob("copy/*"))


def test_a_sound_store_checks_clean_beside_its_daemon(noting, ctl):
    daemon = noting.start()
    post_many(daemon, 5)
    load = Load(daemon)
    try:
        done = ctl("check")
        assert done.status == DONE and done.stdout.startswith(b"sound"), done
        said = ctl("check", "--json").json()
    finally:
        load.end()
    assert (said["sound"], said["findings"], said["structure_checked"]) == (True, [], True)
    assert said["received"] >= 5


def test_damage_is_named(noting, ctl):
    daemon = noting.start()
    post_many(daemon, 3)
    daemon.wait_until_taken_in()
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.directory / "store/log/results.db")) as log, log:
        log.execute("UPDATE received SET body = CAST('x' || substr(body, 2) AS BLOB) WHERE seq = 2")
        log.execute("DELETE FROM received WHERE seq = 3")
    done = ctl("check")
    assert done.status == LOCAL, done
    text = done.stdout.decode()
    assert "the body of entry 2 is not the one that was hashed" in text
    assert "the entry of result 3 is missing" in text
    said = Ctl(daemon.config_path)("check", "--json")
    assert said.status == LOCAL
    assert said.json()["sound"] is False and len(said.json()["findings"]) == 2
