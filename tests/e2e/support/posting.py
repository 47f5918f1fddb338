# SPDX-License-Identifier: MIT
"""Posts as fast as they are taken, each of a run of its own, and remembers every answer.

One thread serves all connections. A post without an answer, or with one that asks to try again,
is posted again, as a sender would: so nothing is left open in the end, and what was stored before
its answer was lost must not be stored twice.
"""
import collections
import hashlib
import heapq
import json
import random
import selectors
import threading
import time
from dataclasses import dataclass

from . import tokens, web
from .waiting import wait_for

CONNECTIONS = 64
AGAIN_S = 0.02  # between two tries of the same post
TICK_S = 0.01
SIZES = [(0.9, 200, 800), (0.09, 4_000, 40_000), (0.01, 100_000, 300_000)]  # share, least, most


@dataclass(slots=True)
class Post:
    """One result; `body` is dropped once it was taken."""
    run_id: str
    execution_id: int
    path: str
    body: bytes
    sha256: str
    sent_ns: int = 0      # when its latest try began
    answered_ns: int = 0  # when the 200 was there
    result_id: str = ""
    tries: int = 0


class _Connection:
    """A keep-alive connection with at most one post under way."""

    def __init__(self, place):
        self.post, self.place = None, place
        self.sock = place.connect()
        self.sock.setblocking(False)

    def begin(self, post):
        self.post = post
        post.tries += 1
        head = (f"POST {post.path} HTTP/1.1\r\nHost: {self.place.name()}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(post.body)}\r\n\r\n")
        self.rest = memoryview(head.encode() + post.body)
        self.answer = b""
        post.sent_ns = time.monotonic_ns()
        self.send()

    def send(self):
        try:
            self.rest = self.rest[self.sock.send(self.rest):]
        except BlockingIOError:
            pass

    def receive(self):
        """The status and the answer's body, once it is whole; None until then."""
        try:
            chunk = self.sock.recv(65536)
        except BlockingIOError:
            return None
        if not chunk:
            raise ConnectionError("closed")
        self.answer += chunk
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        self.closes = b"connection: close" in lines
        return (int(lines[0][9:12]), body) if len(body) >= length else None


class Poster:
    """`allow(n)` lets it send n more posts; it ends with `stop()`."""

    def __init__(self, daemon, seed, connections=CONNECTIONS):
        self.daemon, self.chance = daemon, random.Random(seed)
        self.place = daemon.place()
        self.connections = connections
        self.acknowledged = []            # in the order of their answers
        self.refused = collections.Counter()  # tries by status; 0: no answer
        self.unexpected = []              # answers that no such post should get
        self.failure = None
        self._allowed, self._begun = 0, 0
        self._paused = self._ending = False
        self._again = []                  # heap of (not before, number, post)
        self._under_way = 0
        self._selector = selectors.DefaultSelector()
        self._free = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # ---- for whoever uses it ----

    def allow(self, count):
        self._allowed += count

    def pause(self):
        """Nothing more is sent until `go_on`; what is under way may still be answered."""
        self._paused = True

    def wait_until_idle(self):
        """For a paused one: nothing is under way any more."""
        wait_for("no post is under way", lambda: self._check() and not self._under_way)

    def go_on(self):
        self._paused = False

    def wait_for_more(self, count):
        """Until `count` more were acknowledged."""
        target = len(self.acknowledged) + count
        wait_for(f"{count} more posts were acknowledged",
                 lambda: self._check() and len(self.acknowledged) >= target)

    def wait_for_refusals(self, count):
        """Until `count` more tries were answered otherwise, or not at all."""
        target = self.refused.total() + count
        wait_for(f"{count} more posts were refused",
                 lambda: self._check() and self.refused.total() >= target)

    def finish(self):
        """Until all that was allowed is acknowledged; a standstill is a failure."""
        while (begin := len(self.acknowledged)) < self._allowed:
            target = min(begin + 1000, self._allowed)
            wait_for(f"{target} posts were acknowledged",
                     lambda: self._check() and len(self.acknowledged) >= target)

    def stop(self):
        self._ending = True
        self._thread.join()
        self._check()

    # ---- its own thread ----

    def _check(self):
        if self.failure:
            raise self.failure
        return True

    def _run(self):
        try:
            while not self._ending:
                self._begin_posts()
                for key, events in self._selector.select(TICK_S):
                    self._advance(key.data, events)
        except BaseException as failure:  # shown by whoever waits, in the test's own thread
            self.failure = failure
        finally:
            for key in list(self._selector.get_map().values()):
                key.fileobj.close()
            self._selector.close()

    def _make(self):
        run_id = tokens.new_run_id()
        execution_id = 10**14 + self._begun
        _, least, most = self.chance.choices(SIZES, [size[0] for size in SIZES])[0]
        text = "The customer asks for a refund. " * (self.chance.randrange(least, most) // 32 + 1)
        body = json.dumps({"workflow_version_execution_id": execution_id, "final_output": {
            "Answer": {"status": "SUCCESS", "value": text, "is_output_node": True}}}).encode()
        self._begun += 1
        return Post(run_id, execution_id, "/callback/" + self.daemon.token_for(run_id), body,
                    hashlib.sha256(body).hexdigest())

    def _next(self):
        if self._again and self._again[0][0] <= time.monotonic():
            return heapq.heappop(self._again)[2]
        return self._make() if self._begun < self._allowed else None

    def _begin_posts(self):
        while not self._paused and self._under_way < self.connections and (post := self._next()):
            self._under_way += 1
            self._begin(post)

    def _begin(self, post):
        connection = self._free.pop() if self._free else None
        try:
            if connection is None:
                connection = _Connection(self.place)
                self._selector.register(connection.sock, selectors.EVENT_READ, connection)
            connection.begin(post)
            self._watch(connection)
        except OSError:
            # A kept connection may have ended with the process that served it.
            self._lost(post, connection)

    def _watch(self, connection):
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.rest else 0)
        if self._selector.get_key(connection.sock).events != events:
            self._selector.modify(connection.sock, events, connection)

    def _advance(self, connection, events):
        if connection.post is None:  # kept and unused: the server ended it
            self._free.remove(connection)
            self._close(connection)
            return
        try:
            if events & selectors.EVENT_WRITE:
                connection.send()
                self._watch(connection)
            answer = connection.receive() if events & selectors.EVENT_READ else None
        except OSError:
            self._lost(connection.post, connection)
            return
        if answer is not None:
            self._answered(connection, *answer)

    def _close(self, connection):
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _lost(self, post, connection):
        if connection is not None:
            self._close(connection)
        self._try_again(post, 0)

    def _try_again(self, post, status):
        self.refused[status] += 1
        self._under_way -= 1
        heapq.heappush(self._again, (time.monotonic() + AGAIN_S, post.execution_id, post))

    def _answered(self, connection, status, body):
        post, connection.post = connection.post, None
        if connection.closes or connection.rest:
            self._close(connection)
        else:
            self._free.append(connection)
        if status != 200:
            if status not in (429, 503):
                self.unexpected.append((status, body))
            self._try_again(post, status)
            return
        post.answered_ns = time.monotonic_ns()
        post.result_id = json.loads(body)["result_id"]
        post.body = b""
        self._under_way -= 1
        self.acknowledged.append(post)
