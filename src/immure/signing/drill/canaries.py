"""Keys whose private halves a drill knows, so that it sees pieces of them too, where nothing whole is left.

>>> known = Canary.make("ES256")
>>> known.private.public.curve
'P-256'
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from immure.custody.algorithms import Algorithm
from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.private import PrivateKey, ec_from_scalar, okp_from_seed, rsa_from_parts
from immure.secret import Secret


@dataclass(frozen=True, slots=True)
class Canary:
    """A key pair: numbers, and PKCS#8 (RFC 5958) as PEM."""

    algorithm: Algorithm
    private: PrivateKey
    pem: Secret[bytes]

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey(self.private.public, Origin("canary"))

    @classmethod
    def make(cls, algorithm: Algorithm, bits: int = 2048) -> Canary:
        """A fresh key."""
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        private: PrivateKey
        if algorithm in ("RS256", "PS256"):
            key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
            numbers = key.private_numbers()
            private = rsa_from_parts(
                numbers.public_numbers.n, numbers.public_numbers.e, numbers.d, numbers.p, numbers.q
            )
        elif algorithm == "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
            private = okp_from_seed("Ed25519", key.private_bytes_raw())
        else:
            curve = ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1()
            key = ec.generate_private_key(curve)
            name = "P-256" if algorithm == "ES256" else "P-384"
            private = ec_from_scalar(name, key.private_numbers().private_value)
        pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        return cls(algorithm, private, Secret(pem))

    def write(self, path: Path) -> Path:
        """Write the private key to a new file that only its owner may read."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as stream:
            stream.write(self.pem.reveal())
        return path
