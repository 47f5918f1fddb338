# SPDX-License-Identifier: MIT
"""A callbackd in a folder of its own."""
import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import tempfile

from . import build, processes, tokens, web
from .waiting import wait_for

TLS, PLAIN, UNIX = 0, 1, 2  # the listeners of the usual configuration
RECEIVER, WORKER = "callbackd: receiver", "callbackd: worker"
SANITIZER = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def usual_configuration(certificates):
    return {
        "listen": [
            {"address": "127.0.0.1:0", "tls": {"certificate": str(certificates / "server.pem"),
                                               "private_key": str(certificates / "server.key")}},
            {"address": "127.0.0.1:0"},
            {"unix": "receiver.sock"},
        ],
        "admin": {"address": "127.0.0.1:0", "token_file": "admin.token",
                  "read_token_file": "read.token"},
        "store": {"directory": "store"},
        "run_token": {"key_file": "run-token.key"},
        "promptlayer": {"base_url": "http://127.0.0.1:1", "api_key_file": "promptlayer.key"},
        # Each connection has a thread, which sanitizers make expensive.
        "limits": {"connections": {"release": 1024, "asan": 128, "tsan": 64}[build.NAME]},
        "log": {"level": "debug"},
        "endpoints": [
            {"name": "results", "path": "/callback", "kind": "workflow-result",
             "verify": [{"scheme": "run-token"}]},
        ],
        "hooks": [],
    }


class Daemon:
    def __init__(self, certificates):
        # Short, for a Unix socket's path has 107 bytes at most.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="callbackd-"))
        self.certificates = certificates
        self.config_path = self.directory / "callbackd.json"
        self.config = usual_configuration(certificates)
        self.program = build.CALLBACKD
        self.key = secrets.token_hex(32).encode()
        self.token, self.read_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        for name, secret in [("run-token.key", self.key), ("admin.token", self.token.encode()),
                             ("read.token", self.read_token.encode()),
                             ("promptlayer.key", b"pl-test")]:
            self.write_secret(name, secret)
        self.process = None
        self.log_path = self.directory / "callbackd.log"
        self.store = self.directory / "store"
        self.environment = None  # the test's own
        self.wrapper = []  # a command that executes the one that follows it

    # ---- files ----

    def write_secret(self, name, secret):
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(secret + b"\n")
        return path

    def write_program(self, name, text):
        """An executable in the daemon's folder; hooks name it "./NAME"."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def write_config(self, text=None):
        self.config_path.write_text(text or json.dumps(self.config, indent=1))

    def hook(self, **members):
        """Adds a hook; returns its name."""
        members.setdefault("name", f"hook{len(self.config['hooks'])}")
        self.config["hooks"].append(members)
        return members["name"]

    def endpoint(self, **members):
        self.config["endpoints"].append(members)

    # ---- life ----

    def start(self):
        self.write_config()
        self.launch()
        wait_for("the daemon is ready", self.is_ready)
        return self

    def launch(self, *arguments, environment=None):
        """Starts the process and returns at once."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, self.program, "--config", str(self.config_path), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=environment or self.environment, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def listeners(self):
        """What the process that runs now has announced; None: nothing yet."""
        for name in ("listeners.json", "listeners.receiver.json"):
            with contextlib.suppress(FileNotFoundError):
                found = json.loads((self.store / name).read_text())
                if found["pid"] == self.pid:
                    return found
        return None

    def is_ready(self):
        assert self.is_running(), f"the daemon ended:\n{self.log_text()}"
        if not self.listeners():
            return False
        with contextlib.suppress(OSError):
            return web.ask(self.place(PLAIN), "GET", "/readyz").status == 200 and \
                self.admin.ask("GET", "/api/v1/status").status == 200
        return False

    def reload(self):
        """SIGHUP, and until both children have it."""
        receiver = self.child(RECEIVER)
        taken = self.log_text().count("configuration taken over")
        os.kill(self.pid, signal.SIGHUP)
        wait_for("the worker has taken the configuration over",
                 lambda: self.log_text().count("configuration taken over") > taken)
        wait_for("a new receiver serves alone",
                 lambda: (now := self.children(RECEIVER)) and len(now) == 1 and now != [receiver])

    def stop(self):
        """SIGTERM; everything must end well and leave nothing behind."""
        os.kill(self.pid, signal.SIGTERM)
        status = self.process.wait(60 * build.SLOWNESS)
        self.process = None
        assert status == 0, f"exit status {status}:\n{self.log_text()}"
        sockets = [str(path) for path in self.directory.rglob("*.sock")]
        assert not sockets, f"left behind: {sockets}"

    def kill(self):
        """kill -9 of all that belongs to it, as a power cut would; then it may be launched again."""
        os.kill(self.pid, signal.SIGSTOP)  # or it would start others meanwhile
        everybody = processes.descendants(self.pid) | {self.pid}
        for pid in everybody:
            processes.kill(pid)
        self.process.wait()
        wait_for("all of it is gone", lambda: not any(map(processes.exists, everybody)))
        self.process = None

    def close(self):
        """For the end of a test: stops what still runs, whatever state it is in."""
        if self.is_running():
            try:
                self.stop()
            finally:
                if self.is_running():
                    for pid in processes.descendants(self.pid) | {self.pid}:
                        processes.kill(pid)
                    self.process.wait()
        assert not SANITIZER.search(self.log_text()), self.log_text()

    def remove(self):
        shutil.rmtree(self.directory)

    # ---- processes ----

    def children(self, title):
        return [pid for pid in processes.children(self.pid)
                if processes.title(pid) == title and processes.exists(pid)]

    def child(self, title):
        """The only child of that title; None while there is none or another takes over."""
        found = self.children(title)
        return found[0] if len(found) == 1 else None

    # ---- talking ----

    def place(self, index=PLAIN):
        listener = (self.listeners() or self.announced())["listeners"][index]
        if listener["unix"]:
            return web.Place(unix=listener["unix"])
        host, _, port = listener["address"].rpartition(":")
        return web.Place(host=host, port=int(port), tls=listener["tls"],
                         ca_file=str(self.certificates / "ca.pem"))

    def announced(self):
        return json.loads((self.store / "listeners.json").read_text())

    def api(self, token):
        host, _, port = self.announced()["admin"]["address"].rpartition(":")
        return web.Api(web.Place(host=host, port=int(port)), token)

    @property
    def admin(self):
        return self.api(self.token)

    def post(self, path, body, headers=None, listener=PLAIN):
        if isinstance(body, str):
            body = body.encode()
        return web.ask(self.place(listener), "POST", path, body,
                       {"Content-Type": "application/json", **(headers or {})})

    def register(self, workflow="flow", **members):
        """A run, registered and not yet launched: {"run_id", "callback_url", …}."""
        return self.admin.send("POST", "/api/v1/runs", {"workflow": workflow, **members})

    def launched(self, execution_id, workflow="flow", **members):
        """A run that was launched with that execution id."""
        run = self.register(workflow, **members)
        self.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}",
                        {"execution_id": str(execution_id)})
        return run

    def call_back(self, run, body, **how):
        return self.post(web.path_of(run["callback_url"]), body, **how)

    def token_for(self, run_id, endpoint="results", **how):
        return tokens.mint(self.key, endpoint, run_id, **how)

    # ---- looking ----

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def result(self, result_id):
        """As the worker has decided; waits for it."""
        def look():
            answer = self.admin.ask("GET", f"/api/v1/results/{result_id}")
            return answer.json() if answer.status == 200 else None
        return wait_for(f"the worker has taken {result_id} in", look)

    def run(self, run_id):
        return self.admin.get(f"/api/v1/runs/{run_id}")

    def wait_for_run(self, run_id, state):
        return wait_for(f"the run is {state}",
                        lambda: (run := self.run(run_id))["state"] == state and run)

    def wait_until_taken_in(self):
        """The worker has read the log to its end."""
        newest = self.received("SELECT max(seq) FROM received")[0][0]
        wait_for("the worker has read all", lambda: self.decided(
            "SELECT value FROM meta WHERE name = 'cursor'") == [(newest,)])

    def jobs(self, **filters):
        query = "&".join(f"{key}={value}" for key, value in filters.items())
        return self.admin.get(f"/api/v1/jobs?limit=100&{query}")["items"]

    def wait_for_jobs(self, count, state="succeeded", **filters):
        """Waits until so many jobs are in that state; returns them with their attempts."""
        jobs = wait_for(f"{count} jobs are {state}",
                        lambda: (found := self.jobs(state=state, **filters)) and
                        len(found) >= count and found)
        assert len(jobs) == count, jobs
        return [self.admin.get(f"/api/v1/jobs/{job['id']}") for job in jobs]

    def metric(self, name):
        text = self.admin.ask("GET", "/metrics").body.decode()
        found = re.search(rf"^callbackd_{name}(?:_total)? (\S+)$", text, re.MULTILINE)
        assert found, f"no metric {name} in:\n{text}"
        return float(found[1])

    def wait_for_metric(self, name, value):
        """Counted after the transaction whose outcome it counts: a moment after that can be seen."""
        wait_for(f"{name} is {value}", lambda: self.metric(name) == value)

    def query(self, database, statement, *values):
        """Rows of "log/results.db" or "state/state.db", read beside the running daemon."""
        path = self.store / database
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True,
                                                timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    def received(self, statement, *values):
        return self.query("log/results.db", statement, *values)

    def decided(self, statement, *values):
        return self.query("state/state.db", statement, *values)


def result_body(execution_id, output='"fine"'):
    """A callback's body, as text: `output` is JSON text."""
    return f'{{"workflow_version_execution_id":{execution_id},"final_output":{output}}}'
