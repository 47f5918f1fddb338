# SPDX-License-Identifier: MIT
"""What happens to the store around what it stores: faults in it, retention, checks."""
import contextlib
import sqlite3

from support.daemon import result_body


def tamper(daemon, database, *statements):
    """Changes a stopped daemon's database behind its back."""
    path = daemon.directory / "store" / database
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_what_can_never_be_taken_in_is_set_aside(daemon, ctl):
    daemon.hook(name="note", endpoint="results", shell="true")
    daemon.start()
    ids = [daemon.call_back(daemon.launched(i), result_body(i)).json()["result_id"]
           for i in range(1, 4)]
    daemon.wait_for_jobs(3)
    daemon.stop()
    # As if none had been taken in yet, and one were not what we wrote.
    tamper(daemon, "state/state.db", "DELETE FROM attempts", "DELETE FROM jobs",
           "DELETE FROM results", "UPDATE meta SET value = 0 WHERE name = 'cursor'",
           "UPDATE runs SET state = 'waiting', completed_at = NULL, result_id = NULL")
    tamper(daemon, "log/results.db", "UPDATE received SET kind = 'nonsense' WHERE seq = 2")
    daemon.start()
    taken = daemon.wait_for_jobs(2)
    assert {job["result_id"] for job in taken} == {ids[0], ids[2]}
    worker = daemon.admin.get("/api/v1/status")["worker"]
    assert (worker["lag"], worker["set_aside"]) == (0, 1)
    latest, = worker["set_aside_latest"]
    assert (latest["seq"], latest["endpoint"]) == (2, "results")
    assert "kind" in latest["reason"]
    assert daemon.metric("results_set_aside") == 1
    assert "level=error" in next(line for line in daemon.log_text().splitlines()
                                 if "set aside" in line)
    assert "set_aside" in ctl("status").stdout.decode()
