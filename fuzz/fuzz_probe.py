"""Answers what it likes to a probe's channels: HTTP, introspection, IMAP and SMTP.

Nothing may come out of a channel but an answer, in time, and no answer that is not one may let a token in.
"""

from __future__ import annotations

import re
import socket
import threading
from typing import Final

from driver import run

from immure.probe.answer import Answer, Outcome
from immure.probe.target import How, open_channel, parse_target

_SCHEMES: Final = ("http", "introspection", "imap", "smtp")
#: Without these bytes nobody is let in.
_NEEDED: Final = {
    "http": re.compile(rb"HTTP/.*[\s\x85\xa0]2\d\d"),
    "introspection": re.compile(rb"(?s)200.*active.*true"),
    "imap": re.compile(rb"(?is)\* OK.*b +OK"),
    "smtp": re.compile(rb"(?s)220.*235"),
}


class Server:
    """Answers every connection with the same bytes, whatever is asked."""

    def __init__(self) -> None:
        self.data = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            sock, _ = self._listening.accept()
            with sock:
                try:
                    sock.sendall(self.data)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                except OSError:
                    continue


SERVER: Final = Server()


def check_channels(data: bytes) -> None:
    """Once in each protocol."""
    SERVER.data = data
    for scheme in _SCHEMES:
        answer = _asked(scheme)
        assert isinstance(answer, Answer)
        assert answer.detail.isprintable(), answer
        assert len(answer.detail) < 120, answer
        if answer.outcome is Outcome.LET_IN:
            assert _NEEDED[scheme].search(data), (scheme, answer)


def _asked(scheme: str) -> Answer:
    url = f"{'http' if scheme == 'introspection' else scheme}://127.0.0.1:{SERVER.port}/"
    target = parse_target(url, ["127.0.0.1"], tls="none")
    how = How(introspection=scheme == "introspection", user="ada", seconds=2.0)
    return open_channel(target, how).ask("e30.e30.AAAA")


if __name__ == "__main__":
    run(
        check_channels,
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"active":true}',
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"active":true}\r\n0\r\n\r\n',
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 no\r\nWWW-Authenticate: Bearer\r\n\r\n",
            b"HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n",
            b"* OK [CAPABILITY X] hi\r\n+ \r\n+ eyJzdGF0dXMiOiI0MDEifQ==\r\nb NO [AUTHENTICATIONFAILED]\r\n",
            b"* OK hi\r\n* CAPABILITY {3}\r\nabc\r\n+\r\nb OK in\r\n",
            b"220-hi\r\n220 hi\r\n250-a\r\n250 AUTH XOAUTH2\r\n334 \r\n334 e30=\r\n535 5.7.8 no\r\n",
            b"220 hi\r\n250 hi\r\n334 \r\n235 in\r\n",
        ],
    )
