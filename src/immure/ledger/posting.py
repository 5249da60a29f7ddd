"""One HTTP POST, bounded in time and in size: how witnesses are asked."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import Final
from urllib.parse import urlsplit

from immure.ledger.errors import LedgerError

_MOST_BYTES: Final = 64 << 10
_MOST_URL: Final = 2048
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Post:
    """What is sent, and to where."""

    url: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``media_type`` in lower case without parameters."""

    status: int
    media_type: str
    body: bytes


def check_url(url: str) -> None:
    """Raise LedgerError unless this is a URL that may be posted to: https; http on this machine."""
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        parts, port_is_right = urlsplit(""), False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _MOST_URL
    allowed = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not (plain and port_is_right and parts.hostname and allowed):
        raise LedgerError("a witness is at a URL of https (http on this machine only)")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise LedgerError("the URL of a witness has no query, no fragment and no password")


def post(asked: Post, *, seconds: float, ca_file: str | None = None) -> Answer:
    """Send it, and take the answer; redirects are not followed.

    Raises:
        LedgerError: there is no answer in time, or one that is too long.
    """
    parts = urlsplit(asked.url)
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.netloc, timeout=seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
        # the timeout of a socket is for each byte; this one is for all of them
        timer = Timer(seconds, _cut, [connection])
        timer.daemon = True
        timer.start()
        try:
            headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "immure"}
            connection.request("POST", parts.path or "/", asked.body, headers)
            response = connection.getresponse()
            body = response.read(_MOST_BYTES + 1)
            kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        finally:
            timer.cancel()
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LedgerError(f"cannot be reached ({type(error).__name__})") from error
    if len(body) > _MOST_BYTES:
        raise LedgerError(f"answers with more than {_MOST_BYTES} bytes")
    return Answer(response.status, kind, body)


def _cut(connection: http.client.HTTPConnection) -> None:
    """End what takes too long: whoever reads sees the end of the stream."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
