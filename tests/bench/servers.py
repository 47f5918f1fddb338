# SPDX-License-Identifier: MIT
"""The servers that are compared. Each starts with nothing and is ended by its own process id."""
import contextlib
import json
import pathlib
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.request

PATIENCE_S = 60
CATCH_UP_S = 300  # for the worker, after a burst
THREADS = 1024    # callbackd's default of limits.connections; the bare civetweb has as many


class Failed(Exception):
    pass


def wait_for(what, condition, patience_s=PATIENCE_S):
    until = time.monotonic() + patience_s
    while not (got := condition()):
        if time.monotonic() > until:
            raise Failed(f"waited in vain for {what}")
        time.sleep(0.01)
    return got


def can_connect(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Place:
    """Where a run keeps its things: programs, certificates, a folder on the disk under test."""

    def __init__(self, build, directory):
        self.bin, self.bench = build / "bin", build / "bench"
        self.directory = directory
        self.certificate = directory / "certs/server.pem"
        self.private_key = directory / "certs/server.key"
        self.both = directory / "certs/both.pem"
        self.key = directory / "run-token.key"
        self.prefilled = directory / "prefilled"

    def prepare(self, root):
        self.directory.mkdir(parents=True, exist_ok=True)
        subprocess.run([root / "certs/make-dev-certs.sh", self.directory / "certs"], check=True,
                       stdout=subprocess.DEVNULL)
        self.both.touch(mode=0o600)
        self.both.write_bytes(self.certificate.read_bytes() + self.private_key.read_bytes())
        self.key.unlink(missing_ok=True)
        self.key.touch(mode=0o600)
        self.key.write_text(secrets.token_hex(32) + "\n")


class Server:
    """with Server(place) as server: server.port, server.pid; `load` are arguments for load."""
    path, tls, tokens = "/callback", False, True

    def __init__(self, place):
        self.place, self.process, self.port = place, None, None
        self.directory = place.directory / "server"

    def __enter__(self):
        self.clear()
        self.directory.mkdir(parents=True)
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def clear(self):
        """What the last one's commands still write, they write elsewhere."""
        if self.directory.exists():
            aside = pathlib.Path(tempfile.mkdtemp(prefix="old-", dir=self.place.directory))
            self.directory.rename(aside / "server")
            shutil.rmtree(aside, ignore_errors=True)

    def spawn(self, *command, **how):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], cwd=self.directory,
                                            stderr=log, **{"stdout": log, **how})

    def end(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    def load(self):
        arguments = ["--port", str(self.port), "--path", self.path]
        if self.tls:
            arguments.append("--tls")
        if self.tokens:
            arguments += ["--key", str(self.place.key)]
        return arguments


class Nginx(Server):
    """`return` in its fastest form: no log, no file; what it has not read of a body it drops."""

    def start(self):
        with socket.socket() as holder:  # keeps the port ours until nginx shares it
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(("127.0.0.1", 0))
            self.port = holder.getsockname()[1]
            self.configure()
            self.spawn("nginx", "-p", self.directory, "-c", self.directory / "nginx.conf", "-e",
                       self.directory / "error.log")
            wait_for("nginx", lambda: can_connect(self.port))

    def configure(self):
        answer = json.dumps({"accepted": True, "result_id": "0" * 36, "duplicate": False},
                            separators=(",", ":"))
        tls = (f"ssl_certificate {self.place.certificate}; "
               f"ssl_certificate_key {self.place.private_key};") if self.tls else ""
        (self.directory / "nginx.conf").write_text(f"""
daemon off;
worker_processes auto;
pid {self.directory}/nginx.pid;
error_log {self.directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    client_max_body_size 64m;
    client_body_temp_path {self.directory}/body;
    proxy_temp_path {self.directory}/proxy;
    fastcgi_temp_path {self.directory}/fastcgi;
    uwsgi_temp_path {self.directory}/uwsgi;
    scgi_temp_path {self.directory}/scgi;
    server {{
        listen 127.0.0.1:{self.port} {"ssl" if self.tls else ""} reuseport backlog=4096;
        {tls}
        location / {{ return 200 '{answer}'; }}
    }}
}}
""")


class NginxTls(Nginx):
    tls = True


class Civetweb(Server):
    """The same library with a handler that reads the body and answers a constant."""

    def start(self):
        certificate = [self.place.both] if self.tls else []
        self.spawn(self.place.bench / "bench_empty_server", THREADS, *certificate,
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def end(self):
        super().end()
        for pipe in filter(None, [self.process.stdin, self.process.stdout]):
            pipe.close()


class CivetwebTls(Civetweb):
    tls = True


class Webhook(Server):
    """adnanh's: answers at once and runs `true`. It stores nothing."""
    path, tokens = "/hooks/results", False

    def hook(self):
        return {"id": "results", "execute-command": "/bin/true"}

    def start(self):
        (self.directory / "hooks.json").write_text(json.dumps([self.hook()]))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.spawn("webhook", "-hooks", "hooks.json", "-ip", "127.0.0.1", "-port", self.port)
        wait_for("webhook", lambda: self.process.poll() is None and can_connect(self.port))


class WebhookCounted(Webhook):
    """Its commands can be counted. `waits`: it answers when the command has ended; else at once, and
    as many run as there are posts."""

    def __init__(self, place, waits):
        super().__init__(place)
        self.waits, self.marks = waits, self.directory / "marks"

    def hook(self):
        return {**super().hook(), "execute-command": str(self.place.bench / "bench_mark"),
                "pass-arguments-to-command": [{"source": "string", "name": str(self.marks)}],
                "include-command-output-in-response": self.waits}

    def completed(self):
        return self.marks.stat().st_size if self.marks.exists() else 0


class Callbackd(Server):
    """As installed: receiver and worker, a store on the disk, one hook, which matches and is
    paused. `connections`: the limit, where it is not the default."""

    def __init__(self, place, connections=None, store=None):
        super().__init__(place)
        self.connections, self.store = connections, store
        self.admin_token = secrets.token_hex(16)

    def configuration(self):
        listener = {"address": "127.0.0.1:0"}
        if self.tls:
            listener["tls"] = {"certificate": str(self.place.certificate),
                               "private_key": str(self.place.private_key)}
        return {
            "listen": [listener],
            "admin": {"address": "127.0.0.1:0", "token_file": "admin.token"},
            "store": {"directory": str(self.store or "store")},
            "run_token": {"key_file": str(self.place.key)},
            "limits": {"connections": self.connections} if self.connections else {},
            "endpoints": [
                {"name": "results", "path": "/callback", "verify": [{"scheme": "run-token"}]},
                {"name": "open", "path": "/open", "kind": "json", "verify": "none"},
            ],
            "hooks": [{"name": "next", "command": ["true", "{execution_id}"]}],
        }

    def start(self):
        self.start_unpaused()
        self.set_paused(True)

    def start_unpaused(self):
        (self.directory / "admin.token").touch(mode=0o600)
        (self.directory / "admin.token").write_text(self.admin_token)
        (self.directory / "callbackd.json").write_text(json.dumps(self.configuration()))
        self.spawn(self.place.bin / "callbackd", "--config", "callbackd.json")
        wait_for("callbackd", lambda: self.said(r"msg=\"?ready\b"))
        self.port = int(self.said(r"msg=listening address=\S*:(\d+)").group(1))
        self.admin_port = int(self.said(r'msg="admin listening" address=\S*:(\d+)').group(1))

    def said(self, pattern):
        log = (self.directory / "log").read_text()
        if self.process.poll() is not None:
            raise Failed(f"callbackd ended:\n{log}")
        return re.search(pattern, log)

    def ask(self, path, method="GET"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}{path}", method=method,
            headers={"Authorization": f"Bearer {self.admin_token}"})
        with contextlib.closing(urllib.request.urlopen(request, timeout=PATIENCE_S)) as answer:
            return answer.read().decode()

    def set_paused(self, paused):
        for hook in self.configuration()["hooks"]:
            self.ask(f"/api/v1/hooks/{hook['name']}/{'pause' if paused else 'resume'}", "POST")

    def completed(self):
        """Hooks that have ended well, their ends recorded."""
        return int(re.search(r"^callbackd_jobs_succeeded_total (\d+)$", self.ask("/metrics"),
                             re.MULTILINE)[1])

    def own(self):
        """Supervisor, receiver and worker; a hook that just begins looks like the worker."""
        return [self.pid, *map(int, pathlib.Path(
            f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())]

    def lag(self):
        """Results that the worker has not taken in yet: asked of the databases, for the gauge of
        the cursor is 0 until the first result after a start."""
        store = self.directory / (self.store or "store")
        (stored,) = self.number(store / "log/results.db", "SELECT max(seq) FROM received")
        (cursor,) = self.number(store / "state/state.db",
                                "SELECT max(value) FROM meta WHERE name = 'cursor'")
        return (stored or 0) - (cursor or 0)

    @staticmethod
    def number(path, question):
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA query_only = ON")
            return database.execute(question).fetchone()

    def catch_up(self):
        wait_for("the worker", lambda: self.lag() == 0, CATCH_UP_S)


class CallbackdTls(Callbackd):
    tls = True


class CallbackdHooks(Callbackd):
    """One hook, `/bin/true`, as many at once as all hooks together may be by default."""

    def configuration(self):
        hook = {"name": "next", "command": ["/bin/true"], "concurrency": 16}
        return {**super().configuration(), "hooks": [hook]}


class CallbackdOpen(Callbackd):
    """An endpoint that believes everybody and takes any JSON."""
    path, tokens = "/open", False


SERVERS = {
    "callbackd": Callbackd,
    "callbackd-tls": CallbackdTls,
    "callbackd-open": CallbackdOpen,
    "nginx": Nginx,
    "nginx-tls": NginxTls,
    "civetweb": Civetweb,
    "civetweb-tls": CivetwebTls,
    "webhook": Webhook,
}
