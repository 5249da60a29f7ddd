"""Numbers in the lines of a PEM text: base64 that is broken where it is in no other text.

The characters of one line are found as any base64 is. Only a part that goes across the end of a line, with
fewer characters on either side than count, needs strings of its own; and these depend on where in the encoded
key a number stands. So the keys are encoded here, by the few rules of DER that it takes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from math import lcm
from typing import Final

from immure.keymaterial.private import EcPrivate, OkpPrivate, RsaPrivate
from immure.redact.prove.arithmetic import Number
from immure.redact.prove.secrets import KnownSecret
from immure.redact.prove.writings import LEAST, Writing

_LINE: Final = 64  # RFC 7468, section 2
#: As files have it, as mail and Windows have it, and as JSON has it.
_LINE_ENDS: Final = (b"\n", b"\r\n", b"\\n")
_INTEGER, _BITS, _OCTETS, _OID, _SEQUENCE, _PUBLIC = 0x02, 0x03, 0x04, 0x06, 0x30, 0xA1
_RSA_OID: Final = bytes.fromhex("2a864886f70d010101")
_EC_OID: Final = bytes.fromhex("2a8648ce3d0201")
_CURVE_OIDS: Final = {
    "P-256": bytes.fromhex("2a8648ce3d030107"),
    "P-384": bytes.fromhex("2b81040022"),
    "P-521": bytes.fromhex("2b81040023"),
    "secp256k1": bytes.fromhex("2b8104000a"),
    "X25519": bytes.fromhex("2b656e"),
    "X448": bytes.fromhex("2b656f"),
    "Ed25519": bytes.fromhex("2b6570"),
    "Ed448": bytes.fromhex("2b6571"),
}


def lines_of(secret: KnownSecret, numbers: list[Number]) -> Iterator[Writing]:
    """The numbers as they stand in PEM texts of the whole key, if a line ends in them."""
    for der in _encodings(secret):
        text = base64.b64encode(der)
        for number in numbers:
            data = number.value.to_bytes(-(-number.value.bit_length() // 8), "big")
            if number.is_bytes:
                data = number.value.to_bytes(number.bits // 8, "little")
            at = der.find(data)
            if at < 0 or number.part_of:
                continue
            first, last = -(-8 * at // 6), 8 * (at + len(data)) // 6
            if first // _LINE < (last - 1) // _LINE:
                for line_end in _LINE_ENDS:
                    yield Writing(number, "lines", _broken(text, first, last, line_end), LEAST["lines"])


def _broken(text: bytes, first: int, last: int, line_end: bytes) -> bytes:
    out = bytearray()
    for at in range(first, last):
        if at > first and at % _LINE == 0:
            out += line_end
        out.append(text[at])
    return bytes(out)


def _encodings(secret: KnownSecret) -> Iterator[bytes]:
    """The key as DER, in the formats that programs write."""
    if isinstance(secret, RsaPrivate):
        p, q, e = secret.p.reveal(), secret.q.reveal(), secret.public.e
        phi = (p - 1) * (q - 1)
        # makers of keys reduce the private exponent modulo one or the other
        for d in {secret.d.reveal(), pow(e, -1, phi), pow(e, -1, lcm(p - 1, q - 1))}:
            for first, second in ((p, q), (q, p)):
                pkcs1 = _pkcs1(secret.public.n, e, d, first, second)
                yield pkcs1
                yield _pkcs8(_tlv(_OID, _RSA_OID) + b"\x05\0", pkcs1)
    elif isinstance(secret, EcPrivate):
        yield from _ec(secret)
    elif isinstance(secret, OkpPrivate):
        yield _pkcs8(_tlv(_OID, _CURVE_OIDS[secret.public.curve]), _tlv(_OCTETS, secret.seed.reveal()))


def _pkcs1(n: int, e: int, d: int, p: int, q: int) -> bytes:
    """RSAPrivateKey (RFC 8017, appendix A.1.2)."""
    values = (0, n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    return _tlv(_SEQUENCE, b"".join(_tlv(_INTEGER, _signed(value)) for value in values))


def _ec(secret: EcPrivate) -> Iterator[bytes]:
    """ECPrivateKey (RFC 5915, section 3), alone and in PKCS #8, with and without what is optional."""
    public, curve = secret.public, _tlv(_OID, _CURVE_OIDS[secret.public.curve])
    width = {"P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}[public.curve]
    point = b"\x04" + public.x.to_bytes(width, "big") + public.y.to_bytes(width, "big")
    head = _tlv(_INTEGER, b"\1") + _tlv(_OCTETS, secret.d.reveal().to_bytes(width, "big"))
    parameters, tail = _tlv(0xA0, curve), _tlv(_PUBLIC, _tlv(_BITS, b"\0" + point))
    yield _tlv(_SEQUENCE, head + parameters + tail)
    for optional in (tail, parameters + tail, b""):
        yield _pkcs8(_tlv(_OID, _EC_OID) + curve, _tlv(_SEQUENCE, head + optional))


def _pkcs8(algorithm: bytes, key: bytes) -> bytes:
    """PrivateKeyInfo (RFC 5208, section 5)."""
    return _tlv(_SEQUENCE, _tlv(_INTEGER, b"\0") + _tlv(_SEQUENCE, algorithm) + _tlv(_OCTETS, key))


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes(-(-length.bit_length() // 8), "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _signed(value: int) -> bytes:
    """Shortest two's complement of a number that is not negative."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")
