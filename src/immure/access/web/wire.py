"""Requests and answers of HTTP, as ASGI has them: bounded, and read strictly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pair = tuple[bytes, bytes]

#: A response of WebAuthn has a few thousand bytes; a text in a form 2000 characters.
MOST_BODY: Final = 128 << 10
MOST_FIELDS: Final = 32
_FORM: Final = b"application/x-www-form-urlencoded"


class WireError(Exception):
    """A request that cannot be answered but by a status, and words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``form`` is that of a POST. ``peer`` is the address of who is connected, empty for a Unix
    socket."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    fields: Mapping[bytes, tuple[bytes, ...]]
    peer: str

    def one(self, name: bytes) -> bytes | None:
        """The value of a header field that must not be there twice; raises WireError."""
        values = self.fields.get(name, ())
        if len(values) > 1:
            raise WireError(400, f"the field {name.decode()} is there twice")
        return values[0] if values else None

    def cookie(self, name: str) -> str | None:
        """The value of a cookie; None if there is none, or two of one name, of which one is not ours."""
        found = []
        for line in self.fields.get(b"cookie", ()):
            for part in line.decode("latin-1").split(";"):
                key, sign, value = part.strip().partition("=")
                if sign and key == name:
                    found.append(value)
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer."""

    status: int
    body: bytes = b""
    fields: tuple[Pair, ...] = ()


async def read_request(scope: Scope, receive: Receive) -> Request:
    """The request of a scope.

    Raises:
        WireError: it is too long, or no form.
    """
    fields: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in scope["headers"]:
        fields[name] = (*fields.get(name, ()), value)
    method = str(scope["method"])
    form: Mapping[str, str] = {}
    if method == "POST":
        if [one.partition(b";")[0].strip().lower() for one in fields.get(b"content-type", ())] != [_FORM]:
            raise WireError(415, "what is sent here is a form")
        form = _pairs(await _body(receive))
    client = scope.get("client")
    return Request(
        method=method,
        path=str(scope["path"]),
        query=_pairs(scope.get("query_string", b"")),
        form=form,
        fields=fields,
        peer=str(client[0]) if client else "",
    )


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise WireError(400, "the request was broken off")
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise WireError(413, f"a form has at most {MOST_BODY} bytes here")
        if not message.get("more_body"):
            return bytes(body)


def _pairs(data: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(data),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise WireError(400, "the form, or the query, cannot be read") from None
    made = dict(pairs)
    if len(made) != len(pairs):
        raise WireError(400, "a field of the form is there twice")
    return made


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer."""
    fields = [*answer.fields, (b"content-length", str(len(answer.body)).encode())]
    if answer.status == 204:
        fields.pop()
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": answer.body})
