"""PyCryptodome (its own C code and GMP)."""

from pathlib import Path

import common
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import DSS, eddsa, pkcs1_15


def scheme(kind: str, key: object) -> object:
    if kind == "rsa":
        return pkcs1_15.new(key)
    return DSS.new(key, "deterministic-rfc6979") if kind == "p256" else eddsa.new(key, "rfc8032")


def load(kind: str, path: Path) -> object:
    return (RSA if kind == "rsa" else ECC).import_key(path.read_text())


def prepare(kind: str, message: bytes) -> object:
    return message if kind == "ed25519" else SHA256.new(message)


def sign(kind: str, directory: Path) -> object:
    key = load(kind, directory / f"{kind}.pem")
    rounds = common.ROUNDS if kind == "rsa" else 20  # its curves are slow
    signatures = [scheme(kind, key).sign(prepare(kind, b"token %d" % number)) for number in range(rounds)]
    return key, signatures[-3:]


def verify(kind: str, directory: Path) -> object:
    key = load(kind, directory / f"{kind}.pub.pem")
    signature = (directory / f"{kind}.sig{'.raw' if kind == 'p256' else ''}").read_bytes()
    for _ in range(20):
        scheme(kind, key).verify(prepare(kind, (directory / f"{kind}.message").read_bytes()), signature)
    return key


common.run(sign, verify)
