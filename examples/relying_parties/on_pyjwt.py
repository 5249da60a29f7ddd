"""A mailbox behind PyJWT, with one set of keys for all issuers.

    python examples/relying_parties/on_pyjwt.py KIT [PORT]

PyJWT does what its documentation says: it verifies the signature with the key that it is given, the issuer,
the audience and the times. Which key may sign for which issuer, tenant and audience is left to the
application, and this one does not ask: it takes the key that ``kid`` names out of the shared set.
"""

from __future__ import annotations

import json
from typing import Any

import jwt
from serve import Kit, main


def checker(kit: Kit) -> Any:
    """A function that returns the claims of a token, or raises."""
    jwks = json.loads(kit.jwks.read_text())["keys"]
    keys = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in jwks if jwk["use"] == "sig"}

    def check(token: str) -> dict[str, Any]:
        key = keys.get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise jwt.InvalidTokenError("no such key")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256", "ES256"],
            issuer=kit.issuer,
            audience=kit.audience,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims

    return check


if __name__ == "__main__":
    main(checker, jwt.PyJWTError)
