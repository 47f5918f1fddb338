# SPDX-License-Identifier: MIT
"""Posts of senders that sign, signed by their own libraries where Debian has them."""
import dataclasses
import hashlib
import hmac
import json
import subprocess
import time
import urllib.parse

import pytest
from support import web
from support.daemon import TLS
from support.waiting import wait_for

SECRET = "local-test-secret-32-bytes-long"
PUBLIC_URL = "https://hooks.example.com"


def endpoint(daemon, scheme, kind="json", **options):
    options.setdefault("secret_file", "sender.secret")
    daemon.write_secret("sender.secret", SECRET.encode())
    daemon.config["public_url"] = PUBLIC_URL
    daemon.endpoint(name="in", path="/in", kind=kind, verify=[{"scheme": scheme, **options}])
    return daemon.start()


def hex_of(text, secret=SECRET):
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def wait_for_rejected(daemon, reason):
    def found():
        items = daemon.admin.get("/api/v1/rejected")["items"]
        return [item for item in items if reason in item["reason"]]

    return wait_for(f"a rejected post: {reason}", found)


def test_a_github_delivery_is_stored_once(daemon):
    endpoint(daemon, "github")
    body = b'{"action": "opened"}'
    headers = {"X-Hub-Signature-256": "sha256=" + hex_of(body), "X-GitHub-Delivery": "d-1"}
    first = daemon.post("/in", body, headers)
    assert first.status == 200 and not first.json()["duplicate"]
    again = daemon.post("/in", body, headers)
    assert again.json() == {**first.json(), "duplicate": True}
    assert daemon.post("/in", body + b" ", headers).status == 401
    result = daemon.result(first.json()["result_id"])
    assert result["verified_by"] == "github"


def test_a_refusal_says_why_to_the_operator_alone(daemon):
    endpoint(daemon, "github")
    answer = daemon.post("/in", b"{}", {"X-Hub-Signature-256": "sha1=00"})
    assert answer.status == 401
    assert answer.json()["detail"] == "The signature or token is missing, wrong or stale."
    assert wait_for_rejected(daemon, "X-Hub-Signature-256 is not sha256=")
    assert SECRET not in daemon.log_text()


def test_the_form_that_fitted_is_kept(daemon):
    endpoint(daemon, "promptlayer", kind="workspace-event")
    payload = {"event_type": "agent_run_finished", "details": {"agent_execution_id": 789, "x": "é"}}
    compact = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    signed = {"python": json.dumps(payload, sort_keys=True).encode(), "raw": compact}
    for form, text in signed.items():
        payload["details"]["agent_execution_id"] += 1
        answer = daemon.post("/in", compact, {"X-PromptLayer-Signature": hex_of(text)})
        assert answer.status == 200
        if form == "python":
            assert daemon.result(answer.json()["result_id"])["verified_by"] == "promptlayer:python"


def slack_headers(body):
    now = str(int(time.time()))
    return {"X-Slack-Request-Timestamp": now,
            "X-Slack-Signature": "v0=" + hex_of(f"v0:{now}:".encode() + body)}


def test_a_challenge_of_slack_is_answered_and_not_stored(daemon):
    endpoint(daemon, "slack")
    body = json.dumps({"type": "url_verification", "challenge": 'a"\u00e9\u2028'}).encode()
    answer = daemon.post("/in", body, slack_headers(body))
    assert answer.status == 200
    assert answer.json() == {"challenge": 'a"\u00e9\u2028'}
    assert daemon.post("/in", body, {**slack_headers(body), "X-Slack-Signature": "v0=00"}).status == 401
    event = b'{"type": "event_callback", "event_id": "Ev1"}'
    assert daemon.post("/in", event, slack_headers(event)).json()["accepted"]
    assert daemon.post("/in", event, slack_headers(event)).json()["duplicate"]
    assert daemon.received("SELECT count(*) FROM received WHERE duplicate_of IS NULL") == [(1,)]


def test_stripes_own_library_is_agreed_with(daemon):
    stripe = pytest.importorskip("stripe")
    endpoint(daemon, "stripe")
    body = '{"id": "evt_1", "object": "event"}'
    now = int(time.time())
    signature = stripe.WebhookSignature._compute_signature(f"{now}.{body}", SECRET)
    headers = {"Stripe-Signature": f"t={now},v1={signature}"}
    assert stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], SECRET, 300)
    assert daemon.post("/in", body.encode(), headers).status == 200
    assert daemon.post("/in", body.encode(), headers).json()["duplicate"]
    assert daemon.post("/in", body.encode() + b" ", headers).status == 401


def test_twilios_own_library_is_agreed_with(daemon):
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(SECRET)
    endpoint(daemon, "twilio", kind="form")
    fields = {"From": "+14158675309", "Body": "Grüße & more", "Empty": "", "a": "1"}
    body = urllib.parse.urlencode(fields).encode()
    signature = validator.compute_signature(PUBLIC_URL + "/in?x=1", fields)
    how = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    assert daemon.post("/in?x=1", body, how).status == 200
    assert daemon.post("/in?x=2", body, how).status == 401
    assert daemon.post("/in?x=1", body + b"&b=2", how).status == 401


def test_twilios_json_has_its_digest_in_the_url(daemon):
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(SECRET)
    endpoint(daemon, "twilio")
    body = b'{"a": 1}'
    query = "bodySHA256=" + hashlib.sha256(body).hexdigest()
    headers = {"X-Twilio-Signature": validator.compute_signature(f"{PUBLIC_URL}/in?{query}", {})}
    assert daemon.post(f"/in?{query}", body, headers).status == 200
    assert daemon.post(f"/in?{query}", b'{"a": 2}', headers).status == 401


def test_an_address_that_is_not_allowed_is_forbidden(daemon):
    daemon.endpoint(name="near", path="/near", kind="json",
                    verify=[{"scheme": "ip-allow", "networks": ["127.0.0.0/8"]}])
    daemon.endpoint(name="far", path="/far", kind="json",
                    verify=[{"scheme": "ip-allow", "networks": ["192.0.2.0/24"]}])
    daemon.start()
    assert daemon.post("/near", b"{}").status == 200
    assert daemon.post("/far", b"{}").status == 403


def test_an_exchanged_secret_is_good_after_a_reload(daemon):
    endpoint(daemon, "bearer")
    old, new = ({"Authorization": f"Bearer {token}"} for token in (SECRET, "another"))
    assert daemon.post("/in", b"{}", old).status == 200
    assert daemon.post("/in", b"{}", new).status == 401
    daemon.write_secret("new.secret", b"another")
    daemon.config["endpoints"][-1]["verify"][0]["secret_file"] = ["new.secret", "sender.secret"]
    daemon.write_config()
    daemon.reload()
    assert daemon.post("/in", b"{}", old).status == 200
    assert daemon.post("/in", b"{}", new).status == 200


def test_a_token_in_a_header_of_its_own_is_kept_nowhere(daemon):
    endpoint(daemon, "bearer", header="X-Sender-Key")
    daemon.endpoint(name="gitlab", path="/gitlab", kind="json",
                    verify=[{"scheme": "gitlab", "secret_file": "sender.secret"}])
    daemon.write_config()
    daemon.reload()
    for path, header in (("/in", "x-sender-key"), ("/gitlab", "X-GitLab-Token")):
        answer = daemon.post(path, b"{}", {header: SECRET})
        assert answer.status == 200
        shown = daemon.result(answer.json()["result_id"])
        assert SECRET not in json.dumps(shown)
    for path in daemon.store.rglob("*.db*"):
        assert SECRET.encode() not in path.read_bytes()


def test_a_client_certificate_is_known_by_its_subject(daemon, certificates):
    subject = subprocess.run(
        ["openssl", "x509", "-in", certificates / "client.pem", "-noout", "-subject", "-nameopt",
         "RFC2253"], check=True, capture_output=True, text=True).stdout.strip()[len("subject="):]
    daemon.config["listen"][0]["tls"]["client_ca"] = str(certificates / "ca.pem")
    for name, subjects in (("known", [subject]), ("other", ["CN=somebody else"])):
        daemon.endpoint(name=name, path=f"/{name}", kind="json",
                        verify=[{"scheme": "client-certificate", "subjects": subjects}])
    daemon.start()
    place = dataclasses.replace(daemon.place(TLS), client_certificate=(
        str(certificates / "client.pem"), str(certificates / "client.key")))
    assert web.ask(place, "POST", "/known", b"{}").status == 200
    assert web.ask(place, "POST", "/other", b"{}").status == 401
    assert daemon.post("/known", b"{}").status == 401  # no TLS, no certificate
