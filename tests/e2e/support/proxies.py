# SPDX-License-Identifier: MIT
"""The proxies that we document, as they are documented: real ones, with our example files.

What differs from the example is where things are on this machine, and nothing else: each of these
places must occur in the file exactly once.
"""
import contextlib
import os
import pathlib
import signal
import subprocess

from . import build, web
from .waiting import wait_for

EXAMPLES = build.ROOT / "deploy/examples"
HOST = "localhost"  # whom the certificates of the tests are for


def adapted(file_name, **places):
    text = (EXAMPLES / file_name).read_text()
    for place, ours in places.values():
        assert text.count(place) == 1, (file_name, place)
        text = text.replace(place, ours)
    return text


class Proxy:
    """Listens with TLS on a Unix socket: a port that the kernel chose it would not tell."""

    def __init__(self, directory, certificates, command, end_signal, ended):
        self.end_signal, self.ended = end_signal, ended
        self.log_path = directory / f"{self.name}.log"
        self.place = web.Place(host=HOST, unix=str(directory / f"{self.name}.sock"), tls=True,
                               ca_file=str(certificates / "ca.pem"))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        wait_for(f"{self.name} listens", self.is_listening)

    def is_listening(self):
        assert self.process.poll() is None, self.log_path.read_text()
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            self.place.connect().close()
            return True
        return False

    def close(self):
        os.kill(self.process.pid, self.end_signal)
        status = self.process.wait(30 * build.SLOWNESS)
        assert status in self.ended, (status, self.log_path.read_text())
        pathlib.Path(self.place.unix).unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class NginxExample(Proxy):
    name = "nginx"

    def __init__(self, daemon):
        directory, certificates = daemon.directory, daemon.certificates
        live = "/etc/letsencrypt/live/hooks.example.com"
        site = adapted(
            "nginx.conf",
            listen=("listen 443 ssl", f"listen unix:{directory}/nginx.sock ssl"),
            name=("server_name hooks.example.com", f"server_name {HOST}"),
            certificate=(f"{live}/fullchain.pem", str(certificates / "server.pem")),
            key=(f"{live}/privkey.pem", str(certificates / "server.key")),
            upstream=("/run/callbackd/receiver.sock", str(directory / "receiver.sock")))
        paths = "".join(f"{kind}_temp_path {directory}/nginx-{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = directory / "nginx.conf"
        config.write_text(f"daemon off; master_process off; pid {directory}/nginx.pid;\n"
                          f"events {{}}\nhttp {{ access_log off; lingering_timeout 1s; {paths}\n{site}}}\n")
        super().__init__(directory, certificates, [
            "/usr/sbin/nginx", "-p", str(directory), "-c", str(config), "-e", "stderr"],
            signal.SIGTERM, [0])


class HaproxyExample(Proxy):
    name = "haproxy"

    def __init__(self, daemon):
        directory, certificates = daemon.directory, daemon.certificates
        both = daemon.write_secret("haproxy.pem", (certificates / "server.pem").read_bytes() +
                                   (certificates / "server.key").read_bytes())
        config = directory / "haproxy.cfg"
        config.write_text("global\n    maxconn 200\n" + adapted(
            "haproxy.cfg",
            listen=("bind :443 ssl", f"bind unix@{directory}/haproxy.sock ssl"),
            certificate=("/etc/haproxy/hooks.example.com.pem", str(both)),
            server=("server local 127.0.0.1:8080", f"server local {daemon.place().name()}")))
        super().__init__(directory, certificates, ["/usr/sbin/haproxy", "-db", "-f", str(config)],
                         signal.SIGTERM, [0, 143, -signal.SIGTERM])
