"""A secret that only one TPM can open, and only for one of its keys (TPM 2.0 Library, part 1, section 24).

What ``TPM2_MakeCredential`` does, without a TPM: the verifier has none, and needs none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import TYPE_CHECKING, Final

from immure.access.tpm.structures import sized
from immure.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_LABEL: Final = b"IDENTITY"
_HASH: Final = "sha256"


def make_credential(
    endorsement: RSAPublicKey | EllipticCurvePublicKey, name: bytes, secret: bytes
) -> tuple[bytes, bytes]:
    """Wrap a secret.

    Args:
        endorsement: the public key of the TPM, made by the templates of the TCG (RSA 2048 or P-256, with
            SHA-256 and AES-128).
        name: of the key that must be in that TPM.
        secret: at most 32 bytes.

    Returns:
        ``TPM2B_ID_OBJECT`` and ``TPM2B_ENCRYPTED_SECRET``, as ``TPM2_ActivateCredential`` takes them.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(endorsement, RSAPublicKey):
        seed, wrapped = _by_rsa(endorsement)
    else:
        seed, wrapped = _by_ecc(endorsement)
    identity = _encrypt(_kdfa(seed, b"STORAGE", name, 128), sized(secret))
    mac = hmac.digest(_kdfa(seed, b"INTEGRITY", b"", 256), identity + name, _HASH)
    return sized(sized(mac) + identity), sized(wrapped)


def _by_rsa(endorsement: RSAPublicKey) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    seed = secrets.token_bytes(32)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), _LABEL + b"\0")
    return seed, endorsement.encrypt(seed, oaep)


def _by_ecc(endorsement: EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric import ec

    if endorsement.curve.name != "secp256r1":
        raise InputError("an endorsement key on a curve other than P-256")
    own = ec.generate_private_key(ec.SECP256R1())
    shared = own.exchange(ec.ECDH(), endorsement)
    numbers, other = own.public_key().public_numbers(), endorsement.public_numbers()
    x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    seed = hashlib.sha256(
        struct.pack(">I", 1) + shared + _LABEL + b"\0" + x + other.x.to_bytes(32, "big")
    ).digest()
    return seed, sized(x) + sized(y)


def _kdfa(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """KDFa (part 1, 11.4.10.2), for at most one block."""
    message = struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits)
    return hmac.digest(key, message, _HASH)[: bits // 8]


def _encrypt(key: bytes, data: bytes) -> bytes:
    """AES in CFB with a vector of zeros: each key is used once."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    try:
        from cryptography.hazmat.decrepit.ciphers.modes import CFB
    except ImportError:  # before cryptography 47
        from cryptography.hazmat.primitives.ciphers.modes import CFB

    encryptor = Cipher(algorithms.AES(key), CFB(bytes(16))).encryptor()
    return encryptor.update(data) + encryptor.finalize()
