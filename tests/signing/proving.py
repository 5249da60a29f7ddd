"""DPoP proofs and client assertions, as a client makes them."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from signing.house import ENTERPRISE
from tokens.minting import Mint, jwk, sealed

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def _public(key: str) -> dict[str, str]:
    return {name: value for name, value in jwk(key).items() if name in ("kty", "crv", "x", "y")}


def jkt_of(key: str) -> str:
    """The thumbprint of a key (RFC 7638)."""
    text = json.dumps(_public(key), sort_keys=True, separators=(",", ":"))
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def proof(key: str = "ES256:client", issuer: str = ENTERPRISE, **changes: Any) -> str:
    public = _public(key)
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
