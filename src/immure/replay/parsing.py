"""What a token says, read by its holder, who has no need to check it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token that an issuer gave us; ValueError if it is none."""
    payload = token.split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("claims are no object")  # noqa: TRY004 - what is wrong is the token
    return claims
