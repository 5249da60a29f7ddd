"""Servers that break the rules: an outcome in bounded time, and never "sent" without a word that it is."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from immure.response.notification.courier import Outcome
from immure.response.notification.history import State
from immure.response.notification.sending import send_letters
from immure.response.notification.settings import Hooks, Pace, Smtp
from immure.response.notification.webhook import WebhookCourier
from immure.secret import Secret
from response.notification.conftest import Open
from response.notification.making import FABRIKAM, prepared, settings


@dataclass(frozen=True)
class Talk:
    """Greets with the first answer, gives the others to one command each, and ends with ``then``."""

    answers: tuple[bytes, ...]
    then: bytes
    hang: bool

    def __call__(self, link: socket.socket) -> None:
        link.settimeout(10)
        for number, answer in enumerate(self.answers):
            if number:
                link.recv(1 << 16)
            link.sendall(answer)
        if self.then:
            link.recv(1 << 16)
            for _ in range(400):
                link.sendall(self.then * 10_000)
        if self.hang:
            time.sleep(5)

    @property
    def patience(self) -> float:
        """Seconds to wait for it."""
        return 0.3 if self.hang else 2.0


@contextmanager
def server(talk: Talk) -> Iterator[int]:
    """A server on this machine that talks so to each who connects."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                talk(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield int(made.server_address[1])
        finally:
            made.shutdown()


def says(*answers: bytes, then: bytes = b"", hang: bool = False) -> Talk:
    """See :class:`Talk`."""
    return Talk(answers, then, hang)


OPEN = (b"220 x ESMTP\r\n", b"250 x\r\n")
RCPT = (*OPEN, b"250 ok\r\n", b"250 ok\r\n")


@pytest.mark.parametrize(
    ("talk", "state"),
    [
        (says(b""), State.FAILED),
        (says(b"\r\n"), State.FAILED),
        (says(b"SSH-2.0-OpenSSH_9\r\n"), State.FAILED),
        (says(b"\xff\xfe\x00\r\n"), State.FAILED),
        (says(b"554 go away\r\n"), State.REFUSED),
        (says(b"421 later\r\n"), State.FAILED),
        (says(b"220 x\r\n"), State.FAILED),
        (says(b"220 " + b"x" * (1 << 20)), State.FAILED),
        (says(b"220 x\r\n", then=b"250-x\r\n"), State.FAILED),
        (says(b"220 x\r\n", hang=True), State.FAILED),
        (says(*OPEN, b"999 what\r\n"), State.FAILED),
        (says(*OPEN, b"\xff\xff\xff\r\n"), State.FAILED),
        (says(*OPEN, b"250 ok\r\n", b"550 \xff\x1b[31m no\r\n"), State.REFUSED),
        (says(*RCPT), State.UNCERTAIN),
        (says(*RCPT, b"354 go on\r\n"), State.UNCERTAIN),
        (says(*RCPT, b"354 go on\r\n", b""), State.UNCERTAIN),
        (says(*RCPT, b"354 go on\r\n", b"2\r\n"), State.UNCERTAIN),
        (says(*RCPT, b"354 go on\r\n", b"252 perhaps\r\n"), State.UNCERTAIN),
        (says(*RCPT, b"354 go on\r\n", hang=True), State.UNCERTAIN),
        (says(*RCPT, b"354 go on\r\n", b"451 later\r\n"), State.FAILED),
        (says(*RCPT, b"250 taken, before you have sent it\r\n"), State.FAILED),
        (says(*RCPT, b"354 go on\r\n", b"250 2.0.0 \x1b[31mtaken\r\n"), State.SENT),
    ],
)
def test_smtp(open_incident: Open, talk: Talk, state: State) -> None:
    incident = open_incident(FABRIKAM)
    with server(talk) as port:
        smtp = Smtp("127.0.0.1", port, "none", seconds=talk.patience)
        given = settings(smtp=smtp, pace=Pace(attempts=1))
        prepared(incident, given)
        begun = time.monotonic()
        found = send_letters(incident, given, actor="ann")
        assert time.monotonic() - begun < 6
    (one,) = found.deliveries
    assert one.state is state, one.detail
    assert one.detail.isprintable()
    assert len(one.detail) <= 1300


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("talk", "state"),
    [
        (says(b"", b""), "unknown"),
        (says(b"", b"SSH-2.0-OpenSSH_9\r\n"), "unknown"),
        (says(b"", b"HTTP/1.1 2"), "unknown"),
        (says(b"", b"HTTP/1.1 999 x\r\n\r\n"), "failed"),
        (says(b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000), "unknown"),
        (says(b"", hang=True), "unknown"),
        (says(b"", b"HTTP/1.1 100 Continue\r\n\r\n", hang=True), "unknown"),
        (says(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", then=b"x"), "sent"),
        (says(b"", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\njunk!"), "sent"),
        (says(b"", OK), "sent"),
    ],
)
def test_webhook(talk: Talk, state: str) -> None:

    marked = []
    with server(talk) as port:
        courier = WebhookCourier(
            Hooks(allow_loopback=True, seconds=talk.patience), "a", Secret(bytes(32)), lambda: 0
        )
        begun = time.monotonic()
        outcome: Outcome = asyncio.run(
            courier.carry(f"http://127.0.0.1:{port}/", b"{}", lambda: marked.append(1))
        )
        assert time.monotonic() - begun < 5
    assert outcome.state == state, outcome.detail
    assert outcome.detail.isprintable()
    assert marked == [1]
