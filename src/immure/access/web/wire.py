"""Requests and answers of HTTP, as ASGI has them: bounded, and read strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pair = tuple[bytes, bytes]

#: A response of WebAuthn has a few thousand bytes; a policy, each character spelled out, three times its own.
MOST_BODY: Final = 256 << 10
MOST_QUERY: Final = 8 << 10
MOST_FIELDS: Final = 32
#: Seconds for a body to come in. The HTTP server of ``immure serve`` breaks a request off after ten.
PATIENCE: Final = 8.0
#: Answers to what came only in part: what comes after it is not read.
_CLOSE: Final[Pair] = (b"connection", b"close")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
#: Of every page, whatever it may do besides.
SAFE: Final[tuple[Pair, ...]] = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # with "no-referrer" browsers say "Origin: null" even to ourselves, and our own form would be refused
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def content_policy(*more: str) -> Pair:
    """The Content-Security-Policy of our pages: nothing but their own script and style, and ``more``."""
    return b"content-security-policy", "; ".join([_POLICY, *more]).encode()


#: Of every answer that is not for a proxy.
HEADERS: Final[tuple[Pair, ...]] = (
    content_policy(),
    (b"permissions-policy", b"publickey-credentials-get=(self), publickey-credentials-create=(self)"),
    *SAFE,
    (b"cache-control", b"no-store"),
)
HTML: Final[Pair] = (b"content-type", b"text/html; charset=utf-8")
_FORM: Final = b"application/x-www-form-urlencoded"


class WireError(Exception):
    """A request that cannot be answered but by a status, and words; ``fields`` go with the answer."""

    def __init__(self, status: int, words: str, *fields: Pair) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.fields = fields


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
        WireError: it is too long, too slow, or no form.
    """
    if len(scope.get("query_string", b"")) > MOST_QUERY:
        raise WireError(414, "the address is too long")
    fields: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in scope["headers"]:
        fields[name] = (*fields.get(name, ()), value)
    method = str(scope["method"])
    form: Mapping[str, str] = {}
    if method == "POST":
        if [one.partition(b";")[0].strip().lower() for one in fields.get(b"content-type", ())] != [_FORM]:
            raise WireError(415, "what is sent here is a form", _CLOSE)
        _check_length(fields.get(b"content-length", ()))
        try:
            async with asyncio.timeout(PATIENCE):
                form = _pairs(await _body(receive))
        except TimeoutError:
            raise WireError(408, f"a form is here within {PATIENCE:.0f} seconds", _CLOSE) from None
    client = scope.get("client")
    return Request(
        method=method,
        path=str(scope["path"]),
        query=_pairs(scope.get("query_string", b"")),
        form=form,
        fields=fields,
        peer=str(client[0]) if client else "",
    )


def _check_length(values: tuple[bytes, ...]) -> None:
    """A body that says that it is too long is not read. One that says nothing, or lies, is counted."""
    for value in values:
        if not value.isdigit():
            raise WireError(400, "a length that is no number", _CLOSE)
        if len(value) > 9 or int(value) > MOST_BODY:
            raise _too_long()


def _too_long() -> WireError:
    return WireError(413, f"a form has at most {MOST_BODY} bytes here", _CLOSE)


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise WireError(400, "the request was broken off")
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise _too_long()
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


def redirect(path: str, *fields: Pair) -> Answer:
    """Go on to another page of ours."""
    return Answer(303, b"", (*HEADERS, *fields, (b"location", path.encode())))


def page_answer(status: int, body: bytes, fields: Sequence[Pair] = ()) -> Answer:
    """A page."""
    return Answer(status, body, (*HEADERS, HTML, *fields))
