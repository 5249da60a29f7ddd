"""A software authenticator with x5c attestation, and the authorities that vouch for it.

It does what a security key does, and on demand what none should: every member of a response can be replaced,
so that each step of the verification can be made to fail by itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fido2 import cbor

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
AAGUID = bytes.fromhex("7a6b1c2d3e4f40519a8b7c6d5e4f3a2b")
OTHER_AAGUID = bytes.fromhex("00112233445566778899aabbccddeeff")
AAGUID_OID = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def uuid(aaguid: bytes) -> str:
    digits = aaguid.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def name(common: str, **others: str) -> x509.Name:
    parts = [x509.NameAttribute(getattr(NameOID, oid), value) for oid, value in others.items()]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def attester_name(common: str = "Example Key Attestation") -> x509.Name:
    return name(
        common,
        COUNTRY_NAME="SE",
        ORGANIZATION_NAME="Example Keys",
        ORGANIZATIONAL_UNIT_NAME="Authenticator Attestation",
    )


@dataclass
class Authority:
    """A certificate authority for tests."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def root(cls, common: str = "Example Keys Root", **options: Any) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = name(common)
        certificate = build(subject, key.public_key(), subject, key, ca=True, **options)
        return cls(key, certificate)

    def intermediate(self, common: str = "Example Keys Issuing", **options: Any) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        options = {"ca": True, **options}
        certificate = build(name(common), key.public_key(), self.certificate.subject, self.key, **options)
        return Authority(key, certificate)

    def leaf(self, subject: x509.Name, public: Any, **options: Any) -> x509.Certificate:
        return build(subject, public, self.certificate.subject, self.key, **{"ca": False, **options})

    def attester(self, aaguid: bytes | None = AAGUID, **options: Any) -> Attester:
        """A key that vouches for a model of security keys."""
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = [] if aaguid is None else [(aaguid_extension(aaguid), False)]
        extensions += options.pop("extensions", [])
        subject = options.pop("subject", attester_name())
        leaf = self.leaf(subject, key.public_key(), extensions=extensions, **options)
        return Attester(key, [der(leaf)])

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return der(self.certificate)


@dataclass
class Attester:
    """An attestation key, and the chain of its certificate."""

    key: ec.EllipticCurvePrivateKey
    chain: list[bytes]


def aaguid_extension(aaguid: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(AAGUID_OID, b"\x04\x10" + aaguid)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def build(
    subject: x509.Name,
    public: Any,
    issuer: x509.Name,
    key: Any,
    *,
    ca: bool | None,
    path_length: int | None = None,
    begin: datetime = BEGIN,
    end: datetime = END,
    hashed: Any = None,
    usage: bool | None = None,
    names: list[str] | None = None,
    client: bool = False,
    extensions: list[tuple[x509.ExtensionType, bool]] | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if usage is not None:
        flags = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=usage, encipher_only=False, decipher_only=False, **flags
            ),
            critical=True,
        )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
        )
    if client:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    for extension, critical in extensions or []:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashed or hashes.SHA256())


@cache
def vendor() -> tuple[Authority, Attester]:
    """The vendor of the keys that the rooms of the tests take, and its key that vouches for them."""
    root = Authority.root()
    return root, root.attester()


@dataclass
class Credential:
    id: bytes
    key: Any
    handle: bytes
    counter: int = 0

    @property
    def cose(self) -> dict[int, Any]:
        public = self.key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        numbers = public.public_numbers()
        return {
            1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")
        }  # fmt: skip


@dataclass
class Authenticator:
    """A security key. ``flags`` are set in what it signs; ``counts`` says whether it counts signatures."""

    attester: Attester = field(default_factory=lambda: vendor()[1])
    aaguid: bytes = AAGUID
    origin: str = "https://access.prod.example"
    flags: int = UP | UV
    counts: bool = True
    algorithm: str = "ES256"
    credentials: dict[bytes, Credential] = field(default_factory=dict)

    def copy(self) -> Authenticator:
        """Another with the same credentials, which counts by itself."""
        return replace(self, credentials={name: replace(one) for name, one in self.credentials.items()})

    def create(self, options: Mapping[str, Any], twist: Twist | None = None) -> dict[str, Any]:
        """``navigator.credentials.create()``: the response, as JSON."""
        excluded = {unb64(one["id"]) for one in options["excludeCredentials"]}
        if excluded & set(self.credentials) and twist is None:
            raise RuntimeError("InvalidStateError: this authenticator has a credential of the relying party")
        key: Any = ec.generate_private_key(ec.SECP256R1())
        if self.algorithm == "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        credential = Credential(os.urandom(32), key, unb64(options["user"]["id"]))
        self.credentials[credential.id] = credential
        made = Made(
            type="webauthn.create",
            challenge=unb64(options["challenge"]),
            rp_id=options["rp"]["id"],
            origin=self.origin,
            flags=self.flags | AT,
            counter=0,
            credential=credential,
            aaguid=self.aaguid,
            cose=credential.cose,
            attester=self.attester,
        )
        return (twist(made) if twist else made).registration()

    def get(self, options: Mapping[str, Any], twist: Twist | None = None) -> dict[str, Any]:
        """``navigator.credentials.get()``: the response, as JSON."""
        allowed = [unb64(one["id"]) for one in options["allowCredentials"]]
        credential = next((self.credentials[one] for one in allowed if one in self.credentials), None)
        if credential is None and twist is not None:
            credential = next(iter(self.credentials.values()))
        if credential is None:
            raise RuntimeError("NotAllowedError: none of these credentials is on this authenticator")
        credential.counter += self.counts
        made = Made(
            type="webauthn.get",
            challenge=unb64(options["challenge"]),
            rp_id=options["rpId"],
            origin=self.origin,
            flags=self.flags,
            counter=credential.counter,
            credential=credential,
            aaguid=self.aaguid,
            cose=credential.cose,
            attester=self.attester,
        )
        return (twist(made) if twist else made).assertion()


@dataclass
class Made:
    """What an authenticator is about to sign; each member can be replaced (:meth:`but`)."""

    type: str
    challenge: bytes
    rp_id: str
    origin: str
    flags: int
    counter: int
    credential: Credential
    aaguid: bytes
    cose: dict[int, Any]
    attester: Attester
    client: dict[str, Any] = field(default_factory=dict)
    format: str = "packed"
    statement: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    tail: bytes = b""
    handle: bytes | None = None
    outer_id: bytes | None = None
    raw_client: bytes | None = None
    raw_data: bytes | None = None
    signature: bytes | None = None

    def but(self, **members: Any) -> Made:
        return replace(self, **members)

    def client_data(self) -> bytes:
        if self.raw_client is not None:
            return self.raw_client
        members = {
            "type": self.type,
            "challenge": b64(self.challenge),
            "origin": self.origin,
            "crossOrigin": False,
        }
        return json.dumps({**members, **self.client}).encode()

    def data(self) -> bytes:
        if self.raw_data is not None:
            return self.raw_data
        head = hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", self.flags, self.counter)
        if self.flags & AT:
            head += self.aaguid + struct.pack(">H", len(self.credential.id)) + self.credential.id
            head += cbor.encode(self.cose)
        return head + self.tail

    def sign(self, key: Any, message: bytes) -> bytes:
        if self.signature is not None:
            return self.signature
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        return bytes(key.sign(message, ec.ECDSA(hashes.SHA256())))

    def registration(self) -> dict[str, Any]:
        client, data = self.client_data(), self.data()
        signature = self.sign(self.attester.key, data + hashlib.sha256(client).digest())
        statement = {"alg": -7, "sig": signature, "x5c": self.attester.chain, **self.statement}
        statement = {name: value for name, value in statement.items() if name not in self.without}
        attestation = cbor.encode({"fmt": self.format, "attStmt": statement, "authData": data})
        return self.outer(
            {"clientDataJSON": b64(client), "attestationObject": b64(attestation), "transports": ["usb"]}
        )

    def assertion(self) -> dict[str, Any]:
        client, data = self.client_data(), self.data()
        signature = self.sign(self.credential.key, data + hashlib.sha256(client).digest())
        handle = self.credential.handle if self.handle is None else self.handle
        return self.outer(
            {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(signature),
                "userHandle": b64(handle),
            }
        )

    def outer(self, response: dict[str, Any]) -> dict[str, Any]:
        identity = b64(self.credential.id if self.outer_id is None else self.outer_id)
        return {
            "id": identity,
            "rawId": identity,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "cross-platform",
        }


Twist = Callable[[Made], Made]


def days(number: float) -> timedelta:
    return timedelta(days=number)
