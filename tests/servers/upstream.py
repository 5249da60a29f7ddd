"""The application behind a proxy: it answers every request with the headers that reached it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Upstream(ThreadingHTTPServer):
    """``requests`` counts what reached it at all."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.requests = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.server.requests += 1
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        seen = {"method": self.command, "path": self.path, "headers": headers, "body": body.decode()}
        said = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@contextmanager
def answering() -> Iterator[Upstream]:
    """An application as long as the block lasts."""
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
