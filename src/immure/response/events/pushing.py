"""Handing tokens to receivers that take pushes (RFC 8935)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from immure.response.events.errors import EventStoreError, SendError
from immure.response.events.http import Sender
from immure.response.events.set_token import MEDIA_TYPE
from immure.response.events.store import EventStore
from immure.response.events.streams import PUSH, Stream
from immure.tokens.errors import TokenError
from immure.tokens.strict import decode_object

#: Tokens that are read from the store at a time.
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a stream is.

    Attributes:
        delivered: tokens that its receiver took, this time.
        refused: tokens that it refused for good, this time.
        waiting: tokens that it does not have.
        problem: why no more were handed over; "" if nothing is in the way.
    """

    delivered: int
    refused: int
    waiting: int
    problem: str = ""


def push(store: EventStore, stream: Stream, sender: Sender) -> Delivery:
    """Hand over what waits, the oldest first, until all is done or the receiver does not take more.

    While one process does so, another waits: no token goes out twice at the same time.

    Raises:
        EventStoreError: the store cannot be used.
    """
    delivered = refused = 0
    problem = "" if stream.status == "enabled" else f"the stream is {stream.status}"
    if stream.method == PUSH and not problem:
        with _alone(store, stream):
            while not problem and (batch := store.waiting(stream.id, _BATCH)):
                for one in batch:
                    try:
                        refusal = _hand_over(stream, one.text, sender)
                    except SendError as error:
                        problem = error.reason
                        store.failed(stream.id, one.jti, problem)
                        break
                    store.settle(stream.id, one.jti, "refused" if refusal else "delivered", refusal)
                    delivered, refused = delivered + (not refusal), refused + bool(refusal)
    return Delivery(delivered, refused, store.counts(stream.id)["waiting"], problem)


def _hand_over(stream: Stream, text: str, sender: Sender) -> str:
    """Why a receiver refuses a token; "" if it took it. Raises SendError if nobody knows."""
    headers = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}
    if stream.authorization:
        headers["Authorization"] = stream.authorization
    answer = sender.send(stream.endpoint, text.encode("ascii"), headers)
    if answer.status in (200, 202):  # the RFC has 202; who answers 200 took it, too
        return ""
    if answer.status == 400:
        return _words(answer.body)
    raise SendError(f"HTTP status {answer.status}", status=answer.status)


def _words(body: bytes) -> str:
    """The receiver's error code (RFC 8935, section 2.4); its description is foreign text, and is cut."""
    try:
        members = decode_object(body[:4096])
    except TokenError:
        return "HTTP status 400"
    code, words = str(members.get("err", ""))[:40], str(members.get("description", ""))[:200]
    return f"{code or 'HTTP status 400'}: {words}" if words else code or "HTTP status 400"


@contextmanager
def _alone(store: EventStore, stream: Stream) -> Iterator[None]:
    if store.path == ":memory:":
        yield
        return
    path = f"{store.path}.{stream.id}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EventStoreError(error.strerror or str(error), path=path) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
