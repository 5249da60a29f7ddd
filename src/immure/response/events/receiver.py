"""A receiver of pushes (RFC 8935) as an ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
from hmac import compare_digest
from typing import Final

from immure.errors import KeySourceError
from immure.introspection.asgi import (
    JSON,
    NO_STORE,
    Receive,
    Scope,
    Send,
    answer,
    answer_error,
    header_values,
    read_body,
)
from immure.introspection.errors import MediaTypeError, MethodError, RequestError
from immure.response.events.errors import EventError, EventStoreError, UnknownReceiverError
from immure.response.events.inbox import Inbox, refusal
from immure.response.events.set_token import MEDIA_TYPE, MOST_BYTES

_TYPE: Final = MEDIA_TYPE.encode("ascii")
_LATER: Final = (NO_STORE, (b"retry-after", b"5"))


class PushReceiver:
    """See the module. Any path is its own: mount it where it belongs.

    Args:
        inbox: takes the tokens.
        token: SHA-256 of the bearer token that the transmitter shows; None asks for none, as the tokens are
            signed.
    """

    def __init__(self, inbox: Inbox, *, token: bytes | None = None) -> None:
        self._inbox, self._token = inbox, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: 202 if its token is on the disk."""
        try:
            text = await self._text(scope, receive)
            await asyncio.to_thread(self._inbox.take, text)
        except EventError as error:
            await answer(send, 400, refusal(error), (JSON, NO_STORE))
        except RequestError as error:
            await answer_error(send, error)
        except (KeySourceError, EventStoreError):
            await answer(send, 503, b"", _LATER)
        else:
            await answer(send, 202, b"", (NO_STORE,))

    async def _text(self, scope: Scope, receive: Receive) -> str:
        if scope["method"] != "POST":
            raise MethodError("events are pushed by POST")
        self._authenticate(scope)
        kind = header_values(scope, b"content-type")
        if len(kind) != 1 or kind[0].partition(b";")[0].strip().lower() != _TYPE:
            raise MediaTypeError(f"the body must be {MEDIA_TYPE}")
        return (await read_body(scope, receive, MOST_BYTES)).strip().decode("ascii", "replace")

    def _authenticate(self, scope: Scope) -> None:
        if self._token is None:
            return
        values = header_values(scope, b"authorization")
        kind, _, token = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
        digest = hashlib.sha256(token.strip()).digest()
        if kind.lower() != b"bearer" or not compare_digest(digest, self._token):
            raise UnknownReceiverError("the transmitter does not show the token that was agreed")
