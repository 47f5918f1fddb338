# SPDX-License-Identifier: MIT
"""callbackctl verify: a post explained without a daemon."""
import hashlib
import hmac

import pytest
from support.ctl import Ctl

SECRET = b"local-test-secret-32-bytes-long"
BODY = b'{"id": "evt_1", "type": "test.event", "n": 2432232314}'


@pytest.fixture
def ctl(daemon):
    """Of a configuration that no daemon runs by."""
    daemon.write_secret("sender.secret", SECRET)
    secret = {"secret_file": "sender.secret"}
    daemon.endpoint(name="github", path="/github", kind="json", verify=[
        {"scheme": "github", **secret}, {"scheme": "ip-allow", "networks": ["192.0.2.0/24"]}])
    daemon.endpoint(name="stripe", path="/stripe", kind="json", verify=[
        {"scheme": "stripe", **secret}])
    daemon.endpoint(name="events", path="/events", kind="workspace-event", verify=[
        {"scheme": "promptlayer", **secret}])
    daemon.write_config()
    (daemon.directory / "body").write_bytes(BODY)
    ctl = Ctl(daemon.config_path)
    return lambda *arguments, **how: ctl("verify", daemon.directory / "body", *arguments, **how)


def github(body=BODY):
    return "X-Hub-Signature-256: sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()


def test_a_good_post_would_be_accepted(ctl):
    outcome = ctl("--endpoint", "github", "--header", github(), "--address", "192.0.2.7")
    assert outcome.status == 0, outcome
    assert outcome.stdout.decode().splitlines() == [
        "github              holds", "ip-allow            holds", "body                holds",
        "The post would be accepted."]


def test_each_scheme_says_for_itself_why_it_does_not_hold(ctl):
    outcome = ctl("--endpoint", "github", "--header", github(b"{}"))
    assert outcome.status == 3
    lines = outcome.stdout.decode().splitlines()
    assert lines[0] == "github              does not hold: the signature was not made by any secret"
    assert lines[1] == "ip-allow            does not hold: 127.0.0.1 is in none of the networks"
    assert lines[-1] == "The post would be refused."


def test_a_time_can_be_given(ctl):
    header = ("Stripe-Signature: t=1700000000,"
              "v1=38ee9d123c13035eefcdd3f39227c3802de51e8309008a6077de58c898c98825")
    stale = ctl("--endpoint", "stripe", "--header", header)
    assert stale.status == 3 and b"too far from our clock" in stale.stdout
    then = ctl("--endpoint", "stripe", "--header", header, "--at", "2023-11-14T22:13:20Z")
    assert then.status == 0, then


def test_json_says_which_form_fitted_and_what_the_body_lacks(ctl):
    header = ("X-PromptLayer-Signature: "
              "a665cb9571979bd536d5d820144c904fab161d9f073efd529948df942116fa8e")
    outcome = ctl("--endpoint", "events", "--header", header, "--json")
    said = outcome.json()
    assert said["schemes"] == [{"scheme": "promptlayer", "holds": True, "variant": "python"}]
    assert not said["body"] and "event_type" in said["body_reason"]
    assert not said["accepted"] and outcome.status == 3


def test_what_cannot_be_asked_is_a_usage_error(ctl):
    assert ctl("--header", github()).status == 2
    assert ctl("--endpoint", "nobody").status == 2
    assert ctl("--endpoint", "github", "--header", "no colon").status == 2
    assert ctl("--endpoint", "github", "--path", "/githubs").status == 2
    assert ctl("--endpoint", "github", "--at", "noon").status == 2


def test_a_file_that_is_not_there_is_a_local_error(ctl, daemon):
    (daemon.directory / "body").unlink()
    assert ctl("--endpoint", "github").status == 6


def test_a_run_token_is_looked_at_in_the_path(ctl, daemon):
    token = daemon.token_for("0192f0c1-2a3b-7c4d-8e5f-0123456789ab")
    good = ctl("--endpoint", "results", "--path", f"/callback/{token}")
    assert good.status == 0, good
    bad = ctl("--endpoint", "results")
    assert bad.status == 3 and b"no run token in the path" in bad.stdout
