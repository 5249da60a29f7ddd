"""Asks an ASGI app directly, with scopes as the specification has them."""

from __future__ import annotations

import asyncio

from immure.integrations.asgi import Protect, claims
from integrations.doors import guard


def scope(headers=(), kind="http", **changes):
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    made = {"type": kind, "path": "/me", "headers": raw, "scheme": "https", "server": ("mail.example", 443)}
    made |= {"method": "GET"} if kind == "http" else {}
    return made | changes


def run(app, asked):
    """What an app sends; what it receives is nothing."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        raise AssertionError("nobody reads a request that is refused")

    asyncio.run(app(asked, receive, send))
    return sent


async def inner(asked, _receive, send):
    body = claims(asked)["sub"].encode() if "immure.admission" in asked else b"nobody"
    await send({"type": "inner", "body": body})


def protect(**changes):
    return Protect(inner, guard(), **changes)


INSIDE, NOBODY = [{"type": "inner", "body": b"mailbox-7"}], [{"type": "inner", "body": b"nobody"}]
