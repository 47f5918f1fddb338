# SPDX-License-Identifier: MIT
"""What a process runs out of, and a clock that jumps (docs/RELIABILITY.md, "Faults")."""
import concurrent.futures
import contextlib
import datetime
import errno
import os
import resource
import signal
import time

import pytest

from support import faults, processes, web
from support.daemon import PLAIN, RECEIVER, TLS, WORKER
from support.faults import DAY_S, FOR_EVER, Faults
from support.posts import BROKEN, Posts, is_ready
from support.waiting import wait_for

LONG = os.environ.get("CALLBACKD_TEST_LONG") == "1"
BEGINS, ENDS = 'msg="the store cannot be written"', 'msg="the store can be written again"'


@pytest.fixture
def broken(daemon, faults_library):
    return Faults(daemon, faults_library)


def lines(daemon, text):
    return [line for line in daemon.log_text().splitlines() if text in line]


def start_again(daemon):
    daemon.launch()
    wait_for("the daemon is ready", daemon.is_ready)


# ---- memory ----

def post_while_memory_is_short(broken, posts, first, count):
    """Did it strike? Whatever is answered, nobody is lied to, and the next one is served."""
    with broken.during(faults.ALLOCATE, errno.ENOMEM, first, count):
        assert set(posts.statuses(2)) <= {200, 503, BROKEN}
    wait_for("the receiver serves again", lambda: is_ready(broken.daemon, posts.listener))
    posts.send_again()
    return broken.struck > 0


@pytest.mark.skipif(faults.SANITIZER is not None, reason="a sanitizer allocates by itself")
@pytest.mark.parametrize("listener, step", [(PLAIN, 1 if LONG else 3),
                                            (TLS, 1 if LONG else 97)],
                         ids=["plain", "tls"])
def test_memory_that_is_short_at_any_position(daemon, broken, listener, step):
    daemon.start()
    receiver = daemon.child(RECEIVER)
    posts = Posts(daemon, listener)
    for count in (1, 2, 7, FOR_EVER) if LONG else (1, FOR_EVER):
        first = 1
        while post_while_memory_is_short(broken, posts, first, count):
            first += step
        assert first > 20, "too few allocations were seen"
    assert daemon.child(RECEIVER) == receiver, "it died of it"
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS))
    daemon.kill()
    start_again(daemon)
    posts.check()


def run_hook_while_memory_is_short(broken, posts, ran, first, count):
    """Did it strike? Every result has its hook run, then or later."""
    def all_ran():
        return set(ran.read_text().split()) == set(posts.accepted.values())

    worker = broken.daemon.child(WORKER)
    with broken.during(faults.ALLOCATE, errno.ENOMEM, first, count, roles=faults.WORKER):
        assert posts.status() == 200
        wait_for("it struck or missed", lambda: broken.struck or all_ran())
    wait_for("every hook has run", all_ran)
    assert broken.daemon.child(WORKER) == worker, "it died of it"
    return broken.struck > 0


@pytest.mark.skipif(faults.SANITIZER is not None, reason="a sanitizer allocates by itself")
def test_memory_of_the_worker_that_is_short_at_any_position(daemon, broken):
    daemon.hook(shell='echo "$CALLBACK_RESULT_ID" >> ran',
                when={"match": [{"header": "Host", "glob": "*"},
                                {"header": "Host", "regex": "."},
                                {"pointer": "/workflow_version_execution_id", "regex": "^[0-9]"}]},
                retry={"attempts": 100, "first_delay": "10ms", "max_delay": "20ms"})
    daemon.start()
    posts = Posts(daemon)
    ran = daemon.directory / "ran"
    ran.touch()
    for count in (1, FOR_EVER):
        first = 1
        while run_hook_while_memory_is_short(broken, posts, ran, first, count):
            first += 1 if LONG else 67
    wait_for("every end is recorded", lambda: daemon.decided(
        "SELECT state, count(*) FROM jobs GROUP BY state") == [("succeeded", len(posts.accepted))])


# ---- descriptors ----

def limit_descriptors(pid, spare):
    """From now on it may open so many more; returns the limits that it had."""
    limit = len(os.listdir(f"/proc/{pid}/fd")) + spare
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    return before


def cpu_seconds(pid):
    fields = processes.read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_a_cpu(pid, seconds):
    """What a process takes, measured for so long."""
    begin, cpu = time.monotonic(), cpu_seconds(pid)
    wait_for("it was measured", lambda: time.monotonic() - begin >= seconds)
    return (cpu_seconds(pid) - cpu) / (time.monotonic() - begin)


def test_connections_beyond_the_descriptors_wait(daemon, broken):
    daemon.start()
    receiver = daemon.child(RECEIVER)
    posts = Posts(daemon)
    assert posts.status() == 200
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(web.Client(daemon.place()))
        assert client.ask("GET", "/healthz").status == 200
        limit_descriptors(receiver, 10)
        begin = time.monotonic()
        for _ in range(40):
            stack.enter_context(daemon.place().connect())
        wait_for("it has none left", lambda: lines(daemon, "cannot accept a connection"))
        # A loop without a pause would take all that it gets.
        assert share_of_a_cpu(receiver, 1) < 0.2
        # Who is connected is served; the log has what it needs.
        for _ in range(3):
            run_id, body = posts.new()
            answer = client.ask("POST", posts.path(run_id), body)
            assert posts.note(run_id, answer).status == 200
        # A log that has to be opened anew finds nothing to open it with.
        with broken.during(faults.SYNC):
            run_id, body = posts.new()
            assert posts.note(run_id, client.ask("POST", posts.path(run_id), body)).status == 503
        answer = posts.note(run_id, client.ask("POST", posts.path(run_id), body))
        assert answer.status in (200, 503)
    # Once in 10 s.
    told = len(lines(daemon, "cannot accept a connection"))
    assert 1 <= told <= 1 + (time.monotonic() - begin) // 10
    wait_for("others are served again", lambda: is_ready(daemon))
    posts.send_again()
    assert daemon.child(RECEIVER) == receiver
    assert len(lines(daemon, BEGINS)) == len(lines(daemon, ENDS)) == 1
    posts.check()


@pytest.mark.parametrize("listener", [PLAIN, TLS], ids=["plain", "tls"])
def test_a_connection_that_is_just_accepted_is_served_at_a_reload(daemon, broken, listener):
    """Nobody else has it: a sender that posts once would lose its result."""
    daemon.start()
    posts = Posts(daemon, listener)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with broken.during(faults.ACCEPT, effect=faults.HOLD, count=1):
            status = pool.submit(posts.status)
            wait_for("its connection is accepted", lambda: broken.struck)
            os.kill(daemon.pid, signal.SIGHUP)
            wait_for("its receiver is to end", lambda: lines(daemon, "msg=draining"))
        assert status.result() == 200
    drains, = lines(daemon, "msg=draining")
    assert drains.endswith("connections=1")
    posts.check()


def is_refused(place):
    try:
        place.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("goes_back", [False, True], ids=["goes-on", "goes-back"])
def test_a_removed_address_is_served_until_a_receiver_without_it_serves(daemon, broken, goes_back):
    daemon.start()
    posts = Posts(daemon)
    place, before = daemon.place(PLAIN), daemon.config["listen"][1]

    def reload(listener):
        daemon.config["listen"][1] = listener
        daemon.write_config()
        os.kill(daemon.pid, signal.SIGHUP)

    def post():
        run_id, body = posts.new()
        answer = web.ask(place, "POST", posts.path(run_id), body)
        assert posts.note(run_id, answer).status == 200

    with broken.during(faults.OPEN, effect=faults.HOLD):
        reload({"unix": "second.sock"})
        wait_for("the new receiver begins, and is held", lambda: broken.struck)
        post()
        if goes_back:
            reload(before)
            wait_for("another one, too", lambda: broken.struck == 2)
            post()
    wait_for("one is ready, and the first drains", lambda: lines(daemon, "msg=draining"))
    if goes_back:
        wait_for("the last is ready", lambda: len(lines(daemon, "child ready")) == 4)
        assert daemon.place(PLAIN) == place
        post()
    else:
        wait_for("the address is closed", lambda: is_refused(place))
    posts.check()


def test_a_receiver_that_is_told_to_end_before_it_began_is_no_error(daemon, broken):
    daemon.start()
    with broken.during(faults.OPEN, effect=faults.HOLD):
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for("the new receiver begins, and is held", lambda: broken.struck)
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for("the old one has ended", lambda: lines(daemon, 'msg="child ended" child=receiver'))
    assert daemon.process.wait(60) == 0
    assert not lines(daemon, "level=error")
    told, = lines(daemon, "receiver ended before it began")
    assert "is not a listening socket" in told


def test_a_hook_that_finds_no_descriptor_is_tried_again(daemon):
    daemon.hook(shell="true", retry={"attempts": 1000, "first_delay": "20ms",
                                     "max_delay": "20ms"})
    daemon.start()
    posts = Posts(daemon)
    assert posts.status() == 200
    daemon.wait_for_jobs(1)
    worker = daemon.child(WORKER)
    before = limit_descriptors(worker, 1)
    assert posts.status() == 200
    wait_for("an attempt has failed", lambda: daemon.decided(
        "SELECT count(*) FROM attempts WHERE outcome = 'spawn_error'") != [(0,)])
    resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
    daemon.wait_for_jobs(2)
    assert daemon.child(WORKER) == worker
    messages = daemon.decided("SELECT DISTINCT message FROM attempts"
                              " WHERE outcome = 'spawn_error'")
    assert all("Too many open files" in message for message, in messages), messages


# ---- the clock ----

def listed(daemon):
    """All results, by pages of two, newest first."""
    found, cursor = [], ""
    while cursor is not None:
        page = daemon.admin.get(f"/api/v1/results?limit=2{cursor and '&cursor=' + cursor}")
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def test_a_clock_that_jumps(daemon, broken):
    """Times are the clock's, for better or worse; order, timeouts and what is known are not."""
    daemon.config["limits"]["request_timeout"] = "5m"
    daemon.start()
    posts = Posts(daemon)

    def post(run_id, lifetime_s):
        return daemon.post(posts.path(run_id, expires_in_s=lifetime_s), posts.new(run_id)[1])

    repeated, _ = posts.new()
    assert posts.status(repeated) == 200
    slow, slow_body = posts.new()
    with daemon.place().connect() as sock:
        sock.sendall(f"POST {posts.path(slow, expires_in_s=2 * DAY_S)} HTTP/1.1\r\nHost: x\r\n"
                     f"Content-Length: {len(slow_body)}\r\n\r\n".encode() + slow_body[:10])
        for offset_s, after_an_hour in [(DAY_S, 401), (-DAY_S, 200), (0, 200)]:
            broken.set_clock(offset_s)
            run_id, _ = posts.new()
            assert post(run_id, 3600).status == after_an_hour
            assert posts.note(run_id, post(run_id, 2 * DAY_S)).status == 200
            assert post(repeated, 2 * DAY_S).json()["duplicate"] is True
            assert is_ready(daemon) is True
        sock.sendall(slow_body[10:])
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 "), "a timeout went by the clock"
    posts.send_again()
    daemon.wait_until_taken_in()
    results = listed(daemon)
    assert len(results) == len({result["id"] for result in results}) == len(posts.accepted)
    at = [datetime.datetime.fromisoformat(result["received_at"].replace("Z", "+00:00"))
          for result in results]
    assert at == sorted(at, reverse=True)
    assert (at[0] - at[-1]).total_seconds() > 2 * DAY_S - 3600, "the clock has not jumped"
    assert not lines(daemon, BEGINS)
    daemon.stop()
    posts.check()


def test_a_clock_that_jumps_makes_nothing_old(daemon, broken):
    """Neither what was there before, nor what came while the clock was wrong."""
    daemon.config["store"]["retention"] = "30d"
    daemon.start()
    posts = Posts(daemon)

    def post_at(offset_s):
        broken.set_clock(offset_s)
        run_id, body = posts.new()
        path = posts.path(run_id, expires_in_s=400 * DAY_S)
        assert posts.note(run_id, daemon.post(path, body)).status == 200
        daemon.wait_until_taken_in()

    def seen(times):
        return len(lines(daemon, "the clock was set forward")) == times

    post_at(0)
    post_at(40 * DAY_S)
    wait_for("retention goes by the clock", lambda: seen(1))
    post_at(-40 * DAY_S)
    wait_for("retention goes by the clock", lambda: lines(daemon, "judged by the clock again"))
    post_at(0)
    wait_for("retention goes by the clock", lambda: seen(2))
    assert len(listed(daemon)) == len(posts.accepted) == 4
    daemon.stop()
    posts.check()
