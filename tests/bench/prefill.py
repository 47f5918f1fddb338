# SPDX-License-Identifier: MIT
"""Makes a store with many results in it, as if they had come over the last weeks: every one has
its row in the log, its decision, its run, and a job that ended well, or jobs that wait. Written
with SQL, not posted."""
import hashlib
import json
import sqlite3
import time

CHUNK = 100_000
BODY_BYTES = 500

# A UUIDv7 of row n: its millisecond, then its number.
UUID = ("printf('%08x-%04x-7%03x-8%03x-%012x', (:start + n) >> 16, (:start + n) & 0xffff,"
        " {kind}, 0, n)")
RUN, RESULT, JOB = (UUID.format(kind=kind) for kind in (1, 2, 3))
ROWS = "WITH RECURSIVE rows (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM rows WHERE n < :last)"

RECEIVED = f"""{ROWS} INSERT INTO received (seq, id, endpoint, kind, key, run_id, execution_id,
    delivery_id, status, event, name, source, revision, received_at, remote_address, verified_by,
    content_type, size, sha256, headers, body)
SELECT n, {RESULT}, 'results', 'workflow-result', {RUN}, {RUN}, 1000000 + n, '', 'success', '', '',
    'callback', 1, :start + n, '127.0.0.1', 'run-token', 'application/json', length(:body),
    :sha256, :headers, CAST(:body AS BLOB) FROM rows"""
RUNS = f"""{ROWS} INSERT INTO runs (seq, id, state, workflow, endpoint, execution_id, registered_at,
    launched_at, completed_at, result_id)
SELECT n, {RUN}, 'completed', '', 'results', 1000000 + n, :start + n, :start + n, :start + n,
    {RESULT} FROM rows"""
RESULTS = f"""{ROWS} INSERT INTO results (seq, id, endpoint, key, kind, execution_id, run_id,
    workflow, event, status, pending, triggered, source, revision, duplicates, received_at,
    remote_address, verified_by, content_type, size, sha256)
SELECT n, {RESULT}, 'results', {RUN}, 'workflow-result', 1000000 + n, {RUN}, '', '', 'success', 0,
    1, 'callback', 1, 0, :start + n, '127.0.0.1', 'run-token', 'application/json', length(:body),
    :sha256 FROM rows"""
JOBS = f"""{ROWS} INSERT INTO jobs (seq, id, hook, result_seq, state, attempts_made, next_at,
    created_at, ended_at, replay, cancel_requested)
SELECT n, {JOB}, 'next', n, 'succeeded', 1, 0, :start + n, :start + n, 0, 0 FROM rows"""

# Of one hook, numbered after those of the hooks before it; `key` is its line, NULL for none.
WAITING = """{rows} INSERT INTO jobs (seq, id, hook, result_seq, state, attempts_made, next_at,
    queued_at, created_at, replay, cancel_requested, order_key, held)
SELECT {before} + n, {id}, '{hook}', n, 'waiting', 0, :start + n, :start + n, :start + n, 0, 0,
    {key}, {held} FROM rows"""
LINES = 1000  # of a hook with order "workflow"


def _waiting(index, hook, order, count):
    key, held = {None: ("NULL", 0), "execution": ("'execution:' || (1000000 + n)", 0),
                 "workflow": (f"'workflow:' || n % {LINES}", f"n > {LINES}")}[order]
    return WAITING.format(rows=ROWS, before=index * count, id=UUID.format(kind=0x10 + index),
                          hook=hook, key=key, held=held)


def _body():
    body = json.dumps({"workflow_version_execution_id": 100000000000000,
                       "final_output": {"Answer": {"status": "SUCCESS", "value": ""}}})
    return body[:-4] + "x" * (BODY_BYTES - len(body)) + body[-4:]


def _fill(path, statements, count, start, say):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -200000")
    values = {"start": start, "body": _body(), "sha256": hashlib.sha256(_body().encode()).digest(),
              "headers": '[["host","127.0.0.1"],["content-type","application/json"]]'}
    for first in range(1, count + 1, CHUNK):
        values.update(first=first, last=min(first + CHUNK - 1, count))
        database.execute("BEGIN")
        for statement in statements:
            database.execute(statement, values)
        database.execute("COMMIT")
        say(f"{path.name}: {values['last']:,} of {count:,}")
    return database


def _fill_store(store, count, jobs, start, say):
    _fill(store / "log/results.db", [RECEIVED], count, start, say).close()
    state = _fill(store / "state/state.db", [RUNS, RESULTS, *jobs], count, start, say)
    state.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('cursor', ?)", (count,))
    state.execute("INSERT OR REPLACE INTO job_counts (hook, state, jobs)"
                  " SELECT hook, state, count(*) FROM jobs GROUP BY hook, state")
    state.close()


def fill(store, count, say):
    """`store`: a directory that a callbackd has prepared, which does not run now."""
    _fill_store(store, count, [JOBS], int(time.time() * 1000) - count, say)


def fill_queue(store, count, hooks):
    """So many results, each with a waiting job of each of `hooks`: (name, order or None)."""
    jobs = [_waiting(index, hook, order, count) for index, (hook, order) in enumerate(hooks)]
    # Long ago: jobs are due, also when the store's clock runs behind.
    _fill_store(store, count, jobs, int(time.time() * 1000) - count - 60_000, lambda text: None)
