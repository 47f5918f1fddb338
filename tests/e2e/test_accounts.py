# SPDX-License-Identifier: MIT
"""What the tests of losses stand on: a loss would be seen."""
import contextlib
import sqlite3

from support import accounts
from support.posting import Poster

POSTS = 50
TAMPER = """
DELETE FROM received WHERE seq = 1;
UPDATE received SET body = x'7b7d' WHERE seq = 2;
UPDATE received SET id = '00000000-0000-7000-8000-000000000000' WHERE seq = 3;
UPDATE received SET endpoint = 'results', key = (SELECT key FROM received WHERE seq = 4),
    run_id = (SELECT run_id FROM received WHERE seq = 4), revision = 2 WHERE seq = 5;
"""


def test_what_is_wrong_with_a_store_is_seen(daemon):
    daemon.start()
    poster = Poster(daemon, seed=1, connections=4)
    poster.allow(POSTS)
    poster.finish()
    poster.stop()
    daemon.stop()
    path = daemon.store / "log/results.db"
    account = accounts.settle(poster.acknowledged, accounts.read_log(path))
    assert (account.acknowledged, account.is_balanced) == (POSTS, True)

    run_of = dict(daemon.received("SELECT seq, run_id FROM received"))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(TAMPER)
    account = accounts.settle(poster.acknowledged, accounts.read_log(path))
    assert set(account.missing) == {run_of[1], run_of[5]}
    assert account.twice == [run_of[4]]
    assert {run_of[2]} <= set(account.altered)
    assert {run_of[3]} <= set(account.misnamed)
    assert not account.is_balanced
