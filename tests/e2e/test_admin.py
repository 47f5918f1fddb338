# SPDX-License-Identifier: MIT
"""The admin API."""
import contextlib
import json
import re
import select
import threading

import pytest

from support import build, web
from support.daemon import result_body
from support.waiting import wait_for

ACTING = [("POST", "/api/v1/runs"), ("PATCH", "/api/v1/runs/x"), ("POST", "/api/v1/results/x/replay"), ("POST", "/api/v1/results/replay"),
          ("POST", "/api/v1/jobs/x/retry"), ("POST", "/api/v1/jobs/x/cancel"),
          ("POST", "/api/v1/hooks/x/pause"), ("POST", "/api/v1/hooks/x/resume")]
READING = ["/metrics", "/api/v1/runs", "/api/v1/results", "/api/v1/jobs", "/api/v1/hooks",
           "/api/v1/status", "/api/v1/rejected"]


def test_nothing_without_a_token(daemon):
    daemon.start()
    for token in (None, "", "wrong", daemon.token[:-1], daemon.token + "x"):
        for method, path in ACTING + [("GET", path) for path in READING] + [("GET", "/nowhere")]:
            answer = daemon.api(token).ask(method, path)
            assert answer.status == 401, (token, method, path)
            assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_read_token_reads_and_does_not_act(daemon):
    daemon.start()
    api = daemon.api(daemon.read_token)
    for path in READING:
        assert api.ask("GET", path).status == 200, path
    for method, path in ACTING:
        assert api.ask(method, path).status == 403, path


def test_metrics_may_be_public(daemon):
    daemon.config["admin"]["metrics_public"] = True
    daemon.start()
    assert daemon.api(None).ask("GET", "/metrics").status == 200
    assert daemon.api(None).ask("GET", "/api/v1/runs").status == 401


def test_metrics_are_openmetrics(daemon):
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    answer = daemon.admin.ask("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    lines = answer.body.decode().splitlines()
    assert lines[-1] == "# EOF"
    families = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    for line in lines:
        if not line.startswith("#"):
            name = re.match(r"(callbackd_[a-z_]+)(\{[^}]*\})? -?[0-9.e+]+$", line)
            assert name, line
            assert name[1] in families or name[1].removesuffix("_total") in families, line
    assert daemon.metric("accepted") == 1


def test_a_run_through_its_life(daemon):
    daemon.start()
    run = daemon.register("flow", tags={"ticket": "4711"})
    assert set(run) >= {"run_id", "callback_url"}
    known = daemon.run(run["run_id"])
    assert (known["state"], known["workflow"], known["tags"]) == (
        "launching", "flow", {"ticket": "4711"})
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": "7"})
    assert daemon.run(run["run_id"])["state"] == "waiting"
    result_id = daemon.call_back(run, result_body(7)).json()["result_id"]
    known = daemon.wait_for_run(run["run_id"], "completed")
    assert (known["result_id"], known["execution_id"]) == (result_id, "7")
    for time in ("registered_at", "launched_at", "completed_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", known[time])


def test_the_same_idempotency_key_is_the_same_run(daemon):
    daemon.start()
    body = {"workflow": "flow", "idempotency_key": "k"}
    first = daemon.admin.ask("POST", "/api/v1/runs", body)
    again = daemon.admin.ask("POST", "/api/v1/runs", body)
    assert (first.status, again.status) == (201, 200)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert again.json()["callback_url"] == first.json()["callback_url"]


def test_a_launch_may_fail(daemon):
    daemon.start()
    run = daemon.register()
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"failed": "no such workflow"})
    known = daemon.run(run["run_id"])
    assert (known["state"], known["reason"]) == ("launch_failed", "no such workflow")


def test_a_run_past_its_deadline_is_overdue(daemon):
    daemon.config["promptlayer"].pop("api_key_file")  # nobody is asked
    daemon.start()
    run = daemon.launched(7, deadline="100ms")
    daemon.wait_for_run(run["run_id"], "overdue")
    daemon.call_back(run, result_body(7))
    daemon.wait_for_run(run["run_id"], "completed")


@pytest.mark.parametrize("body", [{"workflow": 1}, {"workflow": "f", "endpoint": "none"},
                                  {"workflow": "f", "deadline": "soon"},
                                  {"workflow": "f", "external": "yes"}, [], "text"])
def test_a_bad_registration_is_explained(daemon, body):
    daemon.start()
    answer = daemon.admin.ask("POST", "/api/v1/runs", body)
    assert answer.status == 400 and answer.json()["detail"]


def test_a_long_poll_answers_when_the_result_is_there(daemon):
    daemon.start()
    run = daemon.launched(7)
    path = f"/api/v1/runs/{run['run_id']}/result"
    assert daemon.admin.ask("GET", path).status == 204
    assert daemon.admin.ask("GET", path + "?wait=50ms").status == 204
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(
        daemon.admin.ask("GET", path + "?wait=30s")))
    waiter.start()
    result_id = daemon.call_back(run, result_body(7)).json()["result_id"]
    waiter.join()
    assert answers[0].status == 200
    assert answers[0].json()["id"] == result_id


def test_long_polls_leave_connections_for_others(daemon, ctl):
    daemon.start()
    run = daemon.launched(7)
    path = f"/api/v1/runs/{run['run_id']}/result"
    with contextlib.ExitStack() as stack:
        polls = []
        for _ in range(128):
            polls.append(stack.enter_context(daemon.admin.place.connect()))
            polls[-1].sendall(f"GET {path}?wait=60s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                              f"Authorization: Bearer {daemon.token}\r\n\r\n".encode())

        def answered():
            return select.select(polls, [], [], 0)[0]

        wait_for("those that are too many have an answer", lambda: len(answered()) == 32)
        for poll in answered():
            head = poll.recv(65536).decode()
            assert head.startswith("HTTP/1.1 503 ") and "Retry-After: " in head
            polls.remove(poll)
        assert daemon.admin.ask("GET", path).status == 204
        assert daemon.admin.get("/api/v1/status")["ready"] is True
        waiting = ctl.start("wait", run["run_id"])
        assert daemon.call_back(run, result_body(7)).status == 200
        assert all(poll.recv(65536).startswith(b"HTTP/1.1 200 ") for poll in polls)
        assert waiting.communicate(timeout=60)[0] == b"fine\n" and waiting.returncode == 0


def test_results_are_paged_newest_first_and_filtered(daemon):
    daemon.endpoint(name="any", path="/any", kind="json", status="/state", verify="none")
    daemon.start()
    ids = [daemon.post("/any", f'{{"state":"{state}","n":{n}}}').json()["result_id"]
           for n, state in enumerate(["failed", "success"] * 4)]
    wait_for("all are taken in", lambda: len(daemon.admin.get("/api/v1/results?limit=100")["items"])
             == len(ids))
    seen, cursor = [], ""
    while cursor is not None:
        page = daemon.admin.get(f"/api/v1/results?limit=3{cursor and '&cursor=' + cursor}")
        assert len(page["items"]) <= 3
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ids[::-1]
    failed = daemon.admin.get("/api/v1/results?status=failed&endpoint=any")["items"]
    assert [item["id"] for item in failed] == ids[0::2][::-1]
    assert daemon.admin.get("/api/v1/results?endpoint=results")["items"] == []


def test_a_result_has_the_documented_members(daemon):
    daemon.start()
    answer = daemon.call_back(daemon.launched(7), result_body(7))
    result = daemon.result(answer.json()["result_id"])
    assert set(result) >= set("id endpoint kind execution_id run_id workflow status source revision "
                              "duplicates received_at remote_address verified_by size sha256 "
                              "content_type headers".split())


def test_a_job_has_the_documented_members(daemon):
    daemon.hook(shell="true")
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    job, = daemon.wait_for_jobs(1)
    assert set(job) >= set("id hook result_id state attempts_made next_at created_at ended_at replay "
                           "attempts".split())
    assert set(job["attempts"][0]) >= set("n started_at ended_at outcome exit_code signal output "
                                          "output_truncated".split())


def examples():
    """The objects that docs/API.md shows, by the heading or section that they stand under."""
    found, heading = {}, ""
    for part in re.split(r"^(#{2,3} .*)$", (build.ROOT / "docs/API.md").read_text(), flags=re.M):
        if part.startswith("#"):
            heading = part.lstrip("# ").strip("`")
        else:
            blocks = re.findall(r"^```json\n(.*?)^```", part, flags=re.M | re.S)
            found.setdefault(heading, []).extend(map(json.loads, blocks))
    return found


def test_answers_have_the_members_that_the_documentation_shows(daemon):
    def is_as_shown(heading, answer, *left_out):
        shown, *_ = documented[heading]
        assert set(answer) - set(left_out) == set(shown), heading
        for name, value in shown.items():
            if isinstance(value, dict) and name not in ("tags", "orphaned_jobs"):
                assert set(answer[name]) == set(value), (heading, name)

    documented = examples()
    daemon.hook(name="notify", shell="echo sent")
    daemon.start()
    registration, = documented["POST /api/v1/runs"]
    run = daemon.register(**registration)
    launch, failure = documented["PATCH /api/v1/runs/{run_id}"]
    assert daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", launch)["state"] == "waiting"
    result_id = daemon.call_back(run, result_body(787)).json()["result_id"]
    job, = daemon.wait_for_jobs(1)
    is_as_shown("Runs", daemon.run(run["run_id"]))
    is_as_shown("Results", daemon.admin.get(f"/api/v1/results/{result_id}"), "headers")
    is_as_shown("Jobs", job, "attempts")
    is_as_shown("GET /api/v1/jobs/{id}", job["attempts"][0])
    is_as_shown("Hooks", daemon.admin.get("/api/v1/hooks")["items"][0])
    is_as_shown("GET /api/v1/status", daemon.admin.get("/api/v1/status"))
    replayed = daemon.admin.send("POST", f"/api/v1/results/{result_id}/replay")
    is_as_shown("POST /api/v1/results/{id}/replay", replayed)
    counted = daemon.admin.send("POST", "/api/v1/results/replay?dry_run=true")
    is_as_shown("POST /api/v1/results/replay", counted)
    problem = daemon.admin.ask("POST", f"/api/v1/jobs/{job['id']}/cancel")
    assert problem.status == 409
    is_as_shown("What holds for all of them", problem.json())
    other = daemon.register()
    assert daemon.call_back(other, b"nonsense").status == 400
    is_as_shown("GET /api/v1/rejected", daemon.admin.get("/api/v1/rejected")["items"][0])
    failed = daemon.admin.send("PATCH", f"/api/v1/runs/{other['run_id']}", failure)
    assert failed["state"] == "launch_failed"


def test_another_method_is_told_which_there_are(daemon):
    daemon.start()
    answer = daemon.admin.ask("DELETE", "/api/v1/runs")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_what_is_not_there_is_404(daemon):
    daemon.start()
    nobody = "01900000-0000-7000-8000-000000000000"
    for method, path in [("GET", f"/api/v1/runs/{nobody}"), ("GET", f"/api/v1/results/{nobody}"),
                         ("GET", f"/api/v1/results/{nobody}/body"), ("GET", f"/api/v1/jobs/{nobody}"),
                         ("POST", f"/api/v1/results/{nobody}/replay"),
                         ("POST", f"/api/v1/jobs/{nobody}/retry"),
                         ("POST", "/api/v1/hooks/nobody/pause"), ("GET", "/api/v1/nowhere"),
                         ("PATCH", f"/api/v1/runs/{nobody}")]:
        value = {"execution_id": "7"} if method == "PATCH" else None
        assert daemon.admin.ask(method, path, value).status == 404, path


def test_status_says_in_detail_whether_all_is_well(daemon):
    daemon.start()
    status = daemon.admin.get("/api/v1/status")
    assert status["ready"] is True


def test_the_admin_listener_may_be_a_unix_socket(daemon, ctl):
    daemon.config["admin"] = {"unix": "admin.sock", "token_file": "admin.token"}
    daemon.write_config()
    daemon.launch()
    socket = daemon.directory / "admin.sock"
    wait_for("it is ready", lambda: "msg=ready" in daemon.log_text())
    api = web.Api(web.Place(unix=str(socket)), daemon.token)
    assert api.get("/api/v1/runs")["items"] == []
    assert ctl("runs").status == 0
    daemon.stop()
    assert not socket.exists()


def test_a_truncated_result_is_fetched(daemon, sim):
    daemon.hook(shell='cat > "$CALLBACK_STATUS"')
    daemon.start()
    run = daemon.register()
    execution_id, _ = sim.run("flow", run["callback_url"], {"truncated": True, "value": '"whole"'})
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": str(execution_id)})
    daemon.wait_for_run(run["run_id"], "completed")
    job, = daemon.wait_for_jobs(1)
    assert b"whole" in (daemon.directory / "success").read_bytes()
    assert daemon.result(job["result_id"])["source"] == "poll"


def test_a_result_that_was_refused_is_fetched_before_its_deadline(daemon, sim):
    daemon.hook(shell="true")
    daemon.start()
    run = daemon.register()
    execution_id, _ = sim.run("flow", run["callback_url"], {"callback": "never"})
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": str(execution_id)})
    assert daemon.call_back(run, b"nonsense").status == 400
    known = daemon.wait_for_run(run["run_id"], "completed")
    assert daemon.result(known["result_id"])["source"] == "poll"
    daemon.wait_for_jobs(1)


def test_a_result_that_is_never_posted_is_fetched_after_its_deadline(daemon, sim):
    daemon.hook(shell="true")
    daemon.start()
    run = daemon.register(deadline="200ms")
    execution_id, _ = sim.run("flow", run["callback_url"], {"callback": "never"})
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": str(execution_id)})
    known = daemon.wait_for_run(run["run_id"], "completed")
    assert daemon.result(known["result_id"])["source"] == "poll"
    daemon.wait_for_jobs(1)


def test_hooks_say_how_their_latest_attempts_went(daemon):
    daemon.hook(name="mixed", shell='grep -q good', retry={"attempts": 1})
    daemon.start()
    for execution_id, output in [(1, '"good"'), (2, '"good"'), (3, '"good"'), (4, '"bad"')]:
        daemon.call_back(daemon.launched(execution_id), result_body(execution_id, output))
    daemon.wait_for_jobs(3)
    daemon.wait_for_jobs(1, "dead")
    hook, = daemon.admin.get("/api/v1/hooks")["items"]
    assert (hook["recent_attempts"], hook["recent_success_rate"]) == (4, 0.75)
    assert 0 <= hook["recent_p50_ms"] <= hook["recent_p99_ms"]


@pytest.mark.parametrize("query", ["status=%zz", "endpoint=%", "workflow=%00", "limit=1%", "since=%q0",
                                   "cursor=%ff", "endpoint=" + 300 * "x"])
def test_a_filter_that_cannot_be_read_is_not_taken_for_none(daemon, query):
    daemon.start()
    answer = daemon.admin.ask("GET", f"/api/v1/results?{query}")
    assert answer.status == 400 and answer.json()["detail"]


def test_a_replay_for_a_hook_that_cannot_be_read_runs_none(daemon):
    daemon.hook(name="one", endpoint="results", command=["true"])
    daemon.start()
    result_id = daemon.call_back(daemon.launched(7), result_body(7)).json()["result_id"]
    daemon.wait_for_jobs(1)
    answer = daemon.admin.ask("POST", f"/api/v1/results/{result_id}/replay?hook=%zz")
    assert answer.status == 400
    assert len(daemon.jobs()) == 1
