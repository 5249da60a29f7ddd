"""What a service does with keys that somebody else on the network keeps; the same for each of them."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt

from immure.registry.scope import KeyScope
from immure.signing.keys import TokenKeys
from immure.signing.rotation import Plan
from immure.signing.service import Service
from signing.house import CONTOSO, MAIL, SECRET

CLAIMS = {"iss": "https://login.example", "aud": "a", "exp": 4_000_000_000}
ASKED = {"grant_type": "client_credentials", "resource": MAIL}


def plan(algorithm: str) -> Plan:
    return Plan(KeyScope("https://login.example", frozenset({"consumer"})), algorithm, "k")


def sign(keys: TokenKeys, kid: str, algorithm: str) -> str:
    return asyncio.run(keys.sign_token(kid, {"alg": algorithm, "kid": kid}, CLAIMS))


def opened(text: str, public: Any, algorithm: str) -> dict[str, Any]:
    """What PyJWT says the token says, if its signature holds."""
    key = jwt.PyJWK(public.to_jwk() | {"alg": algorithm})
    return jwt.decode(text, key, [algorithm], options={"verify_aud": False})


async def is_served(client: Any, service: Service, algorithm: str) -> None:
    """A token is issued, and holds."""
    answer = await client.post("/enterprise/token", data=ASKED, auth=("daemon", SECRET))
    assert answer.status_code == 200, answer.text
    [record] = [one for one in service.registry.records() if one.kid == "enterprise-0001"]
    assert opened(answer.json()["access_token"], record.key, algorithm)["tid"] == CONTOSO
    assert (await asyncio.to_thread(service.keys.use, "enterprise-0001")).signed >= 1


async def is_refused(client: Any) -> None:
    """No token, and no word of why but that it may be tried again."""
    answer = await client.post("/enterprise/token", data=ASKED, auth=("daemon", SECRET))
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "access_token" not in answer.text
