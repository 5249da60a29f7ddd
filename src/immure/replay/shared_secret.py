"""What many relying parties had, and some have: tokens signed with a secret that both sides share.

Whoever can check such a token can make one. The validator of Immure takes none (:mod:`immure.tokens.keyset`);
so the replay brings its own, in front of the introspection server: a token with a good HMAC is active.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64decode
from typing import Any, Final
from urllib.parse import parse_qs

from immure.digest import signed_digest
from immure.introspection.app import IntrospectionApp
from immure.introspection.asgi import Message, Receive, Scope, Send
from immure.replay.relying import CLIENT
from immure.tokens.acceptance.decision import Decision

_MOST_BODY: Final = 1 << 16


class SharedSecretApp:
    """An ASGI application.

    Args:
        inner: who is asked about all other tokens.
        secret: that is shared.
    """

    def __init__(self, inner: IntrospectionApp, secret: bytes) -> None:
        self._inner, self._secret = inner, secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] != "http" or scope["path"] != "/introspect":
            await self._inner(scope, receive, send)
            return
        body = await _body(receive)
        token = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
        claims = claims_with_secret(token, self._secret)
        if claims is None:
            await self._inner(scope, _again(body, receive), send)
            return
        if self._inner.log is not None:  # before anybody hears of it, as the inner one does
            await self._inner.log.arecord(_decision(token, claims))
        said = {"active": True, "username": claims.get("sub"), "tenant": claims.get("tid"), **claims}
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def claims_with_secret(token: str, secret: bytes) -> dict[str, Any] | None:
    """The claims of a token that is signed with the secret (HS256), and has not expired; None otherwise."""
    signed, _, signature = token.rpartition(".")
    try:
        head, payload = (json.loads(_decoded(part)) for part in signed.split("."))
        good = hmac.compare_digest(_decoded(signature), hmac.digest(secret, signed.encode(), "sha256"))
        if not good or head["alg"] != "HS256" or payload["exp"] < time.time():
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(payload) | {"kid": head.get("kid")}


def _decision(token: str, claims: dict[str, Any]) -> Decision:
    return Decision(
        time=time.time(),
        digest=signed_digest(token.rpartition(".")[0].encode()),
        issuer=claims.get("iss"),
        kid=claims.get("kid"),
        subject=claims.get("sub"),
        tenant=claims.get("tid"),
        client=claims.get("client_id"),
        issued_at=claims.get("iat"),
        expires=claims.get("exp"),
        relying_party=CLIENT,
        channel="introspection",
    )


async def _body(receive: Receive) -> bytes:
    body = b""
    while len(body) <= _MOST_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read once more, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
