"""A metadata service for tests: blobs signed by an authority of our own."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from access.authenticator import AAGUID, Authority, b64, der, name, uuid, vendor

NAME = "mds.fidoalliance.org"


def entry(model: bytes = AAGUID, *statuses: str, **changes: Any) -> dict[str, Any]:
    root = base64.b64encode(vendor()[0].der).decode()
    made: dict[str, Any] = {
        "aaguid": uuid(model),
        "metadataStatement": {
            "description": "Example Key 5",
            "authenticatorVersion": 5,
            "schema": 3,
            "upv": [{"major": 1, "minor": 1}],
            "attestationTypes": ["basic_full"],
            "userVerificationDetails": [[{"userVerificationMethod": "passcode_external"}]],
            "keyProtection": ["hardware", "secure_element"],
            "matcherProtection": ["on_chip"],
            "attachmentHint": ["external", "wired"],
            "tcDisplay": [],
            "attestationRootCertificates": [root],
        },
        "statusReports": [
            {"status": one, "effectiveDate": "2026-01-01"} for one in statuses or ("FIDO_CERTIFIED",)
        ],
        "timeOfLastStatusChange": "2026-01-01",
    }
    return {**made, **changes}


@dataclass
class Service:
    """Signs blobs. ``chain`` is what stands in the header."""

    root: Authority = field(default_factory=lambda: Authority.root("Example Public Root"))
    algorithm: str = "ES256"
    names: tuple[str, ...] = (NAME,)
    header: dict[str, Any] = field(default_factory=dict)
    key: Any = None
    issuer: Authority | None = None
    leaf: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.key is None:
            rsa_key = self.algorithm == "RS256"
            self.key = (
                rsa.generate_private_key(public_exponent=65537, key_size=2048)
                if rsa_key
                else ec.generate_private_key(ec.SECP256R1())
            )
        issuer = self.issuer or self.root
        leaf = issuer.leaf(
            name("Example Metadata"), self.key.public_key(), names=list(self.names), **self.leaf
        )
        self.chain = [der(leaf)] + ([issuer.der] if self.issuer else [])

    def blob(self, *entries: Mapping[str, Any], **payload: Any) -> bytes:
        body = {
            "legalHeader": "example",
            "no": 7,
            "nextUpdate": "2026-12-31",
            "entries": list(entries or (entry(),)),
            **payload,
        }
        head = {
            "alg": self.algorithm,
            "typ": "JWT",
            "x5c": [base64.b64encode(one).decode() for one in self.chain],
            **self.header,
        }
        head = {name: value for name, value in head.items() if value is not None}
        message = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}".encode()
        return message + b"." + b64(self.sign(message)).encode()

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
