# SPDX-License-Identifier: MIT
"""Those who sign posts: by their own libraries (tests/senders), or, where a sender publishes none
that signs, by the algorithm of its documentation."""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import urllib.parse
from dataclasses import dataclass, field
from typing import Callable

from . import build

DIRECTORY = pathlib.Path(os.environ.get("CALLBACKD_SENDERS_DIR", build.ROOT / "build-tests/senders"))
INSTALLED = (DIRECTORY / "installed").exists()
WHY_NOT = f"the senders' libraries are not in {DIRECTORY} (tests/senders/install.sh puts them there)"
PUBLIC_URL = "https://hooks.example.com"
SECRET = "local-test-secret-32-bytes-long"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FORM = "application/x-www-form-urlencoded"


class Libraries:
    """One process of sign.mjs."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["node", build.ROOT / "tests/senders/sign.mjs", DIRECTORY], text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def sign(self, sender, **post):
        self.process.stdin.write(json.dumps({"sender": sender, **post}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"sign.mjs ended: {self.process.wait()}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


def mac(secret, text, algorithm="sha256"):
    return hmac.new(secret.encode(), text.encode(), algorithm)


@dataclass(frozen=True)
class Sender:
    """`sign(libraries, secret, body, at, path)` gives headers, with "query" for one in the URL."""

    name: str
    scheme: str
    sign: Callable
    secret: str = SECRET
    body: str = '{"id": "evt_1", "n": [1, 2432232314]}'
    content_type: str = "application/json"
    kind: str = "json"
    options: dict = field(default_factory=dict)
    has_time: bool = False
    has_id: bool = False  # what makes two posts the same
    body_is_signed: bool = True
    hex_header: bool = False  # either case of its letters is good

    def path(self):
        return f"/in/{self.name}"

    def endpoint(self):
        verify = {"scheme": self.scheme, "secret_file": f"{self.name}.secret", **self.options}
        return {"name": self.name, "path": self.path(), "kind": self.kind, "verify": [verify]}

    def signed(self, libraries, at, secret=None):
        """(path with query, headers, body as bytes)"""
        headers = self.sign(libraries, secret or self.secret, self.body, at, self.path())
        query = headers.pop("query", None)
        return (self.path() + (f"?{query}" if query else ""),
                {"Content-Type": self.content_type, **headers}, self.body.encode())

    def signature_headers(self, headers):
        return [name for name in headers if name != "Content-Type"]


def by(name):
    """Signed by that entry of sign.mjs."""
    def sign(libraries, secret, body, at, path):
        return libraries.sign(name, secret=secret, body=body, at=at, id="msg_1",
                              url=PUBLIC_URL + path, fields=dict(urllib.parse.parse_qsl(body)))
    return sign


def slack(_, secret, body, at, path):
    return {"X-Slack-Request-Timestamp": str(at),
            "X-Slack-Signature": "v0=" + mac(secret, f"v0:{at}:{body}").hexdigest()}


def shopify(_, secret, body, at, path):
    return {"X-Shopify-Hmac-SHA256": base64.b64encode(mac(secret, body).digest()).decode()}


def python_json(_, secret, body, at, path):
    text = json.dumps(json.loads(body), sort_keys=True)
    return {"X-PromptLayer-Signature": mac(secret, text).hexdigest()}


def any_hmac(_, secret, body, at, path):
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha512).digest()
    return {"X-Time": str(at), "X-Signature": "v1=" + base64.b64encode(digest).decode()}


def basic(_, secret, body, at, path):
    return {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


PAYLOAD = '{"event_type":"x","z":"é","a":[1,2.25,true],"n":12345678901234567890}'

BY_LIBRARY = [
    Sender("standard-webhooks", "standard-webhooks", by("standard-webhooks"), WEBHOOK_SECRET,
           has_time=True, has_id=True),
    Sender("svix", "standard-webhooks", by("svix"), WEBHOOK_SECRET, has_time=True,
           has_id=True),
    Sender("github", "github", by("github"), hex_header=True),
    Sender("stripe", "stripe", by("stripe"), has_time=True, has_id=True, hex_header=True),
    Sender("twilio", "twilio", by("twilio"), body="From=a&Body=hello+there", content_type=FORM,
           kind="form"),
    Sender("twilio-json", "twilio", by("twilio-json")),
    Sender("promptlayer-javascript", "promptlayer", by("promptlayer-javascript"),
           body='{"event_type":"x","a":["b",{"c":"d"}]}', hex_header=True),
]
BY_DOCUMENTATION = [
    Sender("promptlayer-python", "promptlayer", python_json, body=PAYLOAD, hex_header=True),
    Sender("slack", "slack", slack, has_time=True, hex_header=True),
    Sender("shopify", "shopify", shopify),
    Sender("gitlab", "gitlab", lambda _, secret, *rest: {"X-Gitlab-Token": secret},
           body_is_signed=False),
    Sender("hmac", "hmac", any_hmac, has_time=True, options={
        "header": "X-Signature", "algorithm": "sha512", "encoding": "base64", "prefix": "v1=",
        "signed": "{timestamp}.{body}", "timestamp_header": "X-Time"}),
    Sender("bearer", "bearer", lambda _, secret, *rest: {"Authorization": f"Bearer {secret}"},
           body_is_signed=False),
    Sender("basic", "basic", basic, "name:password", body_is_signed=False),
]
