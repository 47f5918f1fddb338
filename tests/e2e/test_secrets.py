# SPDX-License-Identifier: MIT
"""Secrets are seen nowhere: not in the log, not in /proc, not in memory that was given back."""
import base64
import contextlib
import os
import re
import secrets
import ssl

import pytest

from support import build, processes, web
from support.daemon import PLAIN, RECEIVER, TLS, UNIX, WORKER, result_body
from support.waiting import wait_for


def new_secrets(daemon):
    """Each of the kinds that a daemon is given, in a file; returns them by their names."""
    made = {name: secrets.token_hex(24).encode() for name in
            ("hmac", "github", "bearer", "password", "run-token", "admin", "reader", "api-key",
             "variable")}
    daemon.key, daemon.token = made["run-token"], made["admin"].decode()
    daemon.read_token = made["reader"].decode()
    for name, content in [
            ("hmac.key", made["hmac"]), ("github.key", made["github"]),
            ("bearer.key", made["bearer"]), ("basic.key", b"user:" + made["password"]),
            ("run-token.key", made["run-token"]), ("admin.token", made["admin"]),
            ("read.token", made["reader"]), ("promptlayer.key", made["api-key"]),
            ("hook.env", b"SECRET_OF_HOOK=" + made["variable"])]:
        daemon.write_secret(name, content)
    return made


def configure(daemon):
    for name, verify in [
            ("signed", {"scheme": "hmac", "secret_file": "hmac.key", "header": "X-Signature"}),
            ("github", {"scheme": "github", "secret_file": "github.key"}),
            ("bearer", {"scheme": "bearer", "secret_file": "bearer.key"}),
            ("basic", {"scheme": "basic", "secret_file": "basic.key"})]:
        daemon.endpoint(name=name, path=f"/{name}", kind="json", verify=[verify])
    daemon.hook(endpoint="results", env_file="hook.env", retry={"attempts": 1},
                shell='test -n "$SECRET_OF_HOOK" || exit 65')


def look_for(needles, text):
    """The names of the secrets that stand in it, plain, in hex or in base64."""
    found = []
    for name, secret in needles.items():
        spellings = [secret, secret.hex().encode()]
        # Wherever it stands in a longer text: its inner part in each of three alignments.
        spellings += [base64.b64encode(b"x" * shift + secret)[4:-4] for shift in range(3)]
        if any(spelling in text for spelling in spellings):
            found.append(name)
    return found


def provoke(daemon, made):
    """Good posts, and everything that goes wrong with credentials in hand."""
    run = daemon.launched(7)
    token_path = web.path_of(run["callback_url"])
    good = {"Authorization": f"Bearer {made['bearer'].decode()}"}
    basic = base64.b64encode(b"user:" + made["password"]).decode()
    for listener in (PLAIN, TLS, UNIX):
        assert daemon.post("/bearer", b"{}", good, listener).status == 200
        assert daemon.post("/bearer", b"{", good, listener).status == 400
    assert daemon.post("/basic", b"{}", {"Authorization": f"Basic {basic}"}).status == 200
    assert daemon.post("/bearer/x", b"{}", good).status == 404
    assert daemon.post("/signed", b"{}", {"X-Signature": "00" * 32}).status == 401
    assert daemon.post("/github", b"{}", {"X-Hub-Signature-256": "sha256=x"}).status == 401
    assert daemon.post(token_path, b"nonsense").status == 400
    assert daemon.post(token_path + "x", b"{}").status in (401, 404)
    assert daemon.call_back(run, result_body(7)).status == 200
    header = f"Authorization: Bearer {made['admin'].decode()}\r\n".encode()
    for request in (b"GET  /x HTTP/1.1\r\n" + header + b"\r\n",
                    b"POST %s HTTP/9.9\r\n%s\r\n" % (token_path.encode(), header),
                    b"POST %s HTTP/1.1\r\nContent-Length: x\r\n%s\r\n" % (token_path.encode(),
                                                                         header),
                    b"NONSENSE " + made["admin"] + b"\r\n\r\n",
                    b"GET /" + made["admin"] + b"\0 HTTP/1.1\r\n\r\n",
                    header * 400):
        with contextlib.suppress(OSError):
            web.raw(daemon.place(PLAIN), request)
    for path in ("/api/v1/runs?cursor=x", "/api/v1/nothing", "/api/v1/results?limit=x"):
        assert daemon.admin.ask("GET", path).status >= 400
    assert daemon.api(made["admin"].decode() + "x").ask("GET", "/api/v1/runs").status == 401
    daemon.wait_for_jobs(1, hook="hook0")
    return token_path.rsplit("/", 1)[1].encode()


def test_no_secret_is_logged_or_shown(daemon, sim):
    made = new_secrets(daemon)
    configure(daemon)
    daemon.start()
    made["token of a run"] = provoke(daemon, made)
    # The workflow API is asked, with the key: once it answers, once it is not there.
    daemon.register("flow", deadline="1s")
    wait_for("the workflow API was asked", lambda: daemon.metric("polls") >= 1 or
             daemon.metric("runs_registered") >= 2)
    # A file that a reload cannot use: what is wrong with it is told, not what is in it.
    (daemon.directory / "promptlayer.key").chmod(0o644)
    os.kill(daemon.pid, 1)
    wait_for("the reload is refused", lambda: "reload refused" in daemon.log_text())
    assert not look_for(made, daemon.log_text().encode())
    for pid in (daemon.pid, daemon.child(RECEIVER), daemon.child(WORKER)):
        assert not look_for(made, processes.read(pid, "cmdline"))
        assert not look_for(made, processes.read(pid, "environ"))
        assert not look_for(made, processes.read(pid, "comm"))
    shown = [daemon.admin.ask("GET", path).body for path in
             ("/metrics", "/api/v1/status", "/api/v1/hooks", "/api/v1/jobs", "/api/v1/rejected",
              "/api/v1/results")]
    assert not look_for(made, b"".join(shown))
    # Nor is any of it in the store, whose copies travel.
    stored = b"".join(path.read_bytes() for path in daemon.store.rglob("*") if path.is_file())
    del made["token of a run"]  # docs/STORE.md says where that is
    assert not look_for(made, stored)


# ---- memory ----

def memory(pid):
    """All that the process can write to, piece by piece."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            begin, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            begin, end = int(begin, 16), int(end, 16)
            if rights[:2] != "rw" or end - begin > 2**30:
                continue
            with contextlib.suppress(OSError, ValueError):
                mem.seek(begin)
                yield mem.read(end - begin)


def secrets_in_memory(pid, needles):
    return sorted({name for piece in memory(pid) for name in look_for(needles, piece)})


@pytest.mark.skipif(build.NAME != "release", reason="a sanitizer keeps memory that was given back")
def test_a_secret_that_was_exchanged_is_in_nobodys_memory(daemon, certificates,
                                                          other_certificates):
    daemon.config["limits"]["idle_timeout"] = "1s"
    old = new_secrets(daemon)
    configure(daemon)
    daemon.start()
    assert daemon.call_back(daemon.launched(7), result_body(7)).status == 200
    daemon.wait_for_jobs(1, hook="hook0")
    key = (certificates / "server.key").read_text()
    old["private key"] = "".join(key.splitlines()[1:-1])[40:100].encode()
    del old["admin"], old["reader"]  # sent with requests: civetweb's buffers have those
    assert "run-token" in secrets_in_memory(daemon.pid, old), "where they are, they are found"
    assert "run-token" in secrets_in_memory(daemon.child(WORKER), old)
    assert "hmac" not in secrets_in_memory(daemon.child(WORKER), old), "not the worker's to have"
    assert "api-key" not in secrets_in_memory(daemon.child(RECEIVER), old)
    token = daemon.token
    new_secrets(daemon)
    daemon.config["listen"][TLS]["tls"] = {"certificate": str(other_certificates / "server.pem"),
                                           "private_key": str(other_certificates / "server.key")}
    daemon.write_config()
    daemon.reload()
    assert daemon.token != token
    assert daemon.call_back(daemon.launched(8), result_body(8)).status == 200
    for pid in (daemon.pid, daemon.child(RECEIVER), daemon.child(WORKER)):
        assert not secrets_in_memory(pid, old), processes.title(pid)
