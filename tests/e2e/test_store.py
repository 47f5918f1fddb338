# SPDX-License-Identifier: MIT
"""What happens to the store around what it stores: faults in it, retention, checks."""
import contextlib
import importlib.util
import re
import sqlite3

import pytest

from support import build, processes, web
from support.daemon import PLAIN, WORKER, result_body
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
        daemon.kill()
        daemon.start()
    else:
        pid = daemon.child(WORKER)
        processes.kill(pid)
        wait_for("another one serves", lambda: daemon.child(WORKER) not in (None, pid))
        wait_for("it answers", daemon.is_ready)
    check = ended_check(daemon)
    assert (check["state"], check["findings"], check["message"]) == ("sound", 0, None)
    daemon.wait_for_metric("store_check_running", 0)
    assert daemon.metric("store_check_findings") == 0
    wait_for("the log says so", lambda: 'msg="the store is sound"' in daemon.log_text())
    daemon.stop()
    daemon.start()
    assert check_of(daemon) == {"state": "not_needed"}


def test_damage_is_loud_until_it_is_mended(daemon):
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    daemon.wait_until_taken_in()
    daemon.kill()
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


# ---- retention, and how the store grows ----

MIB = 1024 * 1024


def log_size(daemon):
    return (daemon.directory / "store/log/results.db").stat().st_size


def test_retention_removes_what_has_ended_and_gives_its_space_back(daemon):
    for name in ("bulk", "kept"):
        daemon.endpoint(name=name, path=f"/in/{name}", kind="json", verify="none")
    daemon.hook(name="held", endpoint="kept", shell="cat > kept.json")
    daemon.start()
    daemon.admin.send("POST", "/api/v1/hooks/held/pause")
    kept = daemon.post("/in/kept", '{"n": 1}').json()["result_id"]
    daemon.wait_for_jobs(1, "waiting")
    large = b'"' + b"x" * MIB + b'"'
    with web.Client(daemon.place(PLAIN)) as client:

        def post(body):
            answer = client.ask("POST", "/in/bulk", body, {"Content-Type": "application/json"})
            assert answer.status == 200, answer

        for _ in range(40):
            post(large)
    assert log_size(daemon) > 30 * MIB
    daemon.config["store"]["retention"] = "1s"
    daemon.write_config()
    daemon.reload()
    with web.Client(daemon.place(PLAIN)) as client:

        def is_small():
            post("1")  # it is removed beside what comes in, which is never refused
            return log_size(daemon) < 20 * MIB

        wait_for("the space was given back", is_small)
    wait_for("all but the unfinished was removed", lambda: daemon.received(
        "SELECT id FROM received") == [(kept,)])
    assert daemon.decided("SELECT id FROM results") == [(kept,)]
    assert daemon.admin.ask("GET", f"/api/v1/results/{kept}/body").body == b'{"n": 1}'
    daemon.admin.send("POST", "/api/v1/hooks/held/resume")
    wait_for("it has gone too, once its job had ended", lambda: daemon.received(
        "SELECT count(*) FROM received") == [(0,)])
    assert (daemon.directory / "kept.json").read_bytes() == b'{"n": 1}'
    wait_for("and its job", lambda: daemon.decided("SELECT count(*) FROM jobs") == [(0,)])
    daemon.stop()


def prefill(store, count):
    path = build.ROOT / "tests/bench/prefill.py"
    spec = importlib.util.spec_from_file_location("prefill", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.fill(store, count, lambda _: None)


def bytes_read(daemon):
    """What the daemon has read so far, those of its children that have ended included: once one
    ends meanwhile, its parent has to be asked again."""
    while True:
        pids = {daemon.pid} | processes.descendants(daemon.pid)
        texts = [processes.read(pid, "io") for pid in pids]
        if all(texts):
            return sum(int(re.search(rb"rchar: (\d+)", text)[1]) for text in texts)


def test_a_start_reads_no_more_from_a_large_store(daemon, ctl):
    daemon.start()
    empty = bytes_read(daemon)
    daemon.stop()
    prefill(daemon.directory / "store", 50_000)
    assert log_size(daemon) > 30 * MIB
    daemon.start()
    full = bytes_read(daemon)
    assert daemon.admin.get("/api/v1/status")["worker"]["lag"] == 0
    daemon.stop()
    assert full - empty < 2 * MIB, (empty, full)
    assert ctl("check").status == 0  # it was a store as we write it
