"""Polling (RFC 8936): the transmitter's answer, and the receiver's question.

    inbox.poll(url, sender, authorization="Bearer …")

A token is given again and again until it is acknowledged, or refused with an error.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Final

from immure.response.events.errors import SendError, StreamFormError
from immure.response.events.http import Sender, shown_url
from immure.response.events.store import EventStore, Waiting
from immure.response.events.streams import POLL, Stream
from immure.tokens.errors import TokenError
from immure.tokens.strict import decode_object

#: Tokens in one answer, and acknowledgements in one question.
MOST_EVENTS: Final = 100
_MOST_ACKS: Final = 1000
#: Seconds that an answer waits for a first event, and between two looks.
LONG_POLL: Final = 20.0
_LOOK: Final = 0.2
_MEMBERS: Final = {"maxEvents", "returnImmediately", "ack", "setErrs"}


async def answer_poll(
    store: EventStore, stream: Stream, asked: Mapping[str, Any], *, seconds: float = LONG_POLL
) -> tuple[int, dict[str, Any]]:
    """Status and members of the answer to a receiver that polls (section 2.4).

    Args:
        store: of the events.
        stream: that is polled.
        asked: members of the question.
        seconds: to wait for an event, if the receiver does not want the answer at once.

    Raises:
        StreamFormError: the question is malformed, or the stream is one that is pushed.
    """
    if stream.method != POLL:
        raise StreamFormError("events of this stream are pushed")
    most, at_once = _question(asked)
    await asyncio.to_thread(_settle, store, stream, asked)
    end = monotonic() + seconds
    while True:
        found: list[Waiting] = []
        if stream.status == "enabled" and most:
            found = await asyncio.to_thread(store.waiting, stream.id, most + 1)
        if found or at_once or monotonic() >= end or not most:
            sets = {one.jti: one.text for one in found[:most]}
            return 200, {"sets": sets, **({"moreAvailable": True} if len(found) > most else {})}
        await asyncio.sleep(_LOOK)


def _question(asked: Mapping[str, Any]) -> tuple[int, bool]:
    unknown = asked.keys() - _MEMBERS
    if unknown:
        raise StreamFormError(f"{min(unknown)[:40]!a} is not known")
    most, at_once = asked.get("maxEvents", MOST_EVENTS), asked.get("returnImmediately", False)
    if type(most) is not int or most < 0 or not isinstance(at_once, bool):
        raise StreamFormError("maxEvents is a number, and returnImmediately true or false")
    acks, errors = asked.get("ack", []), asked.get("setErrs", {})
    if not isinstance(acks, list) or not isinstance(errors, dict) or len(acks) + len(errors) > _MOST_ACKS:
        raise StreamFormError(f"ack is a list, setErrs an object, of {_MOST_ACKS} together at most")
    if not all(isinstance(one, str) for one in acks):
        raise StreamFormError("ack is a list of texts")
    if not all(isinstance(one, dict) for one in errors.values()):
        raise StreamFormError("setErrs is an object of objects")
    return min(most, MOST_EVENTS), at_once


def _settle(store: EventStore, stream: Stream, asked: Mapping[str, Any]) -> None:
    for jti in asked.get("ack", []):
        store.settle(stream.id, jti, "delivered")
    for jti, why in asked.get("setErrs", {}).items():
        words = f"{str(why.get('err', ''))[:40]}: {str(why.get('description', ''))[:200]}"
        store.settle(stream.id, jti, "refused", words)


def poll(
    url: str,
    sender: Sender,
    *,
    authorization: str = "",
    acks: Iterable[str] = (),
    errors: Mapping[str, Mapping[str, str]] | None = None,
    most: int = MOST_EVENTS,
    at_once: bool = True,
) -> dict[str, str]:
    """Ask a transmitter for events.

    Args:
        url: of the stream.
        sender: how.
        authorization: value of the header of that name.
        acks, errors: what has become of the tokens before.
        most: tokens to get.
        at_once: do not wait for one.

    Returns:
        Tokens by their names.

    Raises:
        SendError: there is no answer, or none that is one.
    """
    asked: dict[str, Any] = {"maxEvents": most, "returnImmediately": at_once}
    asked |= {"ack": list(acks)} if acks else {}
    asked |= {"setErrs": {name: dict(why) for name, why in errors.items()}} if errors else {}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    answer = sender.send(url, json.dumps(asked).encode("ascii"), headers)
    if answer.status != 200:
        raise SendError(f"HTTP status {answer.status}", path=shown_url(url), status=answer.status)
    try:
        members = decode_object(answer.body)
    except TokenError as error:
        raise SendError(f"the answer {error.reason}", path=shown_url(url)) from None
    sets = members.get("sets")
    if not isinstance(sets, dict) or not all(isinstance(one, str) for one in sets.values()):
        raise SendError("the answer has no sets", path=shown_url(url))
    return sets
