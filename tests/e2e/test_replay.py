# SPDX-License-Identifier: MIT
"""Replays of all results that a filter finds."""
import pytest

from support.daemon import result_body
from test_ctl import DONE, REFUSED, USAGE

FAILED_BODY = '{"node": {"status":"FAILED","value":null,"error_message":"no","is_output_node":true}}'


def deliver(daemon, execution_id, output='"fine"', workflow="flow"):
    run = daemon.launched(execution_id, workflow)
    return daemon.call_back(run, result_body(execution_id, output)).json()["result_id"]


@pytest.fixture
def stocked(daemon, ctl):
    """Three results that succeeded, two that failed; each hook has its own kind."""
    daemon.hook(name="good", when={"status": ["success"]}, shell="true")
    daemon.hook(name="bad", when={"status": ["failed"]}, shell='echo "replay=$CALLBACK_REPLAY"')
    daemon.hook(name="picky", when={"match": [{"pointer": "/final_output", "equals": "rare"}]},
                shell="true")
    daemon.start()
    for execution_id in (1, 2):
        deliver(daemon, execution_id)
    deliver(daemon, 3, '"rare"')
    for execution_id in (4, 5):
        deliver(daemon, execution_id, FAILED_BODY)
    daemon.wait_for_jobs(6)
    return ctl


def replays(daemon, **filters):
    return [job for job in daemon.jobs(**filters) if job["replay"]]


def test_what_a_filter_finds_is_counted_then_replayed(stocked, daemon):
    done = stocked("replay", "--since", "2h", "--hook", "bad", "--status", "failed", "--yes")
    assert done.status == DONE, done
    assert "2 results found, for which hooks would get 2 jobs" in done.stderr
    assert "2 jobs are queued" in done.stderr
    jobs = daemon.wait_for_jobs(8)
    ran = [job for job in jobs if job["replay"]]
    assert {job["hook"] for job in ran} == {"bad"}
    assert [job["attempts"][0]["output"] for job in ran] == ["replay=1\n"] * 2


def test_all_hooks_that_match_get_their_results_oldest_first(stocked, daemon):
    for hook in ("good", "bad", "picky"):
        assert stocked("pause", hook).status == DONE
    done = stocked("replay", "--since", "2h", "--yes", "--json")
    assert (done.status, done.json()) == (DONE, {"results": 5, "jobs": 6, "replayed": True})
    results = [result["id"] for result in daemon.admin.get("/api/v1/results")["items"]]
    assert sorted(job["hook"] for job in replays(daemon)) == ["bad"] * 2 + ["good"] * 3 + ["picky"]
    queued = [job["result_id"] for job in replays(daemon, hook="good")]
    assert queued == [result for result in results if result in queued], "newest first, both"


def test_a_hook_gets_none_that_it_would_not_take(stocked, daemon):
    done = stocked("replay", "--status", "failed", "--hook", "good", "--yes")
    assert done.status == DONE and "hooks would get 0 jobs" in done.stderr
    assert not replays(daemon)


def test_nothing_happens_unless_somebody_agrees(stocked, daemon):
    done = stocked("replay", "--since", "2h")
    assert done.status == USAGE
    assert "5 results found" in done.stderr and "--yes" in done.stderr
    counted = stocked("replay", "--since", "2h", "--dry-run", "--json")
    assert counted.json() == {"results": 5, "jobs": 6, "replayed": False}
    assert not replays(daemon)


@pytest.mark.parametrize("arguments, status", [
    (["--yes"], USAGE), (["--hook", "good", "--yes"], USAGE), (["--since", "yesterday"], USAGE),
    (["01900000-0000-7000-8000-000000000000", "--since", "2h"], USAGE),
    (["01900000-0000-7000-8000-000000000000", "--dry-run"], USAGE),
    (["--since", "2h", "--hook", "nobody", "--yes"], REFUSED),
    (["--status", "nonsense", "--yes"], REFUSED)])
def test_what_makes_no_sense_is_refused(stocked, daemon, arguments, status):
    assert stocked("replay", *arguments).status == status
    assert not replays(daemon)


def test_the_slices_of_a_replay_leave_nothing_out(stocked, daemon):
    path, cursor, seen = "/api/v1/results/replay?limit=2&hook=good", "", []
    while cursor is not None:
        answer = daemon.admin.send("POST", path + (f"&cursor={cursor}" if cursor else ""))
        seen.append((answer["results"], answer["jobs"]))
        cursor = answer["next_cursor"]
    assert seen == [(2, 2), (2, 1), (1, 0)]
    assert daemon.admin.ask("POST", path + "&dry_run=perhaps").status == 400
