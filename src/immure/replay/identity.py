"""The organizations' own identity providers: each says who has signed in there, with a key of its own."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from immure.replay.scenario import Organization

_SECONDS: Final = 300


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def segment(value: dict[str, Any]) -> str:
    """A header or payload as a token has it."""
    return base64url(json.dumps(value, separators=(",", ":")).encode())


class Directory:
    """All of them; their public keys are in ``directory``, a file for each domain."""

    def __init__(self, directory: Path, organizations: Iterable[Organization]) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._keys = {one.domain: Ed25519PrivateKey.generate() for one in organizations}
        directory.mkdir(exist_ok=True)
        for domain, key in self._keys.items():
            public = base64url(key.public_key().public_bytes_raw())
            jwk = {"kty": "OKP", "crv": "Ed25519", "kid": domain, "x": public}
            (directory / f"{domain}.json").write_text(json.dumps({"keys": [jwk]}), encoding="ascii")

    def assertion(self, organization: Organization, audience: str) -> str:
        """Says that the owner of the organization's mailbox has signed in (RFC 7523, section 3)."""
        now = int(time.time())
        claims = {
            "iss": f"https://id.{organization.domain}",
            "sub": organization.mailbox,
            "aud": audience,
            "iat": now,
            "exp": now + _SECONDS,
            "jti": secrets.token_hex(12),
        }
        signed = f"{segment({'alg': 'EdDSA', 'kid': organization.domain})}.{segment(claims)}"
        return f"{signed}.{base64url(self._keys[organization.domain].sign(signed.encode()))}"
