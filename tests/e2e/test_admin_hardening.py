# SPDX-License-Identifier: MIT
"""The admin API against guesses, pages of other sites, and whoever listens."""
import itertools
import re
import threading

import pytest
from support import web
from support.waiting import wait_for

def status_of(daemon, token, path="/api/v1/runs", **headers):
    return daemon.api(token).ask("GET", path, headers=headers).status


def test_who_goes_on_guessing_is_told_to_wait_ever_longer(daemon):
    daemon.start()
    statuses, waits = [], []
    for guess in range(16):
        answer = daemon.api(f"guess-{guess}").ask("GET", "/api/v1/runs")
        statuses.append(answer.status)
        if answer.status == 429:
            waits.append(int(answer.headers["Retry-After"]))
            assert answer.headers["Connection"] == "close"
            assert answer.headers["Content-Type"] == "application/problem+json"
    assert statuses == [401] * 10 + [429] * 6
    assert waits == [1, 2, 4, 8, 16, 32]
    assert daemon.metric("admin_wrong_tokens") == 16
    said = re.findall(r"msg=\"admin tokens are being guessed\" remote_address=127.0.0.1",
                      daemon.log_text())
    assert len(said) == 1
    assert "guess-" not in daemon.log_text()


def test_a_guess_that_has_to_wait_ends_its_connection(daemon):
    daemon.start()
    with web.Client(daemon.admin.place) as client:
        for guess in range(11):
            wrong = {"Authorization": f"Bearer guess-{guess}"}
            assert client.ask("GET", "/api/v1/runs", headers=wrong).status == (401, 429)[guess == 10]
        assert client.sock is None  # closed, as the answer said


def test_guesses_lock_nobody_out_who_has_a_token(daemon):
    daemon.start()
    stop = threading.Event()

    def guess(guesser):
        for number in itertools.count():
            if stop.is_set():
                return
            daemon.api(f"guess-{guesser}-{number}").ask("POST", "/api/v1/runs", {})

    guessers = [threading.Thread(target=guess, args=(guesser,)) for guesser in range(8)]
    for guesser in guessers:
        guesser.start()
    try:
        wait_for("guesses are slowed", lambda: status_of(daemon, "wrong") == 429)
        for _ in range(50):
            assert status_of(daemon, daemon.token) == 200
            assert status_of(daemon, daemon.read_token) == 200
    finally:
        stop.set()
        for guesser in guessers:
            guesser.join()


def test_a_program_with_an_old_token_is_no_guesser(daemon):
    daemon.start()
    assert [status_of(daemon, "the token of last year") for _ in range(30)] == [401] * 30
    assert "guessed" not in daemon.log_text()


def test_want_of_a_token_is_no_guess(daemon):
    daemon.start()
    for token in [None] * 30:
        assert status_of(daemon, token) == 401
    for _ in range(30):
        assert daemon.api(daemon.read_token).ask("POST", "/api/v1/runs", {}).status == 403
    assert status_of(daemon, "wrong") == 401
    assert daemon.metric("admin_wrong_tokens") == 1


def test_pages_of_other_sites_may_not_ask(daemon):
    daemon.config["admin"]["metrics_public"] = True
    daemon.start()
    api = daemon.api(daemon.token)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                    {"Origin": f"http://{api.place.name()}", "Sec-Fetch-Site": "cross-site"}):
        for method, path in (("GET", "/metrics"), ("GET", "/api/v1/runs"), ("POST", "/api/v1/runs"),
                             ("OPTIONS", "/api/v1/runs"), ("GET", "/nowhere")):
            answer = api.ask(method, path, headers=headers)
            assert answer.status == 403, (method, path, headers)
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert api.get("/api/v1/runs")["items"] == []
    ours = {"Origin": f"http://{api.place.name()}", "Sec-Fetch-Site": "same-origin"}
    assert api.ask("POST", "/api/v1/runs", {}, headers=ours).status == 201


def test_a_simple_form_of_another_site_changes_nothing(daemon):
    """What a page may send without asking first: a POST of text, without our header."""
    daemon.start()
    answer = web.ask(daemon.admin.place, "POST", "/api/v1/runs", b"{}",
                     {"Content-Type": "text/plain", "Origin": "https://evil.example"})
    assert answer.status == 403
    assert daemon.admin.get("/api/v1/runs")["items"] == []


@pytest.mark.parametrize("path, token", [("/api/v1/status", "full"), ("/metrics", "full"),
                                         ("/api/v1/runs", None), ("/nowhere", "full"),
                                         ("/api/v1/runs/x/result", "full"), ("//", None)])
def test_every_answer_tells_browsers_to_make_nothing_of_it(daemon, path, token):
    daemon.start()
    answer = daemon.api(daemon.token if token else None).ask("GET", path)
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_answer_to_what_is_no_request_has_the_headers_too(daemon):
    daemon.start()
    answer = web.raw(daemon.admin.place, b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nContent-Security-Policy: default-src 'none';" in answer


def test_a_short_token_is_warned_of(daemon):
    daemon.write_secret("admin.token", b"secret")
    daemon.token = "secret"
    daemon.start()
    assert status_of(daemon, "secret") == 200
    assert re.search(r'level=warning .*msg="an admin token is so short that it can be guessed" '
                     r"key=admin.token_file", daemon.log_text())


def test_a_token_is_good_to_the_last_bit(daemon):
    daemon.start()
    token = daemon.token.encode()
    with web.Client(daemon.admin.place) as client:
        for bit in range(8 * len(token)):
            other = token[:bit // 8] + bytes([token[bit // 8] ^ 1 << bit % 8]) + token[bit // 8 + 1:]
            if not other.decode("latin-1").isprintable() or other != other.strip():
                continue
            answer = client.ask("GET", "/api/v1/runs",
                                headers={"Authorization": b"Bearer " + other})
            assert answer.status in (401, 429), bit
    assert status_of(daemon, daemon.token) == 200


def test_a_read_token_sees_no_callback_url(daemon):
    daemon.start()
    run = daemon.register()
    reader = daemon.api(daemon.read_token)
    assert "callback_url" not in reader.get(f"/api/v1/runs/{run['run_id']}")
    assert "callback_url" not in reader.get("/api/v1/runs")["items"][0]
    assert daemon.run(run["run_id"])["callback_url"] == run["callback_url"]
    assert daemon.admin.get("/api/v1/runs")["items"][0]["callback_url"] == run["callback_url"]
