"""Key files and claims for the tests; the PIN is stretched as little as a file may ask for."""

from __future__ import annotations

import time
from typing import Any

from immure.custody.keyholder import KeyHolder, Rules
from immure.registry.scope import KeyScope

PIN = "hunter2 and some more"
CHEAP = {"cost": (1 << 10, 8, 1), "timeout": 20.0}
CONSUMER = "https://login.example/consumers"
ENTERPRISE = "https://login.example/enterprise"
API = "https://api.example"
OFFICE = "https://office.example"
AUDIENCES = {API: frozenset({"consumer", "enterprise"}), OFFICE: frozenset({"enterprise"})}


def rules(algorithm: str = "ES256", **changes: Any) -> Rules:
    """Of a key for consumers."""
    scope = {"issuer": CONSUMER, "audience_classes": frozenset({"consumer"})} | changes.pop("scope", {})
    return Rules(algorithm, KeyScope(**scope), **({"audiences": AUDIENCES} | changes))


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that such a key may sign; a change of None leaves one out."""
    now = int(time.time())
    made = {"iss": CONSUMER, "sub": "s", "aud": API, "iat": now, "exp": now + 3600} | changes
    return {name: value for name, value in made.items() if value is not None}


def holds(holder: KeyHolder, kid: str, token: str) -> bool:
    """Checked by PyJWT, which is not ours."""
    import jwt

    key = holder.find(kid)
    public = jwt.PyJWK(key.public.to_jwk(), key.algorithm)
    jwt.decode(token, public, [key.algorithm], audience=API, options={"verify_iat": True})
    return jwt.get_unverified_header(token)["kid"] == kid


def wait_until_gone(holder: KeyHolder) -> None:
    while holder._link.is_open:
        time.sleep(0.005)
