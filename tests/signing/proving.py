"""DPoP proofs and client assertions, as a client makes them."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from signing.house import ENTERPRISE
from tokens.minting import Mint, jwk, sealed

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def proof(key: str = "ES256:client", issuer: str = ENTERPRISE, **changes: Any) -> str:
    public = {name: value for name, value in jwk(key).items() if name in ("kty", "crv", "x", "y")}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public}
    claims = {"jti": secrets.token_hex(8), "htm": "POST", "htu": f"{issuer}/token", "iat": int(time.time())}
    return sealed(json.dumps(head).encode(), json.dumps(claims | changes).encode(), key, "ES256")


def assertion(client: str = "signer", aud: Any = f"{ENTERPRISE}/token", **changes: Any) -> dict[str, str]:
    """The two parameters of a form."""
    now = int(time.time())
    claims = {
        "iss": client,
        "sub": client,
        "aud": aud,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_hex(8),
    }
    token = Mint("ES256", "ES256").token(**(claims | changes), tid=None, nbf=None)
    return {"client_assertion_type": ASSERTION, "client_assertion": token}
