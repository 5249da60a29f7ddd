"""Pure Python: python-rsa, and python-ecdsa for the curves."""

import hashlib
from pathlib import Path

import common
import ecdsa
import rsa
from ecdsa.util import sigdecode_der


def sign(kind: str, directory: Path) -> object:
    if kind == "rsa":
        private = rsa.PrivateKey.load_pkcs1((directory / "rsa.trad.pem").read_bytes())
        return private, [rsa.sign(b"token %d" % number, private, "SHA-256") for number in range(50)]
    key = ecdsa.SigningKey.from_pem((directory / f"{kind}.pem").read_text())
    return key, [key.sign(b"token %d" % number) for number in range(50)]


def verify(kind: str, directory: Path) -> object:
    message, signature = (
        (directory / f"{kind}.message").read_bytes(),
        (directory / f"{kind}.sig").read_bytes(),
    )
    text = (directory / f"{kind}.pub.pem").read_bytes()
    if kind == "rsa":
        public = rsa.PublicKey.load_pkcs1_openssl_pem(text)
        return public, [rsa.verify(message, signature, public) for _ in range(50)]
    key = ecdsa.VerifyingKey.from_pem(text.decode())
    more = {"hashfunc": hashlib.sha256, "sigdecode": sigdecode_der} if kind == "p256" else {}
    return key, [key.verify(signature, message, **more) for _ in range(50)]


common.run(sign, verify)
