# SPDX-License-Identifier: MIT
"""What the sender meets."""
import json
import socket
import time

import pytest

from support import tokens, web
from support.daemon import PLAIN, TLS, UNIX, result_body
from support.waiting import wait_for

MAX_ID = 9223372036854775807


@pytest.mark.parametrize("listener", [TLS, PLAIN, UNIX])
def test_a_post_is_stored_before_it_is_answered_on_each_listener(daemon, listener):
    daemon.start()
    run = daemon.launched(7)
    body = result_body(7)
    answer = daemon.call_back(run, body, listener=listener)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"accepted": True, "result_id": answer.json()["result_id"],
                             "duplicate": False}
    assert daemon.received("SELECT id, body, execution_id, run_id FROM received") == [
        (answer.json()["result_id"], body.encode(), 7, run["run_id"])]


def test_the_public_url_is_the_first_listener_unless_configured(daemon):
    daemon.start()
    run = daemon.register()
    assert run["callback_url"].startswith(f"https://{daemon.place(TLS).name()}/callback/")


def test_the_exact_bytes_headers_and_address_are_kept(daemon):
    daemon.start()
    run = daemon.launched(7)
    body = ' {"workflow_version_execution_id": 7 ,\t"final_output":"\\u00e9\\ud83d\\ude00 é😀"}\r\n'
    answer = daemon.call_back(run, body.encode(), headers={
        "X-Thing": "one", "Authorization": "Bearer secret-of-the-sender",
        "Content-Type": "application/json; charset=utf-8"})
    result = daemon.result(answer.json()["result_id"])
    (stored, headers), = daemon.received("SELECT body, headers FROM received")
    assert stored == body.encode()
    assert ["X-Thing", "one"] in json.loads(headers)
    assert "secret-of-the-sender" not in headers
    assert web.path_of(run["callback_url"]).rpartition("/")[2] not in headers
    assert result["remote_address"] == "127.0.0.1"
    assert result["verified_by"] == "run-token"
    assert result["content_type"] == "application/json; charset=utf-8"
    assert result["size"] == len(body.encode())
    exact = daemon.admin.ask("GET", f"/api/v1/results/{result['id']}/body")
    assert exact.body == body.encode()


def test_the_largest_id_survives(daemon):
    daemon.start()
    run = daemon.launched(MAX_ID)
    answer = daemon.call_back(run, result_body(MAX_ID))
    result = daemon.result(answer.json()["result_id"])
    assert result["execution_id"] == str(MAX_ID)
    assert result["status"] == "success"


def test_the_same_post_again_is_a_duplicate(daemon):
    daemon.start()
    run = daemon.launched(7)
    first = daemon.call_back(run, result_body(7)).json()
    again = daemon.call_back(run, result_body(7)).json()
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert again["result_id"] == first["result_id"]
    assert daemon.metric("duplicates") == 1
    daemon.wait_until_taken_in()
    assert daemon.result(first["result_id"])["duplicates"] == 1


def test_another_body_for_the_same_run_is_a_revision(daemon):
    daemon.start()
    run = daemon.launched(7)
    first = daemon.call_back(run, result_body(7, "1")).json()
    second = daemon.call_back(run, result_body(7, "2")).json()
    assert second["duplicate"] is False
    assert daemon.result(first["result_id"])["revision"] == 1
    assert daemon.result(second["result_id"])["revision"] == 2
    # A repetition of either is a duplicate of that one.
    assert daemon.call_back(run, result_body(7, "1")).json()["result_id"] == first["result_id"]
    assert daemon.call_back(run, result_body(7, "2")).json()["result_id"] == second["result_id"]


def test_a_result_of_another_execution_is_a_mismatch(daemon):
    daemon.start()
    run = daemon.launched(7)
    answer = daemon.call_back(run, result_body(8))
    assert answer.status == 200
    assert daemon.result(answer.json()["result_id"])["status"] == "mismatch"
    daemon.wait_for_metric("results_mismatched", 1)
    assert daemon.run(run["run_id"])["state"] == "waiting"


@pytest.mark.parametrize("body, status", [
    (result_body(7, '{"N":{"status":"SUCCESS","value":"A","error_message":null,'
                    '"raw_error_message":null,"is_output_node":true}}'), "success"),
    (result_body(7, '{"N":{"status":"FAILED","value":null,"error_message":"x",'
                    '"raw_error_message":null,"is_output_node":true}}'), "failed"),
    (result_body(7, '{"N":{"status":"FAILURE","value":null,"error_message":"x",'
                    '"raw_error_message":{"raw":"x"},"is_output_node":null}}'), "failed"),
    (result_body(7, '{"N":{"status":"RUNNING","value":null,"error_message":null,'
                    '"raw_error_message":null,"is_output_node":true}}'), "running"),
    (result_body(7, '{"N":{"status":"QUEUED","value":null,"error_message":null,'
                    '"raw_error_message":null,"is_output_node":true}}'), "running"),
    (result_body(7, '{"N":{"status":"SKIPPED","value":null,"error_message":null,'
                    '"raw_error_message":null,"is_output_node":false},'
                    '"M":{"status":"SUCCESS","value":1,"error_message":null,'
                    '"raw_error_message":null,"is_output_node":true}}'), "success"),
    (result_body(7, '"text"'), "success"),
    (result_body(7, "false"), "success"),
    (result_body(7, "null"), "success"),
    (result_body(7, "0"), "success"),
    (result_body(7, '""'), "success"),
    (result_body(7, '{"status":"FAILED"}'), "success"),
    ('{"workflow_version_execution_id":7}', "success"),
    ('{"success":false,"message":"Workflow completed but no output node succeeded","output":{}}',
     "failed"),
    ('{"workflow_version_execution_id":7,"final_output":"too large",'
     '"result_code":"EXCEEDS_SIZE_LIMIT"}', "truncated"),
])
def test_each_shape_of_a_result_has_its_status(daemon, body, status):
    daemon.config["promptlayer"].pop("api_key_file")  # nothing is fetched meanwhile
    daemon.start()
    run = daemon.launched(7)
    answer = daemon.call_back(run, body)
    assert answer.status == 200
    assert daemon.result(answer.json()["result_id"])["status"] == status


def test_a_callback_may_come_before_its_execution_id_is_known(daemon):
    daemon.start()
    run = daemon.register()
    answer = daemon.call_back(run, result_body(7))
    assert answer.status == 200
    assert daemon.run(run["run_id"])["state"] == "launching"
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": "7"})
    daemon.wait_for_run(run["run_id"], "completed")
    assert daemon.result(answer.json()["result_id"])["status"] == "success"


def test_a_token_that_was_minted_elsewhere_makes_a_run(daemon):
    daemon.start()
    run_id = tokens.new_run_id()
    answer = daemon.post(f"/callback/{daemon.token_for(run_id)}", result_body(7))
    assert answer.status == 200
    assert daemon.result(answer.json()["result_id"])["run_id"] == run_id
    assert daemon.run(run_id)["state"] == "completed"


def test_bad_tokens_are_refused_alike(daemon):
    daemon.endpoint(name="other", path="/other", kind="workflow-result",
                    verify=[{"scheme": "run-token"}])
    daemon.start()
    run_id = tokens.new_run_id()
    good = daemon.token_for(run_id)
    details = set()
    for path in (
            "/callback",
            "/callback/",
            "/callback/x",
            f"/callback/{good[:-1]}",
            f"/callback/{good}/more",
            f"/callback/{'A' * len(good)}",
            f"/callback/{good[:30]}{'A' if good[30] != 'A' else 'B'}{good[31:]}",
            f"/callback/{daemon.token_for(run_id, expires_in_s=-1)}",
            f"/callback/{daemon.token_for(run_id, endpoint='other')}",
            f"/other/{good}",
    ):
        answer = daemon.post(path, result_body(7))
        assert answer.status == 401, path
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 401 and answer.json()["title"] == "Unauthorized"
        details.add(answer.json()["detail"])
    assert len(details) == 1, "an attacker learns what is wrong"
    assert daemon.received("SELECT count(*) FROM received") == [(0,)]
    assert daemon.post(f"/callback/{good}", result_body(7)).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"nonsense", b'{"a":1}{"b":2}', b'{"a":"\xff"}',
                                  b'{"workflow_version_execution_id":"x","final_output":1}'])
def test_a_verified_post_that_cannot_be_used_is_kept_among_the_rejected(daemon, body):
    daemon.start()
    answer = daemon.call_back(daemon.launched(7), body)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    rejected, = wait_for("the post is kept",
                         lambda: daemon.received("SELECT status, endpoint, body FROM rejected"))
    assert rejected == (400, "results", body)
    shown, = daemon.admin.get("/api/v1/rejected")["items"]
    assert (shown["status"], shown["endpoint"], shown["size"]) == (400, "results", len(body))


def test_a_body_that_is_too_large_is_refused_before_it_is_read(daemon):
    daemon.config["limits"].update({"body": "64KiB"})
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    with daemon.place(PLAIN).connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {64 * 1024 + 1}\r\n\r\n".encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")  # and not a byte of it was sent


def announce(daemon, path, length):
    """The head of a post of that length; what is answered to it."""
    with daemon.place(PLAIN).connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        return sock.recv(65536)


def test_the_run_of_a_refused_post_is_told(daemon):
    daemon.config["promptlayer"].pop("api_key_file")  # nobody is asked
    daemon.start()
    run, other = daemon.launched(7), daemon.launched(8)
    path = web.path_of(run["callback_url"])
    answer = announce(daemon, path, 1 << 30)
    assert answer.startswith(b"HTTP/1.1 413 ")
    known = daemon.wait_for_run(run["run_id"], "overdue")
    assert "413" in known["reason"]
    shown, = daemon.admin.get("/api/v1/rejected")["items"]
    assert (shown["run_id"], shown["size"]) == (run["run_id"], -1)

    # Nothing is believed of whom has no token, and nothing said that would help to find one.
    good = web.path_of(other["callback_url"])
    bad = announce(daemon, good[:-1] + ("A" if good[-1] != "A" else "B"), 1 << 30)
    assert bad.split(b"\r\n\r\n")[1] == answer.split(b"\r\n\r\n")[1]
    wait_for("it is kept too", lambda: len(daemon.admin.get("/api/v1/rejected")["items"]) == 2)
    assert daemon.admin.get("/api/v1/rejected")["items"][0]["run_id"] is None
    assert daemon.run(other["run_id"])["state"] == "waiting"

    result_id = daemon.call_back(run, result_body(7)).json()["result_id"]
    assert daemon.wait_for_run(run["run_id"], "completed")["result_id"] == result_id


def test_a_chunked_body_that_grows_too_large_is_refused(daemon):
    daemon.config["limits"].update({"body": "64KiB"})
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    with daemon.place(PLAIN).connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     .encode())
        for _ in range(128):  # it reads in pieces of 64 KiB, and not a byte after the second
            sock.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_stored_as_it_was_meant(daemon):
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    body = result_body(7).encode()
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
              "Transfer-Encoding: chunked\r\n\r\n".encode()
    for byte in body:
        request += b"1\r\n" + bytes([byte]) + b"\r\n"
    answer = web.raw(daemon.place(PLAIN), request + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert daemon.received("SELECT body FROM received") == [(body,)]


def test_a_body_that_breaks_off_is_not_stored(daemon):
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    with daemon.place(PLAIN).connect() as sock:
        # What was sent is valid JSON by itself.
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1".encode())
        sock.shutdown(socket.SHUT_WR)
        answer = sock.recv(65536)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert daemon.received("SELECT count(*) FROM received") == [(0,)]


@pytest.mark.parametrize("head", [
    "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "Content-Length: 2\r\nContent-Length: 3",
    "Content-Length: +2",
    "Content-Length: 2x",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip",
])
def test_doubtful_framing_is_refused_and_ends_the_connection(daemon, head):
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    answer = web.raw(daemon.place(PLAIN), f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n"
                                          f"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"400", b"501"), answer
    assert answer.count(b"HTTP/1.1 ") == 1, "a hidden request was answered"


def test_large_headers_are_refused(daemon):
    daemon.start()
    answer = daemon.post("/callback", b"{}", headers={"X-Large": "x" * 100_000})
    assert answer.status == 431


def test_a_slow_body_times_out(daemon):
    daemon.config["limits"].update({"request_timeout": "200ms"})
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    begin = time.monotonic()
    with daemon.place(PLAIN).connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1".encode())
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ") or answer == b""
    assert time.monotonic() - begin >= 0.1


def test_other_paths_and_methods_are_not_there(daemon):
    daemon.start()
    path = web.path_of(daemon.register()["callback_url"])
    place = daemon.place(PLAIN)
    for unknown in ("/", "/metrics", "/api/v1/runs", "/callbacks", "/healthz/"):
        assert web.ask(place, "GET", unknown).status == 404, unknown
        assert web.ask(place, "POST", unknown, b"{}").status == 404, unknown
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        answer = web.ask(place, method, path)
        assert answer.status == 405, method
        assert answer.headers["Allow"] == "POST"


def test_health_and_readiness_say_no_more_than_they_must(daemon):
    daemon.start()
    for listener in (TLS, PLAIN, UNIX):
        for path in ("/healthz", "/readyz"):
            answer = web.ask(daemon.place(listener), "GET", path)
            assert answer.status == 200
            assert len(answer.body) < 64
            assert web.ask(daemon.place(listener), "HEAD", path).status == 200


def test_json_posts_are_stored_with_what_pointers_pick(daemon):
    daemon.endpoint(name="any", path="/in/any", kind="json", id="/id", status="/state",
                    verify="none")
    daemon.start()
    first = daemon.post("/in/any", b'{"id":"a1","state":"failed"}').json()
    again = daemon.post("/in/any", b'{"id":"a1","state":"failed"}').json()
    assert again == {"accepted": True, "result_id": first["result_id"], "duplicate": True}
    result = daemon.result(first["result_id"])
    assert (result["endpoint"], result["status"]) == ("any", "failed")


def test_posts_without_an_id_are_never_duplicates(daemon):
    daemon.endpoint(name="any", path="/in/any", kind="json", verify="none")
    daemon.start()
    ids = {daemon.post("/in/any", b"1").json()["result_id"] for _ in range(3)}
    assert len(ids) == 3
    assert {daemon.result(each)["status"] for each in ids} == {"received"}


def test_forms_are_stored(daemon):
    daemon.endpoint(name="form", path="/in/form", kind="form", verify="none")
    daemon.start()
    answer = daemon.post("/in/form", b"a=1&b=%20", headers={
        "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200
    assert daemon.received("SELECT body, kind FROM received") == [(b"a=1&b=%20", "form")]


def test_an_endpoint_without_verification_is_named_at_the_start(daemon):
    daemon.endpoint(name="open-door", path="/in/any", kind="json", verify="none")
    daemon.start()
    lines = [line for line in daemon.log_text().splitlines() if "open-door" in line]
    assert lines and "warning" in lines[0]


def test_no_secret_token_or_body_is_logged(daemon):
    daemon.start()
    run = daemon.launched(7)
    daemon.call_back(run, result_body(7, '"body-that-is-private"'))
    daemon.post("/callback/some-wrong-token", result_body(7, '"body-that-is-private"'))
    daemon.call_back(run, b"nonsense-that-is-private")
    log = daemon.log_text()
    for secret in ("that-is-private", daemon.token, daemon.key.decode(), "some-wrong-token",
                   web.path_of(run["callback_url"]).rpartition("/")[2]):
        assert secret not in log
