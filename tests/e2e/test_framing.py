# SPDX-License-Identifier: MIT
"""Requests that could be read in two ways (corpus/framing.py), each with a second request hidden
in it and another one behind it: none of the malformed is accepted, and nothing hidden is ever
executed; directly, and behind the proxies that are documented."""
import contextlib
import json
import os
import socket
import ssl
from dataclasses import dataclass

import pytest

from corpus import framing
from support import tokens, web
from support.daemon import PLAIN, TLS, UNIX
from support.proxies import HaproxyExample, NginxExample

LISTENERS = {"plain": PLAIN, "tls": TLS, "unix": UNIX}
PROXIES = {"nginx": NginxExample, "haproxy": HaproxyExample}


def test_the_corpus_is_large_and_each_case_has_its_name():
    names = [case.name for case in framing.MALFORMED]
    assert len(names) == len(set(names)) > 200


# ---- sending bytes, and reading answers ----

@contextlib.contextmanager
def until_the_end():
    """The other side may close before it has read all that was sent; TLS has errors for that."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ConnectionAbortedError,
                             ssl.SSLError):
        yield


def talk(place, data, ends=False):
    """Sends it all, and returns what comes back until the other side closes."""
    answer = b""
    with place.connect() as sock:
        with until_the_end():
            sock.sendall(data)
        if ends:
            # Below TLS, which has no half of a connection.
            with contextlib.closing(socket.socket(fileno=os.dup(sock.fileno()))) as below, \
                    until_the_end():
                below.shutdown(socket.SHUT_WR)
        with until_the_end():
            while chunk := sock.recv(65536):
                answer += chunk
    return answer


@dataclass(frozen=True)
class Answered:
    status: int
    head: str
    body: bytes


def answers_in(data, to_head=()):
    """The answers one after the other, without those that only say to go on; `to_head` are the
    numbers of those that have no body, because HEAD was asked."""
    found = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        head = head.decode("latin-1").lower()
        assert end and head.startswith("http/1."), head
        status = int(head.split(" ")[1])
        if status < 200:
            continue
        length = 0
        if len(found) not in to_head and status != 204:
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
        found.append(Answered(status, head, data[:length]))
        assert len(data) >= length, "an answer breaks off"
        data = data[length:]
    return found


# ---- whom requests are smuggled to ----

class Receiver:
    """A good post is one to a callback URL; what was accepted is in the log."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.sent = {}  # run id: what was sent there

    def path(self, name):
        run_id = tokens.new_run_id()
        self.sent[run_id] = name
        return "/callback/" + self.daemon.token_for(run_id)

    auth = "X-Nothing: -"

    @staticmethod
    def body(_):
        return b'"good"'

    def executed(self):
        return [self.sent.get(run_id, run_id)
                for run_id, in self.daemon.received("SELECT run_id FROM received")]


class Admin:
    """A good post registers a run, whose workflow says what was sent."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.auth = f"Authorization: Bearer {daemon.token}"

    @staticmethod
    def path(_):
        return "/api/v1/runs"

    @staticmethod
    def body(name):
        return json.dumps({"workflow": name}).encode()

    def executed(self):
        return [name for name, in self.daemon.decided("SELECT workflow FROM runs")]


def good_post(target, host, name, close=False):
    body = target.body(name)
    return (f"POST {target.path(name)} HTTP/1.1\r\nHost: {host}\r\n{target.auth}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"{'Connection: close' if close else 'X: y'}\r\n\r\n").encode() + body


def wire(case, target, host, body):
    return case.wire(body, PATH=target.path(case.name + ", itself"), AUTH=target.auth, HOST=host)


# ---- directly ----

def fault_of(case, place, data):
    """What is wrong with the answer; None."""
    try:
        answers = answers_in(talk(place, data, case.ends))
    except (AssertionError, TimeoutError) as error:
        return f"{type(error).__name__} {error}"
    if case.ends and place.tls and not answers:
        return None  # the end came in the middle of TLS, which leaves no way to answer
    if [answer.status for answer in answers] != [case.status]:
        return f"answered {[(answer.status, answer.body) for answer in answers]}"
    if "\r\nconnection: close" not in answers[0].head:
        return "the answer does not say that the connection closes"
    return None


def faults_of_all(target, place):
    found = []
    for case in framing.MALFORMED:
        for what, body in (("a request", good_post(target, place.name(), case.name + ", hidden")),
                           ("a good body", target.body(case.name + ", itself"))):
            data = wire(case, target, place.name(), body)
            if not case.ends:
                data += good_post(target, place.name(), case.name + ", behind", close=True)
            if fault := fault_of(case, place, data):
                found.append(f"{case.name}, with {what}: expected {case.status}, {fault}")
    return found


def is_served(target, place):
    answer, = answers_in(talk(place, good_post(target, place.name(), "good", close=True)))
    return answer.status in (200, 201) and target.executed() == ["good"]


@pytest.mark.parametrize("listener", LISTENERS)
def test_nothing_malformed_is_accepted_and_nothing_hidden_executed(daemon, listener):
    daemon.start()
    target, place = Receiver(daemon), daemon.place(LISTENERS[listener])
    faults = faults_of_all(target, place)
    assert not faults, "\n".join(faults)
    assert target.executed() == []
    # That these would have been seen, and that it still serves.
    assert is_served(target, place)


def test_nor_by_the_admin_api(daemon):
    daemon.start()
    target, place = Admin(daemon), daemon.admin.place
    faults = faults_of_all(target, place)
    assert not faults, "\n".join(faults)
    assert target.executed() == []
    assert is_served(target, place)


# ---- behind a proxy ----

def fault_behind(case, target, place):
    """The hidden request is in the body of the first, for whoever reads it leniently; so it is no
    JSON that could be accepted. The last request is the proxy's to answer, or not."""
    hidden = good_post(target, web.Place().name(), case.name + ", hidden")
    data = wire(case, target, "localhost", hidden)
    if not case.ends:
        data += b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        # nginx waits for the rest of what is too large.
        answer = talk(place, data, case.ends or case.status == 413)
    except TimeoutError:
        return "no answer, and no close"
    return f"accepted: {answer}" if b'"accepted"' in answer else None


@pytest.mark.parametrize("proxy", PROXIES)
def test_nor_behind_a_proxy(daemon, proxy):
    daemon.config["trusted_proxies"] = ["unix", "127.0.0.1"]
    daemon.start()
    target = Receiver(daemon)
    with PROXIES[proxy](daemon) as front:
        faults = [f"{case.name}: {fault}" for case in framing.MALFORMED
                  if (fault := fault_behind(case, target, front.place))]
        assert not faults, "\n".join(faults)
        assert target.executed() == []
        assert is_served(target, front.place)
    daemon.wait_for_metric("connections", 0)  # nothing is under way any more
    assert target.executed() == ["good"]


# ---- what is good ----

def stored(daemon):
    return [body.decode() for body, in daemon.received("SELECT body FROM received ORDER BY seq")]


def run_pipeline(daemon, place, pipeline, host, send=talk):
    target, before = Receiver(daemon), len(stored(daemon))
    names = ("FIRST", "SECOND", "THIRD")
    data = pipeline.wire(HOST=host, **{name: target.path(name) for name in names})
    to_head = [number for number, text in enumerate(data.split(b" HTTP/1.")[:-1])
               if text.endswith(b"HEAD /readyz")]
    answers = answers_in(send(place, data), to_head)
    found = tuple(answer.status for answer in answers), tuple(stored(daemon)[before:])
    assert found == (pipeline.statuses, pipeline.bodies), pipeline.name
    # In their order: each answer names what was stored for its request.
    ids = [json.loads(answer.body)["result_id"] for answer in answers if b"result_id" in answer.body]
    assert [(one,) for one in ids] == daemon.received(
        "SELECT id FROM received WHERE seq > ? ORDER BY seq", before)


@pytest.mark.parametrize("listener", LISTENERS)
def test_what_is_sent_at_once_is_answered_in_its_order(daemon, listener):
    daemon.start()
    place = daemon.place(LISTENERS[listener])
    for pipeline in framing.PIPELINES:
        run_pipeline(daemon, place, pipeline, place.name())


@pytest.mark.parametrize("proxy", PROXIES)
def test_also_behind_a_proxy(daemon, proxy):
    daemon.config["trusted_proxies"] = ["unix", "127.0.0.1"]
    daemon.start()
    with PROXIES[proxy](daemon) as front:
        for pipeline in framing.PIPELINES:
            run_pipeline(daemon, front.place, pipeline, "localhost")


def byte_by_byte(place, data):
    """In as many segments as there are bytes, for whoever looks at no more than one."""
    with place.connect() as sock:
        with until_the_end():
            if place.host and not place.unix:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(data)):
                sock.sendall(data[at:at + 1])
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def test_it_makes_no_difference_in_how_many_pieces_they_come(daemon):
    daemon.start()
    for pipeline in framing.PIPELINES:
        if len(pipeline.statuses) < 10:
            run_pipeline(daemon, daemon.place(PLAIN), pipeline, "localhost", byte_by_byte)


def test_a_body_is_asked_for_only_when_it_is_wanted(daemon):
    daemon.start()
    head = "POST {} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n{}\r\n\r\n"
    target, place = Receiver(daemon), daemon.place(PLAIN)
    for length, body in (("Content-Length: 5", b'"one"'),
                         ("Transfer-Encoding: chunked", b'5\r\n"one"\r\n0\r\n\r\n')):
        with place.connect() as sock:
            sock.sendall(head.format(target.path("good"), length).encode())
            assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(body)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    for path, length, status in (("/callback/bad", "Content-Length: 5", 401),
                                 (target.path("large"), "Content-Length: 1000000000", 413)):
        answer, = answers_in(talk(place, head.format(path, length).encode()))
        assert answer.status == status
