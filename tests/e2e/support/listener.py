# SPDX-License-Identifier: MIT
"""A service that hooks post on to: remembers every request, answers as it is told."""
import http.server
import threading
from dataclasses import dataclass

from .waiting import wait_for


@dataclass
class Request:
    method: str
    path: str
    headers: object  # of http.client: by name, in any case
    body: bytes
    connection: tuple  # the client's address and port


class Listener:
    """On loopback, with a port of the kernel's choice. `answers` are (status, headers, body), one
    for each request, the last one for all that follow; None holds the request until close()."""

    def __init__(self, *answers):
        self.answers = list(answers) or [(200, {}, b"")]
        self.requests = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                listener.serve(self)

            do_PUT = do_POST

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/in?to=here"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request = Request(handler.command, handler.path, handler.headers, body,
                          handler.client_address)
        with self.lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            self.closing.wait()
            handler.close_connection = True
            return
        status, headers, content = answer
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def wait_for(self, count):
        """That many requests, in the order in which they came."""
        wait_for(f"{count} requests have come", lambda: len(self.requests) >= count)
        return self.requests[:count]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
