# SPDX-License-Identifier: MIT
"""Stopping, dying, and taking over a new configuration."""
import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from support import build, processes, tokens, web
from support.daemon import PLAIN, RECEIVER, TLS, UNIX, WORKER, result_body
from support.waiting import becomes_true_within, wait_for


class Traffic:
    """Posts on one keep-alive connection, each for a run of its own, until it is told to stop.

    Like an ordinary client it opens another connection when the server says "Connection: close".
    """

    def __init__(self, daemon, listener, tolerant=False):
        self.daemon, self.listener, self.tolerant = daemon, listener, tolerant
        self.run_ids = iter([])
        self.accepted, self.failures = [], []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        place = self.daemon.place(self.listener)
        client = web.Client(place)
        number = 0
        while not self.stopping.is_set():
            number += 1
            run_id = tokens.new_run_id()
            path = f"/callback/{self.daemon.token_for(run_id)}"
            try:
                answer = client.ask("POST", path, result_body(number))
            except (OSError, http.client.HTTPException) as failure:
                client.close()
                client = web.Client(place)
                if not self.tolerant:
                    self.failures.append(repr(failure))
                continue
            if answer.status != 200:
                self.failures.append(answer)
            else:
                self.accepted.append((answer.json()["result_id"], result_body(number).encode()))
            if answer.headers.get("Connection") == "close":
                client.close()
        client.close()

    def __enter__(self):
        self.thread.start()
        wait_for("traffic flows", lambda: self.accepted or self.failures)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def wait_for_more(self, count=5):
        so_far = len(self.accepted)
        wait_for("traffic goes on", lambda: len(self.accepted) >= so_far + count)


def answers(daemon, listener=PLAIN):
    try:
        return web.ask(daemon.place(listener), "GET", "/readyz").status == 200
    except ConnectionRefusedError:
        raise AssertionError("a connection was refused") from None
    except (OSError, http.client.HTTPException):
        return False


def test_the_log_says_what_was_started_and_what_became_of_it(daemon):
    daemon.hook(name="bad", shell="exit 3", retry={"attempts": 1})
    daemon.start()
    run = daemon.launched(7)
    assert daemon.call_back(run, b"nonsense").status == 400
    result_id = daemon.call_back(run, result_body(7)).json()["result_id"]
    daemon.wait_for_jobs(1, "dead")
    daemon.stop()
    lines = daemon.log_text().splitlines()
    assert "msg=starting version=" in lines[0] and f"config={daemon.config_path}" in lines[0]
    refused, = [line for line in lines if 'msg="post refused"' in line]
    assert f"run_id={run['run_id']}" in refused and "body: byte 1" in refused
    ended, = [line for line in lines if 'msg="attempt ended"' in line]
    assert "level=warning" in ended and f"result_id={result_id}" in ended
    assert "exit_code=3" in ended and "message=" not in ended and "signal=" not in ended
    assert "msg=stopped" in lines[-1]


# ---- stopping ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_in_order(daemon, number):
    daemon.start()
    children = processes.children(daemon.pid)
    os.kill(daemon.pid, number)
    assert daemon.process.wait(30) == 0
    assert not any(processes.exists(pid) for pid in children)
    assert "msg=stopped" in daemon.log_text()
    assert not (daemon.directory / "receiver.sock").exists()


def test_no_runtime_directory_is_left_behind_by_a_stop(daemon):
    daemon.hook(shell="true")
    daemon.start()
    store = (daemon.directory / "store").stat()
    runtime = pathlib.Path(f"/dev/shm/callbackd-{os.getuid()}-{store.st_dev:x}-{store.st_ino:x}")
    wait_for("the worker has its runtime directory", runtime.is_dir)
    daemon.call_back(daemon.launched(7), result_body(7))
    daemon.wait_for_jobs(1)
    daemon.stop()
    assert not runtime.exists()


def test_a_configured_runtime_directory_stays(daemon):
    (daemon.directory / "bodies").mkdir(mode=0o700)
    daemon.config["store"]["runtime_directory"] = "bodies"
    daemon.start()
    daemon.stop()
    assert (daemon.directory / "bodies").is_dir()


def test_a_request_under_way_is_finished_at_a_stop(daemon):
    daemon.start()
    path = web.path_of(daemon.launched(7)["callback_url"])
    body = result_body(7).encode()
    before = daemon.metric("requests")
    with daemon.place(PLAIN).connect() as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                     .encode() + body[:10])
        wait_for("the request is under way", lambda: daemon.metric("requests") > before)
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for("it is stopping", lambda: "msg=stopping" in daemon.log_text())
        sock.sendall(body[10:])
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert daemon.process.wait(30) == 0
    assert daemon.received("SELECT body FROM received") == [(body,)]


def test_running_hooks_get_their_time_at_a_stop(daemon):
    daemon.config["limits"].update({"stop_timeout": "20s"})
    daemon.hook(shell="touch started; while test ! -e go; do sleep 0.02; done; touch finished")
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    wait_for("the hook runs", (daemon.directory / "started").exists)
    os.kill(daemon.pid, signal.SIGTERM)
    wait_for("the receiver is gone", lambda: not daemon.children(RECEIVER))
    (daemon.directory / "go").touch()
    assert daemon.process.wait(60) == 0
    assert (daemon.directory / "finished").exists()
    assert daemon.decided("SELECT state FROM jobs") == [("succeeded",)]


def refuses(place):
    try:
        place.connect().close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except ConnectionResetError:
        pass  # in the moment in which it is closed
    return False


def test_a_stop_lets_nobody_wait_in_vain(daemon):
    daemon.config["limits"].update({"stop_timeout": "60s"})
    daemon.hook(shell="touch started; while test ! -e go; do sleep 0.02; done")
    daemon.start()
    places = [daemon.place(listener) for listener in (PLAIN, TLS, UNIX)]
    daemon.call_back(daemon.launched(7), result_body(7))
    wait_for("the hook runs", (daemon.directory / "started").exists)
    os.kill(daemon.pid, signal.SIGTERM)
    wait_for("nobody listens", lambda: all(map(refuses, places)))
    assert daemon.children(WORKER), "it has not stopped yet"
    (daemon.directory / "go").touch()
    assert daemon.process.wait(60) == 0


def test_a_second_daemon_on_the_same_store_is_refused(daemon):
    daemon.start()
    second = subprocess.run([build.CALLBACKD, "--config", daemon.config_path],
                            capture_output=True, text=True, timeout=60)
    assert second.returncode not in (0, None)
    assert "receiver" in second.stderr and second.returncode == 69
    waiting = second.stderr.splitlines()[1]  # said before it waits
    assert "waiting for another callbackd" in waiting and f"process {daemon.pid}" in waiting


# ---- dying ----

def test_no_connection_is_refused_while_a_receiver_is_killed(daemon):
    daemon.start()
    for listener in (PLAIN, TLS, UNIX):
        victim = daemon.child(RECEIVER)
        processes.kill(victim)
        becomes_true_within(1, "the service answers again", lambda: answers(daemon, listener))
        assert daemon.child(RECEIVER) != victim
    assert daemon.metric("receiver_restarts") == 3
    log = daemon.log_text()
    assert log.count('msg="child died" child=receiver') == 3
    assert log.count("signal=KILL") == 3


def test_posts_that_were_accepted_survive_the_receiver(daemon):
    daemon.start()
    with Traffic(daemon, PLAIN, tolerant=True) as traffic:
        for _ in range(3):
            traffic.wait_for_more()
            processes.kill(daemon.child(RECEIVER))
            wait_for("the service answers again", lambda: answers(daemon))
        traffic.wait_for_more()
    assert not traffic.failures
    stored = dict(daemon.received("SELECT id, body FROM received WHERE duplicate_of IS NULL"))
    for result_id, body in traffic.accepted:
        assert stored[result_id] == body


def test_a_killed_worker_is_replaced_and_finishes_its_jobs(daemon):
    daemon.hook(shell="""echo "$CALLBACK_JOB_ID $CALLBACK_ATTEMPT" >> ran
                         while test ! -e go; do sleep 0.02; done""")
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    ran = daemon.directory / "ran"
    wait_for("the hook runs", lambda: ran.exists() and ran.read_text().endswith("\n"))
    victim = daemon.child(WORKER)
    hook = processes.children(victim)
    processes.kill(victim)
    becomes_true_within(1, "there is another worker", lambda: daemon.child(WORKER) not in
                        (None, victim))
    wait_for("the old hook is gone", lambda: not any(map(processes.exists, hook)))
    (daemon.directory / "go").touch()
    job, = daemon.wait_for_jobs(1)
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["interrupted", "exit"]
    assert ran.read_text().split() == [job["id"], "1", job["id"], "2"]
    assert daemon.metric("worker_restarts") == 1


def test_posts_are_accepted_while_there_is_no_worker(daemon):
    daemon.hook(shell="true")
    daemon.start()
    run = daemon.launched(7)
    os.kill(daemon.child(WORKER), signal.SIGSTOP)
    assert daemon.call_back(run, result_body(7)).status == 200
    processes.kill(daemon.child(WORKER))
    daemon.wait_for_jobs(1)


def test_nothing_outlives_a_killed_supervisor(daemon):
    daemon.hook(shell="""setsid sh -c 'echo $$ >> pids; exec sleep 1000' &
                         echo $$ >> pids; exec sleep 1000""")
    daemon.start()
    daemon.call_back(daemon.launched(7), result_body(7))
    pids = daemon.directory / "pids"
    wait_for("the hook's tree runs", lambda: pids.exists() and len(pids.read_text().split()) == 2)
    listeners = [daemon.place(listener) for listener in (PLAIN, TLS, UNIX)]
    below = processes.descendants(daemon.pid)
    assert len(below) == 4
    processes.kill(daemon.pid)
    daemon.process.wait()
    wait_for("children and hooks are gone", lambda: not any(map(processes.exists, below)),
             build.promised(5))
    for place in listeners:
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            place.connect()
    # And a new one takes over the same store, ports and sockets.
    daemon.config["listen"][1]["address"] = f"127.0.0.1:{listeners[0].port}"
    daemon.config["hooks"][0]["shell"] = "true"
    daemon.write_config()
    daemon.launch()
    becomes_true_within(2, "the service answers again", lambda: daemon.listeners() and
                                  answers(daemon))
    assert daemon.place(PLAIN).port == listeners[0].port
    wait_for("it is ready", daemon.is_ready)
    job, = daemon.wait_for_jobs(1, hook="hook0")
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["interrupted", "exit"]


def test_a_worker_that_cannot_start_does_not_stop_the_receiver(daemon):
    daemon.start()
    run = daemon.launched(7)
    for _ in range(3):
        victim = wait_for("there is a worker", lambda: daemon.child(WORKER))
        processes.kill(victim)
        assert daemon.call_back(run, result_body(7)).status == 200
        wait_for("there is another one", lambda: daemon.child(WORKER) not in (None, victim))


# ---- reloading ----

def test_a_reload_brings_a_new_hook_and_endpoint(daemon):
    daemon.start()
    daemon.hook(name="new", shell="true")
    daemon.endpoint(name="new", path="/new", kind="json", verify="none")
    daemon.write_config()
    daemon.reload()
    assert daemon.post("/new", b"1").status == 200
    daemon.wait_for_jobs(1, hook="new")
    assert daemon.metric("reloads") == 1


def test_a_bad_configuration_is_refused_and_the_old_one_stays(daemon):
    daemon.start()
    children = processes.children(daemon.pid)
    daemon.write_config('{"listen": 1, "nonsense": 2}')
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("the reload is refused", lambda: "reload refused" in daemon.log_text())
    assert daemon.metric("reloads_refused") == 1
    assert processes.children(daemon.pid) == children
    assert daemon.call_back(daemon.launched(7), result_body(7)).status == 200
    problems = [line for line in daemon.log_text().splitlines() if "configuration problem" in line]
    assert len(problems) >= 2 and all("line=" in line and "key=" in line for line in problems)


def test_a_reload_brings_a_new_certificate(daemon, other_certificates):
    daemon.start()
    daemon.config["listen"][0]["tls"] = {"certificate": str(other_certificates / "server.pem"),
                                         "private_key": str(other_certificates / "server.key")}
    daemon.write_config()
    daemon.reload()
    place = daemon.place(TLS)
    with pytest.raises(ssl.SSLError):
        web.ask(place, "GET", "/healthz")
    place = web.Place(host=place.host, port=place.port, tls=True,
                      ca_file=str(other_certificates / "ca.pem"))
    assert web.ask(place, "GET", "/healthz").status == 200


def test_a_reload_brings_a_new_certificate_to_the_admin_listener(daemon, certificates,
                                                                other_certificates):
    def tls(folder):
        return {"certificate": str(folder / "server.pem"), "private_key": str(folder / "server.key")}

    def health(folder):
        """The admin API's answer to one who trusts that authority."""
        return web.ask(web.Place(host=host, port=int(port), tls=True, ca_file=str(folder / "ca.pem")),
                       "GET", "/metrics").status

    daemon.config["admin"]["tls"] = tls(certificates)
    daemon.write_config()
    daemon.launch()
    wait_for("it is ready", lambda: "msg=ready" in daemon.log_text())
    host, _, port = daemon.announced()["admin"]["address"].rpartition(":")
    assert health(certificates) == 401
    daemon.config["admin"]["tls"] = tls(other_certificates)
    daemon.write_config()
    daemon.reload()
    assert health(other_certificates) == 401
    with pytest.raises(ssl.SSLError):
        health(certificates)


def test_a_reload_warns_of_what_needs_a_restart(daemon):
    daemon.start()
    daemon.config["admin"]["address"] = "127.0.0.2:0"
    daemon.config["store"]["runtime_directory"] = "run"
    daemon.write_config()
    daemon.reload()
    warned = re.findall(r'level=warning .*msg="a change needs a restart[^"]*" key=(\S+)',
                        daemon.log_text())
    assert warned == ["admin.address", "store.runtime_directory"]
    assert daemon.admin.get("/api/v1/runs")["items"] == []


def test_a_reload_brings_new_secrets_and_keeps_old_ones_for_verification(daemon):
    daemon.start()
    old = daemon.launched(7)
    new_key = daemon.write_secret("new.key", b"n" * 32)
    daemon.config["run_token"]["key_file"] = [str(new_key), "run-token.key"]
    daemon.write_config()
    daemon.reload()
    new = daemon.launched(8)
    assert daemon.call_back(old, result_body(7)).status == 200
    assert daemon.call_back(new, result_body(8)).status == 200
    daemon.config["run_token"]["key_file"] = str(new_key)
    daemon.write_config()
    daemon.reload()
    assert daemon.call_back(old, result_body(7)).status == 401
    assert daemon.call_back(new, result_body(8)).status == 200


def test_a_reload_opens_and_closes_listeners(daemon):
    daemon.start()
    kept, gone = daemon.place(TLS), daemon.place(PLAIN)
    daemon.config["listen"][1] = {"unix": "second.sock"}
    daemon.write_config()
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("the new socket is announced", lambda: daemon.place(PLAIN).unix)
    wait_for("it answers", lambda: answers(daemon, PLAIN))
    assert web.ask(kept, "GET", "/healthz").status == 200
    assert daemon.place(TLS) == kept

    def is_closed():
        try:
            gone.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    wait_for("the old port is closed", is_closed)


def test_no_post_fails_during_five_reloads(daemon):
    # Short, so that old receivers end; but not shorter than a sender may be held up here.
    patience = f"{build.promised(2)}s"
    daemon.config["limits"].update({"idle_timeout": patience, "request_timeout": patience})
    daemon.start()
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Traffic(daemon, listener))
                   for listener in (TLS, PLAIN, UNIX)]
        for number in range(5):
            daemon.hook(name=f"unused{number}", when={"status": ["failed"]}, shell="true")
            daemon.write_config()
            os.kill(daemon.pid, signal.SIGHUP)
            wait_for("the reload is done", lambda: daemon.log_text().count(
                "configuration reloaded") == number + 1)
            for stream in streams:
                stream.wait_for_more()
    for stream in streams:
        assert not stream.failures
    stored = {result_id for result_id, in daemon.received("SELECT id FROM received")}
    assert {result_id for stream in streams for result_id, _ in stream.accepted} <= stored
    wait_for("one receiver is left", lambda: len(daemon.children(RECEIVER)) == 1)


def test_an_idle_connection_survives_a_reload_for_a_while(daemon):
    """A proxy that reuses a connection right after a reload gets its answer."""
    daemon.start()
    run = daemon.launched(7)
    with web.Client(daemon.place(UNIX)) as client:
        assert client.ask("GET", "/healthz").status == 200
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for("two receivers are there", lambda: len(daemon.children(RECEIVER)) == 2)
        answer = client.ask("POST", web.path_of(run["callback_url"]), result_body(7))
        assert answer.status == 200


def test_a_receiver_drains_for_as_long_as_its_own_limits_say(daemon):
    """Those of the new configuration would have it killed before its idle connection's time."""
    patience = f"{build.promised(4)}s"
    daemon.config["limits"].update({"idle_timeout": patience, "request_timeout": patience})
    daemon.start()
    with web.Client(daemon.place(PLAIN)) as client:
        assert client.ask("GET", "/healthz").status == 200
        daemon.config["limits"].update({"idle_timeout": "100ms", "request_timeout": "100ms"})
        daemon.write_config()
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for("two receivers are there", lambda: len(daemon.children(RECEIVER)) == 2)
        wait_for("the first has ended", lambda: len(daemon.children(RECEIVER)) == 1)
    assert "child killed" not in daemon.log_text()


def test_connections_are_counted_over_all_receivers(daemon):
    daemon.start()
    with contextlib.ExitStack() as stack:
        def connect():
            client = stack.enter_context(web.Client(daemon.place(PLAIN)))
            assert client.ask("GET", "/healthz").status == 200
            return client

        daemon.wait_for_metric("connections", 0)
        old = [connect() for _ in range(3)]
        daemon.wait_for_metric("connections", 3)
        receiver = daemon.child(RECEIVER)
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for("only the new receiver takes connections",
                 lambda: "role=receiver msg=draining connections=3" in daemon.log_text())
        connect(), connect()
        daemon.wait_for_metric("connections", 5)
        old[0].close()
        daemon.wait_for_metric("connections", 4)
        processes.kill(receiver)
        daemon.wait_for_metric("connections", 2)
        processes.kill(daemon.child(RECEIVER))
        daemon.wait_for_metric("connections", 0)


def test_a_reload_is_refused_while_too_many_receivers_are_ending(daemon):
    """Taken over by name only, a configuration would be in force some time later."""
    daemon.start()

    def ready():
        return daemon.log_text().count('msg="child ready" child=receiver')

    def refused():
        return "too many receivers are still ending" in daemon.log_text()

    with contextlib.ExitStack() as stack:
        while not refused():
            client = stack.enter_context(web.Client(daemon.place(PLAIN)))
            assert client.ask("GET", "/healthz").status == 200
            before = ready()
            os.kill(daemon.pid, signal.SIGHUP)
            wait_for("it serves, or there is none", lambda: ready() > before or refused())
        assert len(daemon.children(RECEIVER)) > 10
        # Who dies is replaced all the same.
        before = ready()
        newest = re.findall(r'msg="child ready" child=receiver pid=(\d+)', daemon.log_text())[-1]
        os.kill(int(newest), signal.SIGKILL)
        wait_for("another one serves", lambda: ready() > before)
        assert answers(daemon)
        assert "child not started" not in daemon.log_text()
    wait_for("the others have ended", lambda: len(daemon.children(RECEIVER)) == 1)
    before = ready()
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("it is taken over now", lambda: ready() > before)


def test_the_admin_listener_survives_a_reload(daemon):
    daemon.start()
    run = daemon.register()
    polled = []
    waiter = threading.Thread(target=lambda: polled.append(daemon.admin.ask(
        "GET", f"/api/v1/runs/{run['run_id']}/result?wait=30s")))
    waiter.start()
    daemon.reload()
    daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}", {"execution_id": "7"})
    daemon.call_back(run, result_body(7))
    waiter.join()
    assert polled[0].status == 200


def test_a_half_open_client_does_not_hold_up_a_stop(daemon):
    daemon.start()
    with socket.create_connection((daemon.place(PLAIN).host, daemon.place(PLAIN).port)):
        daemon.stop()
