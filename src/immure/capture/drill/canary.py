"""A canary: a fresh private key that nobody needs, to be found again wherever copies of it end up.

>>> canary = make_canary("ed25519")
>>> canary.public.label, canary.pem.reveal()[:27]
('Ed25519', b'-----BEGIN PRIVATE KEY-----')
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from immure.errors import UsageError
from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.private import PrivateKey, ec_from_scalar, okp_from_seed, rsa_from_parts
from immure.secret import Secret

CanaryKind = Literal["rsa", "p256", "ed25519"]
KINDS: Final[tuple[CanaryKind, ...]] = get_args(CanaryKind)
#: Where a program finds the path of the canary's file.
VARIABLE: Final = "IMMURE_CANARY"
#: What stands for that path in a command line.
PLACEHOLDER: Final = "{canary}"


@dataclass(frozen=True, slots=True)
class Canary:
    """A key pair: the private half as numbers and as PEM (PKCS#8, RFC 5958)."""

    private: PrivateKey
    public: PublicKey
    pem: Secret[bytes]

    def write(self, directory: Path) -> Path:
        """Write the private key to a file that only its owner may read."""
        path = directory / "canary.pem"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.write(self.pem.reveal())
        return path


def make_canary(kind: CanaryKind = "rsa") -> Canary:
    """A fresh key.

    Raises:
        UsageError: there is no such kind.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    private: PrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = key.private_numbers()
        public = numbers.public_numbers
        private = rsa_from_parts(public.n, public.e, numbers.d, numbers.p, numbers.q)
    elif kind == "p256":
        key = ec.generate_private_key(ec.SECP256R1())
        private = ec_from_scalar("P-256", key.private_numbers().private_value)
    elif kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
        private = okp_from_seed("Ed25519", key.private_bytes_raw())
    else:
        raise UsageError(f"no such kind of canary; there are {', '.join(KINDS)}")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Canary(private, PublicKey(private.public, Origin("canary", kid="canary")), Secret(pem))
