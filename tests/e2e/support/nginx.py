# SPDX-License-Identifier: MIT
"""A real nginx in front of a daemon."""
import os
import signal
import socket
import subprocess

from . import build, web
from .waiting import wait_for

# nginx does not say which port the kernel gave it, so it listens on a Unix socket.
CONFIGURATION = """
daemon off; master_process off; worker_processes 1;
pid {directory}/nginx.pid; error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off; default_type application/octet-stream;
    client_body_temp_path {directory}/nginx-body; proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-f; uwsgi_temp_path {directory}/nginx-u;
    scgi_temp_path {directory}/nginx-s;
    upstream daemon {{ server {upstream}; keepalive 8; }}
    server {{
        listen unix:{socket};
        client_max_body_size 16m;
        location / {{
            proxy_pass http://daemon;
            proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For "$http_x_forwarded_for";
        }}
    }}
}}
"""


class Nginx:
    """`upstream` is a Place. The front passes on the X-Forwarded-For that it is given, so that a
    test can play any client address."""

    def __init__(self, directory, upstream):
        self.socket = directory / "nginx.sock"
        config = directory / "nginx.conf"
        config.write_text(CONFIGURATION.format(
            directory=directory, socket=self.socket,
            upstream=f"unix:{upstream.unix}" if upstream.unix else upstream.name()))
        self.log_path = directory / "nginx.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/nginx", "-p", str(directory), "-c", str(config), "-e", "stderr"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.place = web.Place(unix=str(self.socket))
        wait_for("nginx listens", self.is_listening)

    def is_listening(self):
        try:
            self.place.connect().close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def close(self):
        os.kill(self.process.pid, signal.SIGTERM)
        assert self.process.wait(30 * build.SLOWNESS) == 0, self.log_path.read_text()


TLS_CONFIGURATION = """
daemon off; worker_processes 1;
pid {directory}/tls-nginx.pid; error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/tls-body; proxy_temp_path {directory}/tls-proxy;
    fastcgi_temp_path {directory}/tls-f; uwsgi_temp_path {directory}/tls-u;
    scgi_temp_path {directory}/tls-s;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificates}/server.pem; ssl_certificate_key {certificates}/server.key;
        ssl_verify_client on; ssl_client_certificate {certificates}/ca.pem;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header X-Client "$ssl_client_s_dn";
        }}
    }}
}}
"""


class TlsNginx:
    """A service behind TLS that asks for a certificate; `upstream` is the port of the service."""

    def __init__(self, directory, certificates, upstream):
        # nginx takes over a socket that it inherits, so that the kernel chooses the port. (Without
        # a master process it crashes on that.)
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            port = listener.getsockname()[1]
            config = directory / "tls-nginx.conf"
            config.write_text(TLS_CONFIGURATION.format(
                directory=directory, certificates=certificates, port=port, upstream=upstream))
            self.log_path = directory / "tls-nginx.log"
            with open(self.log_path, "wb") as log:
                self.process = subprocess.Popen(
                    ["/usr/sbin/nginx", "-p", str(directory), "-c", str(config), "-e", "stderr"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=[listener.fileno()], env={"NGINX": f"{listener.fileno()};"})
            self.url = f"https://localhost:{port}/in"

    def close(self):
        os.kill(self.process.pid, signal.SIGTERM)
        assert self.process.wait(30 * build.SLOWNESS) == 0, self.log_path.read_text()
