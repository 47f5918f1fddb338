# SPDX-License-Identifier: MIT
"""Hooks that post results on to a service."""
import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import signal
import time

import pytest

from support import processes
from support.daemon import WORKER, Daemon, result_body
from support.listener import Listener
from support.nginx import TlsNginx
from support.waiting import wait_for
from test_ctl import DONE, FAILED

QUICK = {"attempts": 5, "first_delay": "1ms", "max_delay": "1ms"}
BODY = '{"workflow_version_execution_id":42,"final_output":{"name":"two  wörds"}}'


def deliver(daemon, body=BODY, workflow="flow"):
    answer = daemon.call_back(daemon.launched(42, workflow), body)
    assert answer.status == 200, answer
    return answer.json()["result_id"]


def webhook_secret():
    return b"whsec_" + base64.b64encode(secrets.token_bytes(32))


def standard_signature(secret, request):
    """As standardwebhooks.com has it, written from the page and not from our code."""
    key = base64.b64decode(secret.removeprefix(b"whsec_"))
    signed = b"%s.%s.%s" % (request.headers["webhook-id"].encode(),
                            request.headers["webhook-timestamp"].encode(), request.body)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@pytest.fixture
def other_daemon(certificates, nothing_left_over):
    """Another one, which results are posted on to."""
    other = Daemon(certificates)
    yield other
    try:
        other.close()
    finally:
        other.remove()


def test_a_result_is_posted_on_as_it_came_and_signed(daemon):
    new, old = webhook_secret(), webhook_secret()
    daemon.write_secret("new.key", new)
    daemon.write_secret("old.key", old)
    daemon.write_secret("more", b"Authorization: Bearer hush")
    with Listener((202, {}, b"taken")) as service:
        daemon.hook(name="on", http={
            "url": service.url, "secret_file": ["new.key", "old.key"], "headers_file": "more",
            "headers": {"X-Name": "{/final_output/name} {execution_id}"}})
        daemon.start()
        result_id = deliver(daemon, workflow="grüße\r\nEvil: 1")
        job, = daemon.wait_for_jobs(1)
        request, = service.requests
    assert (request.method, request.path) == ("POST", "/in?to=here")
    assert request.body == BODY.encode()
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("callbackd/")
    assert request.headers["Authorization"] == "Bearer hush"
    assert request.headers["X-Name"].encode("latin-1") == "two  wörds 42".encode()
    told = {name: value for name, value in request.headers.items() if name.startswith("Callback-")}
    assert told == {
        "Callback-Hook": "on", "Callback-Endpoint": "results", "Callback-Result-Id": result_id,
        "Callback-Execution-Id": "42", "Callback-Run-Id": told["Callback-Run-Id"],
        "Callback-Workflow": "gr%C3%BC%C3%9Fe%0D%0AEvil: 1", "Callback-Status": "success",
        "Callback-Received-At": told["Callback-Received-At"], "Callback-Attempt": "1",
        "Callback-Job-Id": job["id"]}
    assert request.headers["webhook-id"] == job["id"]
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 300
    assert request.headers["webhook-signature"].split(" ") == [
        standard_signature(secret, request) for secret in (new, old)]
    attempt, = job["attempts"]
    assert (attempt["outcome"], attempt["exit_code"], attempt["message"]) == ("exit", 0, None)
    assert attempt["stdout"] == "taken"
    assert "hush" not in daemon.log_text() and service.url not in daemon.log_text()


def test_one_daemon_posts_on_to_another(daemon, other_daemon):
    secret = webhook_secret()
    for end in (daemon, other_daemon):
        end.write_secret("hook.key", secret)
    other_daemon.endpoint(name="passed-on", path="/in", kind="json", verify=[
        {"scheme": "standard-webhooks", "secret_file": "hook.key"}])
    other_daemon.hook(name="look", shell="cat")
    other_daemon.start()
    place = other_daemon.place(0)
    daemon.hook(http={
        "url": f"https://localhost:{place.port}/in", "secret_file": "hook.key",
        "ca_file": str(daemon.certificates / "ca.pem")})
    daemon.start()
    deliver(daemon)
    daemon.wait_for_jobs(1)
    job, = other_daemon.wait_for_jobs(1)
    assert job["attempts"][0]["stdout"] == BODY
    result = other_daemon.result(job["result_id"])
    assert result["verified_by"].startswith("standard-webhooks")


def test_answers_that_are_no_success(daemon):
    with Listener((503, {"Retry-After": "1"}, b"busy"), (404, {}, b""), (200, {}, b"")) as busy, \
            Listener((410, {}, b"moved out")) as gone, Listener((400, {}, b"no")) as picky:
        daemon.hook(name="busy", http={"url": busy.url}, retry=QUICK)
        daemon.hook(name="gone", http={"url": gone.url}, retry=QUICK, on_dead="told")
        daemon.hook(name="picky", http={"url": picky.url, "fail_on": [400]}, retry=QUICK)
        with Listener() as told:
            daemon.hook(name="told", takes="dead", http={"url": told.url, "method": "PUT"})
            daemon.start()
            deliver(daemon)
            for name, status in (("gone", 410), ("picky", 400)):
                job, = daemon.wait_for_jobs(1, "dead", hook=name)
                assert job["reason"] == f"answered {status}" and job["attempts_made"] == 1
                assert job["attempts"][0]["exit_code"] is None
            request, = told.wait_for(1)
            job, = daemon.wait_for_jobs(1, hook="busy")
        assert request.method == "PUT" and request.body == BODY.encode()
        assert request.headers["Callback-Dead-Hook"] == "gone"
        assert request.headers["Callback-Dead-Reason"] == "answered 410"
        assert [attempt["message"] for attempt in job["attempts"]] == [
            "answered 503", "answered 404", None]
        assert job["attempts"][0]["stderr"].splitlines()[1] == "Retry-After: 1"
        assert len({request.headers["webhook-id"] for request in busy.requests}) == 1
        assert [request.headers["Callback-Attempt"] for request in busy.requests] == ["1", "2", "3"]


def test_nobody_waits_for_a_service_that_does_not_answer(daemon, ctl):
    with Listener(None) as silent, Listener(None) as slow, Listener() as service:
        daemon.hook(name="silent", http={"url": silent.url}, timeout="1h")
        # The time may be over before the request has reached it.
        daemon.hook(name="slow", http={"url": slow.url}, timeout="50ms", retry={"attempts": 1})
        daemon.hook(name="good", http={"url": service.url})
        daemon.hook(name="command", shell="true")
        daemon.start()
        deliver(daemon)
        for name in ("good", "command"):
            daemon.wait_for_jobs(1, hook=name)
        job, = daemon.wait_for_jobs(1, "dead", hook="slow")
        assert job["attempts"][0]["outcome"] == "timeout"
        job, = daemon.wait_for_jobs(1, "running", hook="silent")
        silent.wait_for(1)
        assert ctl("cancel", job["id"]).status == DONE
        daemon.wait_for_jobs(1, "cancelled", hook="silent")


def test_connections_are_kept_and_a_service_that_is_gone_is_tried_again(daemon):
    with Listener() as service:
        daemon.hook(http={"url": service.url}, concurrency=1)
        daemon.hook(name="nowhere", http={"url": "http://127.0.0.1:1/"},
                    retry={"attempts": 2, "first_delay": "1ms", "max_delay": "1ms"})
        daemon.start()
        for _ in range(5):
            deliver(daemon)
        daemon.wait_for_jobs(5, hook="hook0")
        assert len({request.connection for request in service.requests}) == 1
        for job in daemon.wait_for_jobs(5, "dead", hook="nowhere"):
            assert [attempt["outcome"] for attempt in job["attempts"]] == ["spawn_error"] * 2
            assert "onnect" in job["attempts"][0]["message"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_request_that_was_cut_off_is_sent_again_under_its_id(daemon, how):
    daemon.config["limits"]["stop_timeout"] = "0s"
    with Listener(None, (200, {}, b"")) as service:
        daemon.hook(http={"url": service.url}, timeout="1h", retry={"attempts": 1})
        daemon.start()
        deliver(daemon)
        service.wait_for(1)
        if how == "kill":
            processes.kill(daemon.child(WORKER))
        else:
            daemon.stop()
            daemon.start()
        job, = daemon.wait_for_jobs(1)
        first, second = service.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == job["id"]
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["interrupted", "exit"]


def test_a_reload_changes_where_later_jobs_go(daemon):
    with Listener() as before, Listener() as after:
        daemon.hook(name="on", http={"url": before.url})
        daemon.start()
        deliver(daemon)
        daemon.wait_for_jobs(1)
        daemon.config["hooks"][0]["http"]["url"] = after.url
        daemon.write_config()
        daemon.reload()
        deliver(daemon)
        daemon.wait_for_jobs(2)
        assert (len(before.requests), len(after.requests)) == (1, 1)


def test_redirects_lead_into_private_networks_only_when_they_may(daemon):
    with Listener() as inner:
        place = f"http://127.0.0.1:{inner.port}/inner"
        with Listener((307, {"Location": place}, b"")) as outer:
            daemon.write_secret("more", b"Authorization: Bearer hush")
            http = {"url": outer.url, "headers_file": "more"}
            daemon.hook(name="none", http=http, retry={"attempts": 1})
            daemon.hook(name="bound", http={**http, "redirects": 1}, retry={"attempts": 1})
            daemon.start()
            deliver(daemon)
            job, = daemon.wait_for_jobs(1, "dead", hook="none")
            assert "answered 307" in job["attempts"][0]["message"]
            job, = daemon.wait_for_jobs(1, "dead", hook="bound")
            assert job["attempts"][0]["outcome"] == "spawn_error"
            assert "private network (127.0.0.1)" in job["attempts"][0]["message"]
            assert inner.requests == []
            daemon.hook(name="free", http={**http, "redirects": 1, "private_networks": True})
            daemon.write_config()
            daemon.reload()
            deliver(daemon)
            daemon.wait_for_jobs(1, hook="free")
            request, = inner.requests
            assert (request.method, request.path) == ("POST", "/inner")
            assert request.body == BODY.encode() and "Authorization" not in request.headers
            assert outer.requests[0].headers["Authorization"] == "Bearer hush"


def test_tls_is_verified_both_ways(daemon, other_certificates):
    ours = daemon.certificates
    with Listener() as service, contextlib.closing(
            TlsNginx(daemon.directory, ours, service.port)) as front:
        trust = {"ca_file": str(ours / "ca.pem")}
        client = {"certificate_file": str(ours / "client.pem"),
                  "private_key_file": str(ours / "client.key")}
        once = {"attempts": 1}
        daemon.hook(name="good", http={"url": front.url, **trust, **client}, retry=once)
        daemon.hook(name="unknown", http={"url": front.url, **trust}, retry=once)
        daemon.hook(name="distrusts", http={"url": front.url, **client}, retry=once)
        daemon.hook(name="elsewhere", http={
            "url": front.url, "ca_file": str(other_certificates / "ca.pem")}, retry=once)
        daemon.start()
        deliver(daemon)
        job, = daemon.wait_for_jobs(1, hook="good")
        job, = daemon.wait_for_jobs(1, "dead", hook="unknown")
        assert job["attempts"][0]["message"] == "answered 400"
        for name in ("distrusts", "elsewhere"):
            job, = daemon.wait_for_jobs(1, "dead", hook=name)
            assert job["attempts"][0]["outcome"] == "spawn_error"
            assert "certificate" in job["attempts"][0]["message"]
        request, = service.requests
        assert request.body == BODY.encode()
        assert "CN=" in request.headers["X-Client"]


def test_proxies_of_the_environment_are_not_used(daemon):
    with Listener() as proxy, Listener() as service:
        daemon.environment = {**os.environ, "http_proxy": f"http://127.0.0.1:{proxy.port}",
                              "all_proxy": f"http://127.0.0.1:{proxy.port}"}
        daemon.hook(http={"url": service.url})
        daemon.start()
        deliver(daemon)
        daemon.wait_for_jobs(1)
        assert len(service.requests) == 1 and proxy.requests == []


def test_a_trial_sends_the_request_and_shows_it(daemon, ctl):
    secret = webhook_secret()
    daemon.write_secret("hook.key", secret)
    daemon.write_secret("more", b"X-Key: hush")

    def trial(name, *arguments):
        daemon.write_config()
        return ctl("hook", "test", name, "--body", "-", *arguments, input=BODY.encode())

    with Listener((200, {}, b"taken"), (503, {"Retry-After": "9"}, b"later"), None) as service:
        daemon.write_secret("where", service.url.encode())
        daemon.hook(name="on", timeout="1h", http={
            "url_file": "where", "headers_file": "more", "secret_file": "hook.key",
            "headers": {"X-Name": "{/final_output/name}"}})
        dry = trial("on", "--dry-run", "--json")
        assert dry.status == DONE and service.requests == [], dry
        done = trial("on", "--json", "--header", "content-type: application/x-ours")
        said = done.json()
        assert done.status == DONE, done
        assert said["request"][0] == "POST [from url_file]"
        assert "X-Key: [from headers_file]" in said["request"]
        assert "X-Name: two  wörds" in said["request"] and "arguments" not in said
        assert "Content-Type: application/x-ours" in said["request"]
        assert (said["outcome"], said["exit_code"], said["stdout"]) == ("exit", 0, "taken")
        request, = service.requests
        assert request.headers["X-Key"] == "hush" and request.body == BODY.encode()
        assert request.headers["webhook-signature"] == standard_signature(secret, request)
        shown = trial("on")
        text = shown.stdout.decode()
        assert shown.status == FAILED
        assert "\nrequest:\n  POST [from url_file]\n" in text and "hush" not in text
        assert "ended: exit: answered 503, after" in text and "Retry-After: 9" in text
        with ctl.start("hook", "test", "on", "--body", str(daemon.config_path)) as running:
            service.wait_for(3)
            running.send_signal(signal.SIGINT)
            output, _ = running.communicate()
        assert running.returncode == FAILED and b"ended: interrupted" in output
    refused = trial("on", "--json")
    assert refused.status == FAILED and refused.json()["outcome"] == "spawn_error"


def test_the_check_names_what_is_wrong(daemon):
    daemon.hook(name="on", umask="022", http={
        "url": "http://a/", "methud": "PUT", "headers": {"Host": "x"}, "fail_on": [200]})
    daemon.write_config()
    daemon.launch("--check")
    assert daemon.process.wait(60) == 78
    daemon.process = None
    for said in ("hooks[0].umask: is for processes", "hooks[0].http.methud: is not a known key",
                 "hooks[0].http.headers.Host: ", "hooks[0].http.fail_on[0]: "):
        assert said in daemon.log_text(), daemon.log_text()
