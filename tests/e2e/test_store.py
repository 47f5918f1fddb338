# SPDX-License-Identifier: MIT
"""What happens to the store around what it stores: faults in it, retention, checks."""
import contextlib
import sqlite3

import pytest

from support import processes
from support.daemon import WORKER, result_body
from support.waiting import wait_for


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


# ---- the check after an unclean stop ----

def kill_all(daemon):
    """As a power cut would: nobody says good-bye."""
    below = processes.descendants(daemon.pid)
    for pid in {daemon.pid} | below:
        processes.kill(pid)
    daemon.process.wait()
    wait_for("all are gone", lambda: not any(processes.exists(pid) for pid in below))


def check_of(daemon):
    return daemon.admin.get("/api/v1/status")["store"]["check"]


def ended_check(daemon):
    return wait_for("the check has ended",
                    lambda: (check := check_of(daemon)).get("ended_at") and check)


def test_after_a_clean_stop_nothing_is_checked(daemon):
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    assert check_of(daemon) == {"state": "not_needed"}
    daemon.stop()
    daemon.start()
    assert check_of(daemon) == {"state": "not_needed"}
    assert "checked in the background" not in daemon.log_text()


@pytest.mark.parametrize("who", ["all", WORKER])
def test_after_an_unclean_stop_the_store_is_checked(daemon, who):
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    daemon.wait_until_taken_in()
    if who == "all":
        kill_all(daemon)
        daemon.start()
    else:
        pid = daemon.child(WORKER)
        processes.kill(pid)
        wait_for("another one serves", lambda: daemon.child(WORKER) not in (None, pid))
        wait_for("it answers", daemon.is_ready)
    check = ended_check(daemon)
    assert (check["state"], check["findings"], check["message"]) == ("sound", 0, None)
    assert daemon.metric("store_check_findings") == daemon.metric("store_check_running") == 0
    assert 'msg="the store is sound"' in daemon.log_text()
    daemon.stop()
    daemon.start()
    assert check_of(daemon) == {"state": "not_needed"}


def test_damage_is_loud_until_it_is_mended(daemon):
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    daemon.wait_until_taken_in()
    kill_all(daemon)
    tamper(daemon, "log/results.db", "UPDATE received SET body = x'00'")
    for _ in range(2):  # a clean stop does not make it forgotten
        daemon.start()
        check = ended_check(daemon)
        assert (check["state"], check["findings"]) == ("damaged", 1)
        assert "the body of entry 1" in check["message"]
        assert daemon.metric("store_check_findings") == 1
        assert "level=error" in next(line for line in daemon.log_text().splitlines()
                                     if "the body of entry 1" in line)
        # What can be stored is stored: nothing that a sender says is lost for it.
        assert daemon.admin.get("/api/v1/status")["ready"] is True
        assert daemon.call_back(daemon.register(), result_body(8)).status == 200
        daemon.wait_until_taken_in()
        daemon.stop()
    tamper(daemon, "log/results.db", "DELETE FROM received WHERE seq = 1")
    tamper(daemon, "state/state.db", "DELETE FROM results WHERE seq = 1")
    daemon.start()
    assert ended_check(daemon)["state"] == "sound"
    daemon.stop()
    daemon.start()
    assert check_of(daemon) == {"state": "not_needed"}
