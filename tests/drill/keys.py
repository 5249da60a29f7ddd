"""Fresh keys for a drill, made outside the process that will use them, with the truth about their private
numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

import reference

KINDS = ("rsa", "p256", "ed25519")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ALGORITHMS = {"rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class DrillKey:
    """A key pair of a drill. ``secrets`` are the numbers that must not be found, and that we look for."""

    kind: str
    kid: str
    private: PrivateKey
    jwk: dict[str, str]
    secrets: dict[str, int] | dict[str, bytes]


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _uint(value: int, length: int | None = None) -> str:
    return b64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def make(kind: str, *, bits: int = 2048) -> DrillKey:
    """A fresh key of a kind."""
    if kind == "rsa":
        return from_private(rsa.generate_private_key(public_exponent=65537, key_size=bits))
    if kind == "p256":
        return from_private(ec.generate_private_key(ec.SECP256R1()))
    return from_private(ed25519.Ed25519PrivateKey.generate())


def from_private(key: PrivateKey) -> DrillKey:
    """A drill key from one that was made elsewhere."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        public = numbers.public_numbers
        jwk = {"kty": "RSA", "kid": "drill-rsa", "n": _uint(public.n), "e": _uint(public.e)}
        return DrillKey("rsa", "drill-rsa", key, jwk, reference.rsa_secrets(numbers.p, numbers.q, public.e))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "kid": "drill-p256",
            "crv": "P-256",
            "x": _uint(point.x, 32),
            "y": _uint(point.y, 32),
        }
        secrets = reference.ec_secrets(key.private_numbers().private_value, P256_ORDER)
        return DrillKey("p256", "drill-p256", key, jwk, secrets)
    jwk = {
        "kty": "OKP",
        "kid": "drill-ed25519",
        "crv": "Ed25519",
        "x": b64url(key.public_key().public_bytes_raw()),
    }
    return DrillKey("ed25519", "drill-ed25519", key, jwk, reference.ed25519_secrets(key.private_bytes_raw()))


def write_jwks(keys: Sequence[DrillKey], path: Path) -> None:
    """The public halves, as a relying party would fetch them."""
    path.write_text(json.dumps({"keys": [key.jwk for key in keys]}, indent=1) + "\n")


def write_private(key: DrillKey, directory: Path) -> None:
    """The private key in the forms that the programs load."""
    pem = serialization.Encoding.PEM
    traditional, pkcs8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (directory / f"{key.kind}.pem").write_bytes(key.private.private_bytes(pem, pkcs8, plain))
    if key.kind != "ed25519":
        (directory / f"{key.kind}.trad.pem").write_bytes(key.private.private_bytes(pem, traditional, plain))
    openssh = key.private.private_bytes(pem, serialization.PrivateFormat.OpenSSH, plain)
    (directory / f"{key.kind}.openssh").write_bytes(openssh)
    (directory / f"{key.kind}.openssh").chmod(0o600)
    (directory / f"{key.kind}.jwk").write_text(json.dumps(key.jwk | _private_members(key)))
    (directory / f"{key.kind}.sexp").write_bytes(sexp(key, private=True))


def _private_members(key: DrillKey) -> dict[str, str]:
    secrets = key.secrets
    if isinstance(key.private, ed25519.Ed25519PrivateKey):
        return {"d": b64url(key.private.private_bytes_raw())}
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return {"d": _uint(key.private.private_numbers().private_value, 32)}
    names = {"d": "d", "p": "p", "q": "q", "dp": "dp", "dq": "dq", "qi": "qinv"}
    return {member: _uint(int(secrets[name])) for member, name in names.items()}  # type: ignore[arg-type]


def write_public(key: DrillKey, directory: Path) -> None:
    """The public key, a message and its signature, for the controls, which only verify."""
    public = key.private.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    (directory / f"{key.kind}.pub.pem").write_bytes(public.public_bytes(serialization.Encoding.PEM, spki))
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (directory / f"{key.kind}.openssh.pub").write_bytes(ssh + b" drill\n")
    (directory / f"{key.kind}.pub.jwk").write_text(json.dumps(key.jwk))
    (directory / f"{key.kind}.pub.sexp").write_bytes(sexp(key, private=False))
    (directory / f"{key.kind}.message").write_bytes(message(key.kind))
    signature = sign(key)
    (directory / f"{key.kind}.sig").write_bytes(signature)
    if key.kind == "p256":
        r, s = utils.decode_dss_signature(signature)
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    (directory / f"{key.kind}.sig.raw").write_bytes(signature)
    (directory / f"{key.kind}.token").write_text(f"{message(key.kind).decode()}.{b64url(signature)}")


def message(kind: str) -> bytes:
    """What is signed: header and payload of a token."""
    parts = ({"alg": ALGORITHMS[kind]}, {"sub": "alice@example.com"})
    return ".".join(b64url(json.dumps(part).encode()) for part in parts).encode()


def sign(key: DrillKey) -> bytes:
    """A signature over the drill's message."""
    text = message(key.kind)
    if isinstance(key.private, rsa.RSAPrivateKey):
        return key.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return key.private.sign(text, ec.ECDSA(hashes.SHA256()))
    return key.private.sign(text)


def _atom(value: int | bytes | str) -> bytes:
    if isinstance(value, int):  # a leading zero byte keeps the number positive
        value = value.to_bytes(value.bit_length() // 8 + 1, "big")
    data = value.encode() if isinstance(value, str) else value
    return b"%d:%s" % (len(data), data)


def _list(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b")"


def sexp(key: DrillKey, *, private: bool) -> bytes:
    """The key as a canonical S-expression, as libgcrypt and gpg-agent read it."""
    head = _atom("private-key" if private else "public-key")
    if isinstance(key.private, rsa.RSAPrivateKey):
        numbers = key.private.private_numbers()
        fields = {"n": numbers.public_numbers.n, "e": numbers.public_numbers.e}
        if private:  # libgcrypt's p is the smaller prime, and its u is the inverse of p modulo q
            fields |= {"d": numbers.d, "p": numbers.q, "q": numbers.p, "u": numbers.iqmp}
        return _list(head, _list(_atom("rsa"), *(_list(_atom(k), _atom(v)) for k, v in fields.items())))
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        raw, form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        point = key.private.public_key().public_bytes(raw, form)
        parts = [_list(_atom("curve"), _atom("NIST P-256")), _list(_atom("q"), _atom(point))]
        secret: int | bytes = key.private.private_numbers().private_value
    else:
        point = b"\x40" + key.private.public_key().public_bytes_raw()
        parts = [_list(_atom("curve"), _atom("Ed25519")), _list(_atom("flags"), _atom("eddsa"))]
        parts.append(_list(_atom("q"), _atom(point)))
        secret = key.private.private_bytes_raw()
    if private:
        parts.append(_list(_atom("d"), _atom(secret)))
    return _list(head, _list(_atom("ecc"), *parts))
