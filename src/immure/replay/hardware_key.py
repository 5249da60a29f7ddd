"""Security keys in software, and the vendor that vouches for them: they stand in for hardware in a replay.

Each does what a key of that model does when its owner touches it and gives the PIN: WebAuthn Level 3,
attested by a certificate (packed, section 8.2) and with a counter.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AAGUID: Final = bytes.fromhex("5d1f0a7c94e24b6cb03f8e61a2d7c950")
_AAGUID_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_BEGIN, _END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
#: User present, user verified; attested credential data follow.
_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


class Vendor:
    """Makes keys of one model.

    Attributes:
        root: the certificate (PEM) that its attestation leads to.
    """

    def __init__(self) -> None:
        top, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = _certificate(
            _name("Replay Keys Root"), top.public_key(), _name("Replay Keys Root"), top, ca=True
        )
        leaf = _certificate(
            _name("Replay Keys Attestation", unit="Authenticator Attestation"),
            self._key.public_key(),
            root.subject,
            top,
            ca=False,
        )
        self.root = root.public_bytes(serialization.Encoding.PEM).decode("ascii")
        self._leaf = leaf.public_bytes(serialization.Encoding.DER)

    def attest(self, message: bytes) -> tuple[bytes, bytes]:
        """A signature of the model's, and the certificate that it is verified with."""
        return self._key.sign(message, ec.ECDSA(hashes.SHA256())), self._leaf


class HardwareKey:
    """One key, with the credentials that were made on it; ``counted`` is what it has signed before."""

    def __init__(self, vendor: Vendor, origin: str, *, counted: int = 0) -> None:
        self._vendor, self._origin = vendor, origin
        self._made: dict[str, tuple[ec.EllipticCurvePrivateKey, str]] = {}
        self._count = counted

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """``navigator.credentials.create()``, when its owner touches it."""
        from fido2 import cbor

        identity, key = os.urandom(32), ec.generate_private_key(ec.SECP256R1())
        self._made[_text(identity)] = key, options["user"]["id"]
        point = key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        data = self._data(options["rp"]["id"], _PRESENT | _VERIFIED | _ATTESTED)
        data += AAGUID + struct.pack(">H", len(identity)) + identity + cbor.encode(cose)
        client = self._client("webauthn.create", options["challenge"])
        signature, leaf = self._vendor.attest(data + hashlib.sha256(client).digest())
        statement = {"alg": -7, "sig": signature, "x5c": [leaf]}
        attestation = cbor.encode({"fmt": "packed", "attStmt": statement, "authData": data})
        response = {"attestationObject": _text(attestation), "transports": ["usb"]}
        return _response(_text(identity), client, response)

    def get(self, options: Mapping[str, Any], *, claims: tuple[str, str] | None = None) -> dict[str, Any]:
        """``navigator.credentials.get()``, when its owner touches it.

        Args:
            claims: id and user handle of a credential that is on another key: sign as if it were here.

        Raises:
            KeyError: none of the credentials that are asked for is on this key.
        """
        asked = [one["id"] for one in options["allowCredentials"]]
        identity = next((one for one in asked if one in self._made), "")
        key, handle = self._made[identity if claims is None else next(iter(self._made))]
        if claims is not None:
            identity, handle = claims
        self._count += 1
        data = self._data(options["rpId"], _PRESENT | _VERIFIED)
        client = self._client("webauthn.get", options["challenge"])
        signature = key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"authenticatorData": _text(data), "signature": _text(signature), "userHandle": handle}
        return _response(identity, client, response)

    def _data(self, relying_party: str, flags: int) -> bytes:
        return hashlib.sha256(relying_party.encode()).digest() + struct.pack(">BI", flags, self._count)

    def _client(self, kind: str, challenge: str) -> bytes:
        members = {"type": kind, "challenge": challenge, "origin": self._origin, "crossOrigin": False}
        return json.dumps(members).encode()


def _response(identity: str, client: bytes, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": identity,
        "rawId": identity,
        "type": "public-key",
        "response": {"clientDataJSON": _text(client), **response},
        "clientExtensionResults": {},
        "authenticatorAttachment": "cross-platform",
    }


def _certificate(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(_BEGIN).not_valid_after(_END)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if not ca:  # which model the attestation is of (WebAuthn Level 3, section 8.2.1)
        model = x509.UnrecognizedExtension(_AAGUID_OID, b"\x04\x10" + AAGUID)
        builder = builder.add_extension(model, critical=False)
    return builder.sign(key, hashes.SHA256())


def _name(common: str, unit: str = "Keys") -> x509.Name:
    parts = {
        NameOID.COUNTRY_NAME: "SE",
        NameOID.ORGANIZATION_NAME: "Replay Keys",
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.COMMON_NAME: common,
    }
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
