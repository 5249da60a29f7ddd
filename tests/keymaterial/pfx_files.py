"""PKCS#12 files by hand (RFC 7292), in DER or with all the freedom of BER: no tool writes hostile ones."""

from __future__ import annotations

import hashlib
import hmac
import random
from typing import Any

from immure.keymaterial import der

from . import containers, formats

_PKCS7 = "2a864886f70d0107"
_PKCS12 = "2a864886f70d010c"
SALT = bytes(range(8))


def oid(digits: str) -> bytes:
    return der.encode(der.OID, bytes.fromhex(digits))


#: values that writers of BER, too, write as DER has them
PLAIN = (der.INTEGER, der.OID)


def ber(
    encoded: bytes,
    chance: random.Random,
    *,
    indefinite: float = 0.5,
    pieces: float = 0.5,
    plain: tuple[int, ...] = (),
) -> bytes:
    """The value as another encoder may write it, with lengths that are longer than they need to be but in
    values of the ``plain`` tags. Of what is in strings nothing is changed."""
    tag, start, stop = der.read_header(encoded, 0, len(encoded))
    content = encoded[start:stop]
    if tag & 0x20:
        values, at = [], 0
        while at < len(content):
            _, _, end = der.read_header(content, at, len(content))
            values.append(ber(content[at:end], chance, indefinite=indefinite, pieces=pieces, plain=plain))
            at = end
        return _constructed(tag, b"".join(values), chance, indefinite)
    if tag == der.OCTETS and chance.random() < pieces:
        size = chance.randrange(1, 2 + len(content))
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        encoded_parts = [ber(der.octets(part), chance, indefinite=indefinite, pieces=0.2) for part in parts]
        return _constructed(0x24, b"".join(encoded_parts), chance, indefinite)
    return encoded if tag in plain else bytes([tag]) + _length(len(content), chance) + content


def _constructed(tag: int, content: bytes, chance: random.Random, indefinite: float) -> bytes:
    if chance.random() < indefinite:
        return bytes([tag, 0x80]) + content + b"\0\0"
    return bytes([tag]) + _length(len(content), chance) + content


def _length(length: int, chance: random.Random) -> bytes:
    least = (length.bit_length() + 7) // 8 if length > 127 else 0
    count = least if chance.random() < 0.5 else chance.randrange(least, 9)
    return bytes([0x80 | count]) + length.to_bytes(count, "big") if count else bytes([length])


def algorithm(rounds: int) -> bytes:
    """pbeWithSHAAnd3-KeyTripleDES-CBC."""
    return der.sequence(oid(_PKCS12 + "0103"), der.sequence(der.octets(SALT), der.integer(rounds)))


def hide(plain: bytes, password: str, rounds: int) -> bytes:
    key = containers.pkcs12_kdf(password, SALT, rounds, 1, 24)
    return containers.triple_des(key, containers.pkcs12_kdf(password, SALT, rounds, 2, 8), plain)


def bag(kind: int, value: bytes) -> bytes:
    return der.sequence(oid(f"{_PKCS12}0a01{kind:02x}"), der.encode(0xA0, value))


def key_bag(key: Any) -> bytes:
    return bag(1, formats.pkcs8(key))


def shrouded(key: Any, password: str, rounds: int = 5, claim: int | None = None) -> bytes:
    """A key under a password; ``claim`` is the count of rounds that is written."""
    hidden = hide(formats.pkcs8(key), password, rounds)
    return bag(2, der.sequence(algorithm(claim or rounds), der.octets(hidden)))


def data(*bags: bytes) -> bytes:
    content = der.octets(der.sequence(*bags))
    return der.sequence(oid(_PKCS7 + "01"), der.encode(0xA0, content))


def encrypted(*bags: bytes, password: str, rounds: int = 5, pieces: int = 0) -> bytes:
    """Bags under a password, in one string or in pieces."""
    hidden = hide(der.sequence(*bags), password, rounds)
    content = der.encode(0x80, hidden)
    if pieces:
        parts = [der.octets(hidden[at : at + pieces]) for at in range(0, len(hidden), pieces)]
        content = der.encode(0xA0, b"".join(parts))
    info = der.sequence(oid(_PKCS7 + "01"), algorithm(rounds), content)
    return der.sequence(oid(_PKCS7 + "06"), der.encode(0xA0, der.sequence(der.integer(0), info)))


def pfx(*infos: bytes, password: str | None = None, rounds: int = 5, style: int | None = None) -> bytes:
    """A file, with a code if there is a password; ``style`` is the seed of how BER is written, None for
    DER."""
    chance = random.Random(style)
    content = der.sequence(*infos)
    if style is not None:
        content = ber(content, chance, plain=PLAIN)
    safe = der.sequence(oid(_PKCS7 + "01"), der.encode(0xA0, der.octets(content)))
    parts = [der.integer(3), safe]
    if password is not None:
        key = containers.pkcs12_kdf(password, SALT, rounds, 3, 20)
        digest = hmac.digest(key, content, hashlib.sha1)
        info = der.sequence(der.sequence(oid("2b0e03021a"), b"\x05\0"), der.octets(digest))
        parts.append(der.sequence(info, der.octets(SALT), der.integer(rounds)))
    whole = der.sequence(*parts)
    return whole if style is None else ber(whole, chance, plain=PLAIN)
