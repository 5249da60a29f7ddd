"""Python ``cryptography`` (OpenSSL), as a careful service uses it: the buffer with the PEM text is wiped."""

import base64
import json
from pathlib import Path

import common
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa


def load(path: Path) -> object:
    """Read the key through one buffer and overwrite that."""
    buffer = bytearray(path.stat().st_size)
    with path.open("rb", buffering=0) as file:
        file.readinto(buffer)
    key = serialization.load_pem_private_key(buffer, None)
    buffer[:] = bytes(len(buffer))
    return key


def encode(document: dict[str, object]) -> str:
    """Base64url of JSON."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def sign(kind: str, directory: Path) -> object:
    key = load(directory / f"{kind}.pem")
    tokens = []
    for number in range(common.ROUNDS):
        claims = {"sub": f"user{number}@example.com", "n": number}
        text = encode({"alg": "RS256", "kid": kind}) + "." + encode(claims)
        if isinstance(key, rsa.RSAPrivateKey):
            signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            signature = key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        else:
            signature = key.sign(text.encode())
        tokens.append(f"{text}.{base64.urlsafe_b64encode(signature).decode()}")
    return key, tokens[-5:]


def verify(kind: str, directory: Path) -> object:
    key = serialization.load_pem_public_key((directory / f"{kind}.pub.pem").read_bytes())
    message, signature = (
        (directory / f"{kind}.message").read_bytes(),
        (directory / f"{kind}.sig").read_bytes(),
    )
    for _ in range(common.ROUNDS):
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
    return key


common.run(sign, verify)
