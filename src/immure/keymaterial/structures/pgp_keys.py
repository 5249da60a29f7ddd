"""OpenPGP keys in arbitrary bytes: armored blocks, and packets by what stands in them always."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from immure.errors import KeyFormatError
from immure.keymaterial import pgp
from immure.keymaterial.pem import decode_body
from immure.keymaterial.structures.hits import REACH, Buffer, Hit, PrivateHit, PublicHit, window

ARMOR: Final = b"-----BEGIN PGP P"
#: RSA's public exponent 65537 as a multiprecision integer; the modulus stands before it
EXPONENT: Final = b"\x00\x11\x01\x00\x01"
_BREAK: Final = rb"(?:\r?\n|(?:\\{1,2}r)?\\{1,2}n)"
_HEAD: Final = re.compile(rb"-----BEGIN PGP (?:PRIVATE|PUBLIC) KEY BLOCK-----[ \t]*" + _BREAK)
#: ``Version: …`` and other fields, up to an empty line
_FIELDS: Final = re.compile(rb"(?:[A-Z][A-Za-z]{0,31}: [^\r\n\\]{0,200}%s){0,8}[ \t]*%s" % (_BREAK, _BREAK))
_BODY: Final = re.compile(rb"(?:[A-Za-z0-9+/\s]++|\\{1,2}[nr/])*+(?:={1,2}(?![A-Za-z0-9+/]))?")
#: what may stand behind: the checksum of 24 bits, and the last line
_TAIL: Final = re.compile(
    rb"(?:%s)*+(?:=[A-Za-z0-9+/]{4}(?:%s)+)?(?:-----END PGP (?:PRIVATE|PUBLIC) KEY BLOCK-----)?"
    % (_BREAK, _BREAK)
)
_USUAL_BITS: Final = (2048, 4096, 3072, 1024, 8192)
#: version, time and algorithm in front of the numbers of a key
_FRONT: Final = 6
_LONGEST: Final = 1 << 13


def is_armor(text: bytes) -> bool:
    """Whether the text begins with the first line of an armored key."""
    return _HEAD.match(text) is not None


def armored_keys(text: bytes, at: int) -> Sequence[Hit]:
    """The keys of an armored block (RFC 9580, section 6.2). All of them have the block's place."""
    head = _HEAD.match(text, at)
    fields = _FIELDS.match(text, head.end()) if head else None
    body = _BODY.match(text, fields.end()) if fields else None
    if body is None:
        return ()
    tail = _TAIL.match(text, body.end())
    length = (tail.end() if tail else body.end()) - at
    hits: list[Hit] = []
    with suppress(KeyFormatError):  # cut off: what was read before that counts
        hits.extend(_hit(key, at, length, "pgp-armor") for _, key in pgp.read_packets(decode_body(body[0])))
    return hits


def curve_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The identifier of Ed25519 or Curve25519 in old packets: its length and the algorithm stand before
    it."""
    return _packet(buffer, at - _FRONT)


def nist_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The algorithm, ECDH or ECDSA, and behind it the identifier of a NIST curve."""
    return _packet(buffer, at - _FRONT + 1)


def exponent_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The usual exponent of RSA."""
    for bits in _USUAL_BITS:
        start = at - bits // 8 - 2
        if start >= _FRONT and bytes(buffer[start : start + 2]) == bits.to_bytes(2, "big"):
            return _packet(buffer, start - _FRONT)
    return ()


def _packet(buffer: Buffer, body: int) -> Sequence[Hit]:
    """The key whose packet body begins there; the packet's header is taken along if it is there."""
    if body < 0 or buffer[body] not in (4, 6):
        return ()
    begin = max(0, body - 6)
    data = window(buffer, begin, body + min(_LONGEST, REACH))
    place, is_secret = _header(data, body - begin)
    if is_secret is not False:
        with suppress(KeyFormatError):
            key = pgp.read_body(data, body - begin, is_secret=True)
            if key.private is not None or is_secret:
                return (_hit(key, begin + place, key.end - place, "pgp"),)
    key = pgp.read_body(data, body - begin, is_secret=False)
    return (_hit(key, begin + place, key.end - place, "pgp"),)


def _header(data: bytes, body: int) -> tuple[int, bool | None]:
    """Where the packet begins, and whether it is one of a secret key; None if that is not known."""
    for size in (3, 2, 5, 6):
        if size <= body:
            try:
                tag, start, _ = pgp.read_header(data, body - size)
            except KeyFormatError:
                continue
            if start == body and tag in (*pgp.SECRET_TAGS, *pgp.PUBLIC_TAGS):
                return body - size, tag in pgp.SECRET_TAGS
    return body, None


def _hit(key: pgp.PgpKey, at: int, length: int, encoding: str) -> Hit:
    if key.private is not None:
        return PrivateHit(key.private, at, length, encoding)
    return PublicHit(key.numbers, at, length, encoding)
