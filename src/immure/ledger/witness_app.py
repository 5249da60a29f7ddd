"""A witness over HTTP, as an ASGI application (the server of C2SP tlog-witness).

    app = WitnessApp(witness)       # POST /add-checkpoint, GET /healthz

Nobody has to log in: what is signed is decided by the signature of the log on what is sent, and by what the
witness has seen before. Each request is bounded in size; how many are looked at at once, too, as each waits
for the disk.

Source: https://c2sp.org/tlog-witness
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any, Final

from immure.auditlog.witness import MAX_BODY_BYTES, Witness, WitnessError
from immure.errors import LogError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
#: Is told of an event, with facts about it.
Told = Callable[..., None]

_TEXT: Final = b"text/plain; charset=utf-8"
_SIZE: Final = b"text/x.tlog.size"
#: Requests that are looked at at once.
_AT_ONCE: Final = 8


def nobody(event: str, **facts: Any) -> None:
    """Tells nobody."""


class _RefusedError(Exception):
    """A request that does not get as far as the witness."""

    def __init__(self, status: int, words: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(words)
        self.status, self.headers = status, headers


class WitnessApp:
    """The application.

    Args:
        witness: who signs.
        prefix: path below which it answers (the *submission prefix*), such as ``/w1``.
        told: hears of what was signed and what was refused.
    """

    def __init__(self, witness: Witness, *, prefix: str = "", told: Told = nobody) -> None:
        self._witness, self._told = witness, told
        self._path = f"{prefix.rstrip('/')}/add-checkpoint"
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        except _RefusedError as error:
            await _send(send, error.status, _TEXT, f"{error}\n".encode(), error.headers)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            ending = message["type"] == "lifespan.shutdown"
            self._told("stopped" if ending else "started")
            await send({"type": "lifespan.shutdown.complete" if ending else "lifespan.startup.complete"})
            if ending:
                return

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            _only(scope, "GET", "HEAD")
            await _send(send, 200, _TEXT, b"ok\n")
            return
        if scope["path"] != self._path:
            raise _RefusedError(404, "there is nothing at this path")
        _only(scope, "POST")
        body = await _body(scope, receive)
        async with self._room:
            await self._add_checkpoint(body, send)

    async def _add_checkpoint(self, body: bytes, send: Send) -> None:
        facts = {"request": sha256(body).hexdigest()[:32]}
        try:
            line = await asyncio.to_thread(self._witness.add_checkpoint, body)
        except WitnessError as error:
            self._told("refused", status=error.status, reason=error.reason, **facts)
            if error.size is not None:
                await _send(send, error.status, _SIZE, b"%d\n" % error.size)
                return
            raise _RefusedError(error.status, error.reason) from error
        except LogError as error:  # of its own disk: nothing was signed
            self._told("failed", reason=str(error), **facts)
            raise _RefusedError(
                503, "the witness cannot remember what it signs, and so does not sign"
            ) from error
        self._told("signed", **facts)
        await _send(send, 200, _TEXT, line.encode())


def _only(scope: Message, *methods: str) -> None:
    if scope["method"] not in methods:
        allowed = ", ".join(methods)
        raise _RefusedError(405, f"only {allowed} here", (b"allow", allowed.encode()))


async def _body(scope: Message, receive: Receive) -> bytes:
    """The body of a request, not longer than one may be."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (
            len(value) > 10 or not value.isdigit() or int(value) > MAX_BODY_BYTES
        ):
            raise _RefusedError(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    data, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise _RefusedError(400, "who asked went away")
        data += message.get("body", b"")
        more = message.get("more_body", False)
        if len(data) > MAX_BODY_BYTES:
            raise _RefusedError(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    return bytes(data)


async def _send(
    send: Send, status: int, kind: bytes, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    fields = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
