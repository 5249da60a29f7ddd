"""What a browser and a client do to sign somebody in."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from immure.keymaterial.key import b64url
from signing.house import BACK, ENTERPRISE, SECRET

WEB = ("web", SECRET)
VERIFIER = "v" * 43


def challenge(verifier: str = VERIFIER) -> str:
    return b64url(hashlib.sha256(verifier.encode()).digest())


def asked(**changes: str | None) -> str:
    """The query of a request to ``/authorize``."""
    given: dict[str, Any] = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": BACK,
        "scope": "openid offline_access mail.read",
        "state": "xyz",
        "nonce": "n-1",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
    } | changes
    return urlencode({name: value for name, value in given.items() if value is not None})


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a form."""
    found = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


async def sign_in(client, issuer=ENTERPRISE, name="ada", password="lovelace", query: str | None = None):
    """What a browser does: the form, the answer, the way back."""
    page = await client.get(f"{issuer}/authorize?{query or asked()}")
    assert page.status_code == 200
    sent = {**hidden(page.text), "name": name, "password": password}
    return await client.post(f"{issuer}/sign-in", data=sent)


def answered(location: str) -> dict[str, str]:
    """The query of an address."""
    return {name: value[0] for name, value in parse_qs(urlsplit(location).query).items()}


async def code_of(client, **changes: str | None) -> str:
    signed_in = await sign_in(client, query=asked(**changes))
    assert signed_in.status_code == 303
    back = await client.get(signed_in.headers["location"])
    return answered(back.headers["location"])["code"]


async def trade(client, code: str, auth=WEB, issuer=ENTERPRISE, **changes: str):
    """What a client does with a code."""
    data = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return await client.post(f"{issuer}/token", data={**data, **changes}, auth=auth)


async def refresh(client, token: str, auth=WEB, issuer=ENTERPRISE, **more: str):
    data = {"grant_type": "refresh_token", "refresh_token": token, **more}
    return await client.post(f"{issuer}/token", data=data, auth=auth)
