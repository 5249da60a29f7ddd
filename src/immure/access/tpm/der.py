"""DER (X.690) that has to be written around a key whose private half nobody has: a certificate request, and
the file by which OpenSSL finds a key of a TPM."""

from __future__ import annotations

import base64
from typing import Final

from immure.access.tpm.structures import ECC, KeyArea, Reader, sized

_SEQUENCE, _SET, _INTEGER, _BITS, _OCTETS, _OID, _TEXT, _TRUE = 0x30, 0x31, 2, 3, 4, 6, 12, b"\x01\x01\xff"
_COMMON_NAME: Final = bytes.fromhex("550403")
_ECDSA_SHA256: Final = bytes.fromhex("2a8648ce3d040302")
_RSA_SHA256: Final = bytes.fromhex("2a864886f70d01010b")
#: id-loadablekey of the TCG ("TSS2 PRIVATE KEY").
_LOADABLE: Final = bytes.fromhex("6781050a0103")


def item(tag: int, *parts: bytes) -> bytes:
    """A value of DER."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def _integer(value: int) -> bytes:
    return item(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def request_to_sign(key: KeyArea, name: str) -> bytes:
    """The part of a certificate request (RFC 2986) that is signed: the name of the machine, and its key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    common = item(_SEQUENCE, item(_OID, _COMMON_NAME), item(_TEXT, name.encode()))
    return item(_SEQUENCE, _integer(0), item(_SEQUENCE, item(_SET, common)), public, item(0xA0))


def request(key: KeyArea, signed: bytes, signature: bytes) -> bytes:
    """The request, with the signature (``TPMT_SIGNATURE``, SHA-256) of the key."""
    reader = Reader(signature, "a signature of the TPM")
    reader.take(4)
    if key.type == ECC:
        r, s = int.from_bytes(reader.sized()), int.from_bytes(reader.sized())
        algorithm, body = item(_OID, _ECDSA_SHA256), item(_SEQUENCE, _integer(r), _integer(s))
    else:
        algorithm, body = item(_OID, _RSA_SHA256) + item(5), reader.sized()
    return item(_SEQUENCE, signed, item(_SEQUENCE, algorithm), item(_BITS, b"\0", body))


def key_file(public: bytes, private: bytes, parent: int) -> bytes:
    """A file in PEM by which OpenSSL's providers for TPMs load a key: wrapped by the TPM, so no secret
    outside of it."""
    fields = (item(_OID, _LOADABLE), item(0xA0, _TRUE), _integer(parent))
    body = item(_SEQUENCE, *fields, item(_OCTETS, sized(public)), item(_OCTETS, sized(private)))
    lines = base64.encodebytes(body).decode().replace("\n", "")
    parts = [lines[at : at + 64] for at in range(0, len(lines), 64)]
    return "\n".join(
        ["-----BEGIN TSS2 PRIVATE KEY-----", *parts, "-----END TSS2 PRIVATE KEY-----", ""]
    ).encode()
