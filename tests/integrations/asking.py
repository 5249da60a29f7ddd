"""Asks a guard directly, without a framework."""

from __future__ import annotations

import asyncio

from immure.integrations.bearer import Refusal, Request
from tokens.minting import MAIL


def request(path="/me", headers=(), url=MAIL, **changes):
    named = {name: [value for other, value in headers if other == name] for name, _ in headers}
    return Request("GET", url + path, named.get("Authorization", []), named.get("DPoP", []), **changes)


def outcome(door, asked, *, scopes=None, waits=False):
    """Claims or a refusal."""
    try:
        return asyncio.run(door.acheck(asked, scopes=scopes)) if waits else door.check(asked, scopes=scopes)
    except Refusal as answer:
        return answer
