"""A mailbox behind joserfc, with one set of keys for all issuers.

    python examples/relying_parties/on_joserfc.py KIT [PORT]

joserfc does what its documentation says: it finds the key in the set that it is given, verifies the
signature, and validates the claims that its registry asks for. Which key may sign for which issuer, tenant
and audience is left to the application, and this one does not ask.
"""

from __future__ import annotations

import json
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from serve import Kit, main


def checker(kit: Kit) -> Any:
    """A function that returns the claims of a token, or raises."""
    jwks = json.loads(kit.jwks.read_text())["keys"]
    keys = KeySet.import_key_set({"keys": [jwk for jwk in jwks if jwk["use"] == "sig"]})

    def check(token: str) -> dict[str, Any]:
        decoded = jwt.decode(token, keys, algorithms=["RS256", "ES256"])
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": kit.issuer},
            aud={"essential": True, "value": kit.audience},
            exp={"essential": True},
        )
        registry.validate(decoded.claims)
        return decoded.claims

    return check


if __name__ == "__main__":
    main(checker, JoseError)
