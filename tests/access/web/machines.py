"""Workstations: certificates of clients, and how forms and proxies hand them on."""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from access.authenticator import Authority, der, name


def certificate(**options: object) -> x509.Certificate:
    """That of a workstation."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = Authority.root("Workstations").leaf
    return leaf(name("laptop 17"), key.public_key(), **{"client": True, **options})  # type: ignore[arg-type]


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def field_of(one: x509.Certificate) -> str:
    return f":{base64.b64encode(der(one)).decode()}:"


def digest(one: x509.Certificate) -> str:
    return hashlib.sha256(der(one)).hexdigest()
