# SPDX-License-Identifier: MIT
"""A thousand slow clients do not keep out who is not slow: in every second, posts are stored.
tests/soak/slow.py is the long form, with times."""
import concurrent.futures
import contextlib
import os
import pathlib
import resource
import socket
import threading
import time

import pytest

from support import build, slow, tokens, web
from support.daemon import PLAIN, RECEIVER, TLS, result_body
from support.waiting import wait_for

SLOW = build.number(1000, 300, 200)
SECONDS = 3
MIB = 2**20


@pytest.fixture(autouse=True)
def descriptors():
    """For slowhttptest and for the other slow ones, which are ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def senders(daemon, listener):
    """Of another address than the slow ones, and, patient, of the same."""
    both = [slow.Sender(daemon, listener, "127.0.0.2"),
            slow.Sender(daemon, listener, "127.0.0.1", patient=True)]
    try:
        yield both
    finally:
        for sender in both:
            sender.stop()


def check(sender):
    assert sender.accepted and not sender.seconds_without(), \
        (sender.seconds_without(), sender.counts())
    assert not sender.lost()
    if not sender.patient:
        assert not sender.turned_away(), (sender.turned_away(), sender.counts())


@pytest.mark.parametrize("listener", [PLAIN, TLS])
@pytest.mark.parametrize("mode", slow.MODES)
def test_slow_clients_of_one_address(daemon, mode, listener):
    daemon.config["limits"]["connections_per_client"] = daemon.config["limits"]["connections"] // 4
    daemon.start()
    path = "/healthz" if mode == "read" else f"/callback/{daemon.token_for(tokens.new_run_id())}"
    place = daemon.place(listener)
    with senders(daemon, listener) as both:
        attack = slow.SlowClients(place, mode, path, SLOW, SLOW // 2, SECONDS, daemon.directory)
        try:
            attack.wait()
        finally:
            attack.close()
    assert "Test ended" in attack.log_path.read_text()
    for sender in both:
        check(sender)
    if mode != "read":  # there, what is done is idle
        assert daemon.metric("connections_refused") + daemon.metric("connections_cut") > 0


@pytest.mark.parametrize("listener, beginning", [
    (PLAIN, b"POST /callback HTTP/1.1\r\nHost: x\r\nX-A: "),
    (TLS, b"\x16\x03\x01\x02\x00\x01"),  # a handshake that is never done
])
def test_slow_clients_of_many_addresses(daemon, listener, beginning):
    daemon.config["limits"]["connections"] = build.number(256, 128, 64)
    daemon.start()
    begin = time.monotonic()
    with senders(daemon, listener) as both:
        attack = slow.SlowConnections(daemon.place(listener), SLOW, beginning)
        try:
            wait_for("slow ones were ended", lambda: daemon.metric("connections_cut") > SLOW)
        finally:
            attack.close()
    assert attack.opened > SLOW
    for sender in both:
        check(sender)
    lines = daemon.log_text().count("slow connections were ended")
    assert lines <= 1 + (time.monotonic() - begin) // 10


def send_chunks_of_a_byte(place, path, stops):
    """Without a pause, for as long as somebody reads them."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    while not stops.is_set():
        with contextlib.suppress(OSError), place.connect() as sock:
            sock.settimeout(1)
            sock.sendall(head.encode())
            while not stops.is_set():
                sock.sendall(b"1\r\nx\r\n" * 5000)


def test_clients_that_never_pause(daemon):
    daemon.config["limits"].update({"request_timeout": "10m", "body": "16MiB"})
    daemon.start()
    place, path = daemon.place(PLAIN), f"/callback/{daemon.token_for(tokens.new_run_id())}"
    stops = threading.Event()
    senders_count = 2 * os.cpu_count()
    with concurrent.futures.ThreadPoolExecutor(senders_count) as pool:
        for _ in range(senders_count):
            pool.submit(send_chunks_of_a_byte, place, path, stops)
        try:
            wait_for("all of them send", lambda: daemon.metric("connections") >= senders_count)
            for _ in range(20):
                assert web.ask(place, "GET", "/healthz").status == 200
                own = f"/callback/{daemon.token_for(tokens.new_run_id())}"
                assert web.ask(place, "POST", own, result_body(7)).status == 200
            assert daemon.metric("connections") >= senders_count
        finally:
            stops.set()


def test_requests_through_a_proxy_count_for_their_client(daemon):
    daemon.config["trusted_proxies"] = ["127.0.0.1", "unix"]
    daemon.config["limits"].update({"connections_per_client": 2, "request_timeout": "5m"})
    daemon.start()
    begin = time.monotonic()
    place, path = daemon.place(PLAIN), f"/callback/{daemon.token_for(tokens.new_run_id())}"

    def post(client):
        return web.ask(place, "POST", path, result_body(7), {"X-Forwarded-For": client})

    with contextlib.ExitStack() as stack:
        for _ in range(2):
            sock = stack.enter_context(place.connect())
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n"
                         "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n".encode())
            # Its body is wanted, so the request is one of those under way.
            assert sock.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 100"
        answer = post("192.0.2.7")
        assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Content-Type"] == "application/problem+json"
        for _ in range(5):
            assert post("192.0.2.7").status == 429
        assert post("192.0.2.8").status == 200
        assert post("2001:db8::1").status == 200
        assert web.ask(place, "GET", "/readyz").status == 200  # in the proxy's own name
    wait_for("it is served again", lambda: post("192.0.2.7").status == 200)
    assert daemon.metric("requests_limited") >= 6
    lines = daemon.log_text().count("a client has too much open")
    assert 1 <= lines <= 1 + (time.monotonic() - begin) // 10
    assert daemon.received("SELECT count(*) FROM rejected WHERE status = 429") == [(0,)]


def memory(daemon):
    """Of the receiver, resident, in bytes."""
    status = pathlib.Path(f"/proc/{daemon.child(RECEIVER)}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.skipif(build.NAME != "release", reason="sanitizers have memory of their own")
def test_bodies_that_never_end_take_no_more_memory_than_they_may(daemon):
    budget = 16 * MIB
    daemon.config["limits"].update(body="2MiB", bodies_in_flight="16MiB",
                                   connections_per_client=1024)
    daemon.start()
    path = f"/callback/{daemon.token_for(tokens.new_run_id())}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * MIB}\r\n\r\n".encode()
    before = memory(daemon)
    with contextlib.ExitStack() as stack:
        for _ in range(300):  # half a GiB, if all of it were taken
            sock = stack.enter_context(daemon.place(PLAIN).connect())
            with contextlib.suppress(ConnectionError):  # refused before all of it was sent
                sock.sendall(head + b"[" + b" " * (MIB + MIB // 2))
        wait_for("bodies are refused", lambda: daemon.metric("unavailable") > 250)
        assert memory(daemon) - before < 2 * budget + 32 * MIB
    wait_for("there is room again", lambda: daemon.post(
        f"/callback/{daemon.token_for(tokens.new_run_id())}", result_body(7)).status == 200)
