# SPDX-License-Identifier: MIT
"""HTTP over TCP, TLS and Unix sockets, with the standard library alone."""
import http.client
import json
import socket
import ssl
import urllib.parse
from dataclasses import dataclass, field

from . import build

TIMEOUT_S = 30 * min(build.SLOWNESS, 4)


@dataclass(frozen=True)
class Place:
    """Where a server listens: host and port, or the path of a Unix socket."""

    host: str = "localhost"
    port: int = 0
    unix: str = ""
    tls: bool = False
    ca_file: str = ""
    client_certificate: tuple = ()  # (certificate, key), for servers that ask

    def connect(self):
        """A connected socket."""
        sock = self._open()
        if not self.tls:
            return sock
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.client_certificate:
            context.load_cert_chain(*self.client_certificate)
        try:
            return context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def _open(self):
        if not self.unix:
            return socket.create_connection((self.host, self.port), timeout=TIMEOUT_S)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT_S)
        try:
            sock.connect(self.unix)
        except BaseException:
            sock.close()
            raise
        return sock

    def name(self):
        return "localhost" if self.unix else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage = field(repr=False)
    body: bytes

    def json(self):
        return json.loads(self.body)


class Client(http.client.HTTPConnection):
    """A keep-alive connection to a Place."""

    def __init__(self, place):
        super().__init__(place.host, place.port, timeout=TIMEOUT_S)
        self.place = place

    def connect(self):
        self.sock = self.place.connect()
        if not self.place.unix:  # or a body waits for what acknowledges its headers, as long as 40 ms
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body=None, headers=None):
        self.request(method, path, body=body, headers=headers or {})
        response = self.getresponse()
        return Answer(response.status, response.headers, response.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(place, method, path, body=None, headers=None):
    """One request on a connection of its own."""
    with Client(place) as client:
        return client.ask(method, path, body, {"Connection": "close", **(headers or {})})


def raw(place, request):
    """Sends bytes as they are; returns all that comes back until the other side closes."""
    with place.connect() as sock:
        sock.sendall(request)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def path_of(url):
    return urllib.parse.urlsplit(url).path


class Api:
    """JSON with a bearer token: the admin API, or the simulator's control."""

    def __init__(self, place, token=None):
        self.place = place
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method, path, value=None, headers=None):
        body = None if value is None else json.dumps(value)
        return ask(self.place, method, path, body,
                   {"Content-Type": "application/json", **self.headers, **(headers or {})})

    def get(self, path):
        """What a GET answers, which must be 200."""
        answer = self.ask("GET", path)
        assert answer.status == 200, (path, answer)
        return answer.json()

    def send(self, method, path, value=None):
        """What a change answers, which must be a success."""
        answer = self.ask(method, path, value)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer.json() if answer.body else None
