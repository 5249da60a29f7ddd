"""A mail server that takes everything and keeps it: where a submission server hands on what it was given."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Relay(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP (RFC 5321) as a submission server needs; ``messages`` is what came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        self._say("220 relay.example ESMTP")
        for line in self.rfile:
            verb = line.strip().upper().split(b" ")[0]
            if verb == b"EHLO":
                self._say("250-relay.example\r\n250 8BITMIME")
            elif verb == b"DATA":
                self._say("354 go on")
                self.server.messages.append(self._message())
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _message(self) -> bytes:
        lines = []
        for line in self.rfile:
            if line.rstrip(b"\r\n") == b".":
                break
            lines.append(line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@contextmanager
def relaying() -> Iterator[Relay]:
    """A relay as long as the block lasts."""
    with Relay() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
