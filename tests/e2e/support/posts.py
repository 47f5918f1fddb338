# SPDX-License-Identifier: MIT
"""A sender that remembers what it was told: nothing with a 200 may be missing later."""
import http.client
import threading

from . import tokens, web
from .daemon import PLAIN, result_body

BROKEN = 0  # in place of a status: the connection ended without an answer


class Posts:
    """Each post is for a run of its own, so that it can be stored once only."""

    def __init__(self, daemon, listener=PLAIN, size=0):
        self.daemon, self.listener, self.size = daemon, listener, size
        self.bodies = {}  # of all that were sent, by run
        self.accepted = {}  # result id, by run
        self.lock = threading.Lock()

    def path(self, run_id, **token):
        return f"/callback/{self.daemon.token_for(run_id, **token)}"

    def new(self, run_id=None):
        """A run and the body of its post: another one, or that of a run that has one."""
        run_id = run_id or tokens.new_run_id()
        with self.lock:
            body = self.bodies.setdefault(run_id, result_body(
                len(self.bodies) + 1, '"%s"' % ("x" * self.size)).encode())
        return run_id, body

    def note(self, run_id, answer):
        """Remembers what was answered; returns it."""
        if answer.status == 200:
            with self.lock:
                self.accepted[run_id] = answer.json()["result_id"]
        elif answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0, answer
            assert answer.headers["Content-Type"] == "application/problem+json"
        return answer

    def send(self, run_id=None):
        """Posts, or posts again; returns the answer, or None when there was none."""
        run_id, body = self.new(run_id)
        try:
            answer = self.daemon.post(self.path(run_id), body, listener=self.listener)
        except (OSError, http.client.HTTPException):
            return None
        return self.note(run_id, answer)

    def status(self, run_id=None):
        answer = self.send(run_id)
        return BROKEN if answer is None else answer.status

    def statuses(self, count):
        return [self.status() for _ in range(count)]

    def unanswered(self):
        """Runs whose post got no 200."""
        return [run_id for run_id in self.bodies if run_id not in self.accepted]

    def send_again(self):
        """What a sender does with what was not accepted. It must be, now."""
        for run_id in self.unanswered():
            assert self.status(run_id) == 200, self.daemon.log_text()[-3000:]

    def check(self):
        """Every accepted post is stored, exactly once, as it was sent; the log is whole."""
        self.check_rows(self.daemon.received("SELECT run_id, id, body FROM received"
                                             " WHERE duplicate_of IS NULL"))
        assert self.daemon.received("PRAGMA integrity_check") == [("ok",)]

    def check_rows(self, rows):
        stored = {run_id: (result_id, body) for run_id, result_id, body in rows}
        assert len(stored) == len(rows), "a post is stored twice"
        for run_id, result_id in self.accepted.items():
            assert run_id in stored, f"accepted and lost: {result_id}"
            assert stored[run_id] == (result_id, self.bodies[run_id])


def at_once(count, action):
    """Runs `action(i)` in so many threads; returns what they returned."""
    results = [None] * count

    def run(i):
        results[i] = action(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def is_ready(daemon, listener=PLAIN):
    """What /readyz says: True or False; None when it says nothing."""
    try:
        status = web.ask(daemon.place(listener), "GET", "/readyz").status
    except (OSError, http.client.HTTPException):
        return None
    return {200: True, 503: False}[status]
