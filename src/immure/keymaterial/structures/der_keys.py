"""DER keys in arbitrary bytes: found by the identifier of their algorithm, or by how their first numbers
are written.

The header around a structure may be gone (an allocator writes over the first bytes of what is freed) or
belong to something else: then the structure is taken to begin with the first part that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from immure.errors import KeyFormatError
from immure.keymaterial import asn1
from immure.keymaterial.curves import CURVES, Curve
from immure.keymaterial.der import Der, read_header
from immure.keymaterial.key import OkpCurve
from immure.keymaterial.numbers import checked_rsa
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, okp_from_seed
from immure.keymaterial.serialize import EC_PUBLIC_KEY
from immure.keymaterial.structures.hits import Buffer, Hit, PrivateHit, PublicHit, window

_BITS, _OCTETS = 0x03, 0x04
#: bytes of the longest header of a SEQUENCE that is looked for, and of a version before an algorithm
_BEFORE = 4 + 3
_MAX_KEY = 1 << 14
#: DER lengths of the modulus of an RSA key of 2048, 4096, 3072, 8192, 6144 and 16384 bits
_USUAL_LENGTHS = {size: size.to_bytes(2, "big") for size in (0x101, 0x201, 0x181, 0x401, 0x301, 0x801)}
_MAX_MODULUS = 0x801
_SEC1_SIZES = {curve.size for curve in CURVES.values()}


def algorithm_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """An identifier in an AlgorithmIdentifier: SubjectPublicKeyInfo or PKCS#8 follows and surrounds it."""
    if at < 2 or buffer[at - 2] != 0x30:
        return ()
    end = at + buffer[at - 1]
    if end - at > 0x40 or end + 4 > len(buffer):
        return ()
    tag = buffer[end]
    if tag == _BITS:
        return _spki(buffer, at - 2)
    if tag == _OCTETS:
        return _pkcs8(buffer, at - 2)
    return ()


def _spki(buffer: Buffer, at: int) -> Sequence[Hit]:
    begin = max(0, at - 4)
    data = window(buffer, begin, at + _MAX_KEY)
    body = Der(data, at - begin)
    numbers = asn1.read_spki_body(body)
    start = _start(data, at - begin, body.at)
    start = at - begin if start is None else start
    return (PublicHit(numbers, begin + start, body.at - start, "spki-der"),)


def _pkcs8(buffer: Buffer, at: int) -> Sequence[Hit]:
    begin = max(0, at - _BEFORE)
    data = window(buffer, begin, at + _MAX_KEY)
    place = at - begin
    peek = Der(data, place)
    peek.skip()
    peek.skip()
    if data[max(0, place - 3) : place] in (b"\2\1\0", b"\2\1\1"):
        place -= 3
        start = _start(data, place, peek.at, exact=False)
        if start is not None:
            outer = Der(data, start)
            private = asn1.read_pkcs8(outer)
            return (PrivateHit(private, begin + start, outer.at - start, "pkcs8-der", _tells(private)),)
    private = asn1.read_pkcs8_body(Der(data, at - begin, peek.at))
    return (PrivateHit(private, begin + place, peek.at - place, "pkcs8-der", _tells(private)),)


def _tells(private: PrivateKey) -> bool:
    """Whether the structure alone proves that it is a key.

    Behind the prefix of RFC 8410, a constant of many programs, any bytes are one. They have to look random at
    least; of random ones, three in a million do not.
    """
    if not isinstance(private, OkpPrivate):
        return True
    seed = private.seed.reveal()
    least, high = len(seed) // 2, sum(byte >> 7 for byte in seed)
    steps = {(after - before) % 256 for before, after in pairwise(seed)}
    return min(len(set(seed)), len(steps)) > least and len(seed) // 8 <= high <= len(seed) - len(seed) // 8


def _start(data: bytes, content: int, stop: int, *, exact: bool = True) -> int | None:
    """Where the SEQUENCE begins whose content goes from ``content`` to ``stop`` (or beyond, if not exact)."""
    for size in (4, 2, 3):
        at = content - size
        if at >= 0 and data[at] == 0x30:
            try:
                _, start, end = read_header(data, at, len(data))
            except KeyFormatError:
                continue
            if start == content and (end == stop or (end > stop and not exact)):
                return at
    return None


def pkcs1_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``02 01 00 02 82|81``: version and modulus of an RSAPrivateKey."""
    if at + 8 > len(buffer):
        return ()
    if buffer[at + 4] == 0x82:
        length, first = buffer[at + 5] << 8 | buffer[at + 6], at + 7
    else:
        length, first = buffer[at + 5], at + 6
    behind = first + length
    if not 0x40 <= length <= _MAX_MODULUS or behind >= len(buffer):
        return ()
    if buffer[first] or not buffer[behind - 1] & 1 or buffer[behind] != 2:
        return ()
    begin = max(0, at - 4)
    data = window(buffer, begin, behind + 6 * length + 64)
    body = Der(data, at - begin)
    private = asn1.read_rsa_private_body(body)
    start = _start(data, at - begin, body.at)
    start = at - begin if start is None else start
    return (PrivateHit(private, begin + start, body.at - start, "pkcs1-der"),)


def exponent_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``02 03 01 00 01``: the usual public exponent; a modulus stands before it."""
    if at < 0x84 or not buffer[at - 1] & 1:
        return ()
    place = _modulus_before(buffer, at)
    if place is None:
        return ()
    begin = max(0, place - 4)
    data = window(buffer, begin, at + 5)
    body = Der(data, place - begin)
    n, e = body.integer(), body.integer()
    numbers = checked_rsa(n, e)
    start = _start(data, place - begin, body.at)
    if start is None:
        return (PublicHit(numbers, place, body.at + begin - place, "modulus-der"),)
    return (PublicHit(numbers, begin + start, body.at - start, "pkcs1-public-der"),)


def _modulus_before(buffer: Buffer, at: int) -> int | None:
    """Where the INTEGER of 1024 bits or more begins that ends at ``at``."""
    if buffer[at - 0x84] == 2 and buffer[at - 0x83] == 0x81 and buffer[at - 0x82] == 0x81:
        return at - 0x84
    for size, length in _USUAL_LENGTHS.items():
        place = at - 4 - size
        if place >= 0 and buffer[place] == 2 and bytes(buffer[place + 1 : place + 4]) == b"\x82" + length:
            return place
    first = max(0, at - _MAX_MODULUS - 4)
    data = window(buffer, first, at)
    place = data.find(b"\2\x82")
    while place >= 0:
        if int.from_bytes(data[place + 2 : place + 4], "big") == len(data) - place - 4:
            return first + place
        place = data.find(b"\2\x82", place + 1)
    return None


def sec1_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``02 01 01 04``: version and scalar of an ECPrivateKey."""
    if at < 2 or at + 5 > len(buffer):
        return ()
    size = buffer[at + 4]
    behind = at + 5 + size
    if size not in _SEC1_SIZES or behind > len(buffer):
        return ()
    is_bare = buffer[at - 2] == 0x30 and buffer[at - 1] == 5 + size
    if not is_bare and (behind == len(buffer) or buffer[behind] not in (0xA0, 0xA1)):
        return ()
    begin = max(0, at - 4)
    data = window(buffer, begin, at + 512)
    body = Der(data, at - begin, behind - begin if is_bare else None)
    found = asn1.read_ec_private_body(body)
    start = _start(data, at - begin, body.at)
    place = at - begin if start is None else start
    if found.point is None and EC_PUBLIC_KEY in window(buffer, max(0, at - 32), at):
        return ()  # inside PKCS#8, which names the curve and is found by that
    is_named = found.point is not None or (found.curve is not None and start is not None)
    hits = []
    for curve in [found.curve] if found.curve else CURVES.values():
        if curve.size == size and (private := _proved(found, curve)) is not None:
            hits.append(PrivateHit(private, begin + place, body.at - place, "sec1-der", is_named))
    return hits


def _proved(found: asn1.EcPrivateBody, curve: Curve) -> EcPrivate | None:
    """The key on this curve, None if it is not one."""
    try:
        return asn1.prove_ec(found, curve)
    except KeyFormatError:
        return None


def okp_seed_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``04 22 04 20``: a 32-byte key in PKCS#8 of which the head, with the algorithm, is gone."""
    seed = window(buffer, at + 4, at + 36)
    if len(seed) < 32 or bytes(buffer[max(0, at - 3) : max(0, at - 1)]) == b"\x2b\x65" or len(set(seed)) < 16:
        return ()
    curves: tuple[OkpCurve, ...] = ("Ed25519", "X25519")
    return [PrivateHit(okp_from_seed(curve, seed), at, 36, "pkcs8-der", False) for curve in curves]
