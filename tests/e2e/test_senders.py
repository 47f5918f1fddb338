# SPDX-License-Identifier: MIT
"""What each sender's own library signs is taken, and nothing that differs from it in one bit.

Each bit goes all the way through the daemon; under sanitizers a sample does. The same with constants,
and more shapes of headers, is in tests/unit/verify/test_signing.c.
"""
import random
import re
import time

import pytest
from support import build, senders, web
from support.tokens import mint

BITS_MAX = build.number(100_000, 10, 5)  # of each part of each post
FAR_S = 330  # beyond the tolerance, whatever the delay
RUN = "0192f0c1-2a3b-7c4d-8e5f-0123456789ab"


@pytest.fixture(scope="session")
def libraries():
    if not senders.INSTALLED:
        pytest.skip(senders.WHY_NOT)
    libraries = senders.Libraries()
    yield libraries
    libraries.close()


def configure(daemon, many):
    daemon.config["public_url"] = senders.PUBLIC_URL
    for sender in many:
        daemon.write_secret(f"{sender.name}.secret", sender.secret.encode())
        daemon.endpoint(**sender.endpoint())


class Trial:
    """Posts on one connection that is opened again when the daemon closed it."""

    def __init__(self, daemon, seed):
        self.client = web.Client(daemon.place())
        self.random = random.Random(seed)

    def status(self, path, headers, body):
        return self.client.ask("POST", path, body, headers).status

    def flips(self, data):
        """`data` with one bit changed."""
        bits = range(8 * len(data))
        for bit in self.random.sample(bits, min(BITS_MAX, len(bits))):
            yield bit, data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


def refuse_other_bodies(trial, sender, path, headers, body):
    for bit, other in trial.flips(body):
        assert trial.status(path, headers, other) == 401, (sender.name, "body", bit)


def refuse_other_headers(trial, sender, path, headers, body):
    for name in sender.signature_headers(headers):
        value = headers[name].encode()
        for bit, other in trial.flips(value):
            # Framing refuses what no header may hold; blanks at its end are none of it.
            sendable = other.decode("latin-1")
            if re.search(r"[\r\n]", sendable) or sendable != sendable.strip():
                continue
            if (sender.hex_header or name == "Authorization") and other.lower() == value.lower():
                continue
            status = trial.status(path, {**headers, name: sendable}, body)
            assert status in (400, 401), (sender.name, name, bit, status)


def refuse_other_secrets(trial, sender, libraries, now):
    prefix = 6 if sender.secret.startswith("whsec_") else 0  # what it says of itself, not its bits
    secret = sender.secret.encode()
    for bit, other in trial.flips(secret[prefix:]):
        other = secret[:prefix] + other
        # Sensible for a sender: text, and base64 that is used as one.
        if not other.isascii() or not other.decode().isprintable() or \
                (prefix and not re.fullmatch(rb"[A-Za-z0-9+/]+", other[prefix:])):
            continue
        post = sender.signed(libraries, now, other.decode())
        assert trial.status(*post) == 401, (sender.name, "secret", bit)


def refuse_other_times(trial, sender, libraries, now):
    for at in (now - FAR_S, now + FAR_S):
        assert trial.status(*sender.signed(libraries, at)) == 401, (sender.name, at)


def try_all(daemon, many, libraries):
    configure(daemon, many)
    daemon.start()
    for sender in many:
        trial = Trial(daemon, sender.name)
        now = int(time.time())
        post = sender.signed(libraries, now)
        assert trial.status(*post) == 200, (sender.name, post)
        if sender.body_is_signed:
            refuse_other_bodies(trial, sender, *post)
        refuse_other_headers(trial, sender, *post)
        refuse_other_secrets(trial, sender, libraries, now)
        if sender.has_time:
            refuse_other_times(trial, sender, libraries, now)
        again = trial.client.ask("POST", post[0], post[2], post[1])
        assert (again.status, again.json()["duplicate"]) == (200, sender.has_id), sender.name
        trial.client.close()
    # Only what was genuine is there.
    assert daemon.received("SELECT DISTINCT endpoint FROM received ORDER BY 1") == \
        sorted((sender.name,) for sender in many)


def test_what_the_libraries_sign_is_taken_and_no_bit_may_change(daemon, libraries):
    try_all(daemon, senders.BY_LIBRARY, libraries)


def test_what_the_documentation_signs_is_taken_and_no_bit_may_change(daemon):
    try_all(daemon, senders.BY_DOCUMENTATION, None)


def verify_all(daemon, ctl, many, libraries):
    configure(daemon, many)
    daemon.write_config()
    for sender in many:
        path, headers, body = sender.signed(libraries, int(time.time()))
        for good in (True, False):
            file = daemon.directory / "body"
            file.write_bytes(body)
            if not good:
                headers = {name: value.replace("1", "2", 1)[:-1] for name, value in headers.items()}
            words = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
            said = ctl("verify", file, "--endpoint", sender.name, "--path", path, *words)
            assert (said.status == 0) == good, (sender.name, said)
            assert f"{sender.scheme} ".encode() in said.stdout
            assert senders.SECRET.encode() not in said.stdout


def test_callbackctl_verify_says_the_same_of_the_libraries(daemon, ctl, libraries):
    verify_all(daemon, ctl, senders.BY_LIBRARY, libraries)


def test_callbackctl_verify_says_the_same_of_the_documentation(daemon, ctl):
    verify_all(daemon, ctl, senders.BY_DOCUMENTATION, None)


def test_no_bit_of_a_run_token_may_change(daemon):
    daemon.start()
    trial = Trial(daemon, "run-token")
    token = mint(daemon.key, "results", RUN).encode()
    body = b'{"workflow_version_execution_id":7,"final_output":"x"}'
    how = {"Content-Type": "application/json"}
    for bit, other in trial.flips(token):
        if re.fullmatch(rb"[A-Za-z0-9_-]+", other):
            assert trial.status(f"/callback/{other.decode()}", how, body) == 401, bit
    assert trial.status(f"/callback/{token.decode()}", how, body) == 200
    trial.client.close()
    for other in (daemon.key[:-1] + bytes([daemon.key[-1] ^ 1]), b"\0" + daemon.key[1:]):
        assert daemon.post(f"/callback/{mint(other, 'results', RUN)}", body).status == 401
