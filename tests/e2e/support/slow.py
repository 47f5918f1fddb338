# SPDX-License-Identifier: MIT
"""Slow clients, and a sender beside them that has to be served all the while."""
import collections
import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass

from . import build, tokens, web
from .daemon import result_body

PROGRAM = "slowhttptest"
# As slow as can be, once a second.
MODES = {
    "headers": ["-H", "-i", "1", "-x", "8"],
    "body": ["-B", "-i", "1", "-x", "8", "-s", "8192"],
    "read": ["-X", "-k", "10", "-n", "1", "-w", "1", "-y", "16", "-z", "1"],
}
AGAIN_S = 0.02
PATIENCE_S = 0.5  # the daemon's, with those that hold a thread while others wait for one
OVERSLEPT_S = 0.2


class SlowClients:
    """slowhttptest, for so many seconds; all of it from 127.0.0.1."""

    def __init__(self, place, mode, path, connections, per_second, seconds, directory):
        scheme = "https" if place.tls else "http"
        self.log_path = directory / "slowhttptest.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, *MODES[mode], "-c", str(connections), "-r", str(per_second), "-l",
                 str(seconds), "-p", "5", "-v", "1", "-u",
                 f"{scheme}://{place.host}:{place.port}{path}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)

    def are_there(self):
        return self.process.poll() is None

    def wait(self):
        self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()


class SlowConnections:
    """Of so many addresses, one each: they send `beginning`, then a byte a second. One that was
    ended comes again."""

    def __init__(self, place, count, beginning=b"", again=True):
        self.place, self.beginning, self.again = place, beginning, again
        self.count, self.opened = count, 0
        self._socks = {}
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _open(self):
        sock = socket.socket()
        sock.setblocking(False)
        # 127.1.0.1 and so on: each has one.
        sock.bind((f"127.1.{self.opened // 250 % 250}.{self.opened % 250 + 1}", 0))
        sock.connect_ex((self.place.host, self.place.port))
        self.opened += 1
        self._socks[sock] = False

    def _go_on(self, sock):
        """False: it was ended."""
        try:
            sock.send(b"a" if self._socks[sock] else self.beginning or b"\x16")
            self._socks[sock] = True
            return sock.recv(1024) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _run(self):
        while not self._ending:
            for _ in range(min(100, self.count - len(self._socks))):
                if self.again or self.opened < self.count:
                    self._open()
            for sock in list(self._socks):
                if not self._go_on(sock):
                    sock.close()
                    del self._socks[sock]
            time.sleep(0.2)
        for sock in self._socks:
            sock.close()

    def close(self):
        self._ending = True
        self._thread.join()


@dataclass
class Try:
    second: int
    status: int  # 0: no answer
    took_s: float


class Sender:
    """Posts again and again, each on a connection of its own, from `address`; what was turned away is
    posted again at once when it is `patient`."""

    def __init__(self, daemon, listener, address, every_s=0.1, patient=False):
        self.daemon, self.address, self.every_s, self.patient = daemon, address, every_s, patient
        self.place = daemon.place(listener)
        self.tries, self.accepted = [], {}
        self._context = None
        if self.place.tls:
            self._context = ssl.create_default_context(cafile=self.place.ca_file)
        self.begin = time.monotonic()
        self._unseen = set()
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _connect(self):
        sock = socket.create_connection((self.place.host, self.place.port), web.TIMEOUT_S,
                                        (self.address, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._context:
            return sock
        try:
            return self._context.wrap_socket(sock, server_hostname="localhost")
        except BaseException:
            sock.close()
            raise

    def _post(self, run_id, body):
        connection = http.client.HTTPConnection("localhost")
        with contextlib.closing(connection):
            connection.sock = self._connect()
            connection.request("POST", f"/callback/{self.daemon.token_for(run_id)}", body,
                               {"Content-Type": "application/json", "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _try(self, run_id, body):
        begin, status = time.monotonic(), 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, answer = self._post(run_id, body)
        if status == 200:
            self.accepted[run_id] = json.loads(answer)["result_id"]
        now = time.monotonic()
        self.tries.append(Try(int(now - self.begin), status, now - begin))
        return status

    def _rest(self, seconds):
        """A machine that lets us sleep for much longer tells nothing of the daemon meanwhile."""
        begin = time.monotonic()
        time.sleep(seconds)
        now = time.monotonic()
        if now - begin > seconds + OVERSLEPT_S:
            self._unseen.update(range(int(begin - self.begin), int(now - self.begin) + 1))

    def _run(self):
        number = 0
        while not self._ending:
            number += 1
            run_id, body = tokens.new_run_id(), result_body(number).encode()
            while self._try(run_id, body) != 200 and self.patient and not self._ending:
                self._rest(AGAIN_S)
            self._rest(self.every_s)

    def stop(self):
        self._ending = True
        self._thread.join()
        self.lasted_s = time.monotonic() - self.begin

    # ---- afterwards ----

    def counts(self):
        return dict(collections.Counter(one.status for one in self.tries))

    def seconds_without(self):
        """Whole seconds in which nothing was accepted; the build's slowness makes them longer."""
        length = build.promised(1)
        served = {one.second // length for one in self.tries if one.status == 200}
        served.update(second // length for second in self._unseen)
        return [number for number in range(int(self.lasted_s) // length) if number not in served]

    def turned_away(self):
        """Tries that were not slow themselves, and not accepted."""
        return [one for one in self.tries if one.status != 200 and one.took_s < PATIENCE_S / 2]

    def quantile_s(self, share):
        took = sorted(one.took_s for one in self.tries if one.status == 200)
        return took[min(len(took) - 1, int(len(took) * share))] if took else None

    def lost(self):
        """Accepted and not stored."""
        stored = dict(self.daemon.received("SELECT run_id, id FROM received"))
        return {run_id: result_id for run_id, result_id in self.accepted.items()
                if stored.get(run_id) != result_id}
