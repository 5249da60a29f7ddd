"""Encoded keys with holes."""

from __future__ import annotations

import random
import struct

import pytest

from immure.keymaterial.private import RsaPrivate
from immure.keymaterial.serialize import to_pkcs8
from immure.scanning.deep.multipliers import NUMBERS
from immure.scanning.deep.templates import erased_bytes, templates, total_bits

from ..material import private, public
from .damage import deep, memory_with

KIND = "RSA-1024"


def key(kind: str = KIND) -> RsaPrivate:
    made = private(kind)
    assert isinstance(made, RsaPrivate)
    return made


def pkcs8(kind: str = KIND) -> bytes:
    return to_pkcs8(key(kind))


def blob(order: str) -> bytes:
    """A BCRYPT_RSAFULLPRIVATE_BLOB or a PRIVATEKEYBLOB."""
    one, half = key(), 64
    names = ("p", "q", "dp", "dq", "qinv")
    numbers = [one.public.n.to_bytes(128, order)]  # type: ignore[arg-type]
    numbers += [getattr(one, name).reveal().to_bytes(half, order) for name in names]
    numbers += [one.d.reveal().to_bytes(128, order)]  # type: ignore[arg-type]
    bits = one.public.n.bit_length()
    if order == "big":
        return b"RSA3" + struct.pack("<5I", bits, 3, 128, 64, 64) + b"\1\0\1" + b"".join(numbers)
    return b"\7\2\0\0\0\xa4\0\0RSA2" + struct.pack("<2I", bits, 65537) + b"".join(numbers)


def holes(data: bytes, seed: int) -> bytes:
    """Stretches of zeros at random. (Where all numbers had a hole at the same place, nothing could be
    rebuilt.)"""
    chance, result = random.Random(seed), bytearray(data)
    at = chance.randrange(8)
    while at < len(data) - 8:
        length = chance.randint(4, 8)
        result[at : at + length] = bytes(length)
        at += length + chance.randint(8, 24)
    return bytes(result)


@pytest.mark.parametrize("form", ["pkcs8", "cng", "capi"])
@pytest.mark.parametrize("seed", range(3))
def test_found_and_rebuilt(form: str, seed: int) -> None:
    data = {"pkcs8": pkcs8(), "cng": blob("big"), "capi": blob("little")}[form]
    image = memory_with(holes(data, seed), seed)
    (finding,) = deep(image, public(KIND)).findings
    assert finding.partial is not None
    assert (finding.kind, finding.partial.method) == ("partial", "branch-and-prune")
    assert finding.partial.secret.split() == list(NUMBERS)
    assert 0.6 < finding.partial.known_bits / finding.partial.bits < 0.85
    assert not finding.whole


def test_fill_need_not_be_zero() -> None:
    data = bytearray(pkcs8())
    for at in range(80, len(data) - 8, 24):
        data[at : at + 8] = b"\x5a" * 8
    (finding,) = deep(memory_with(bytes(data)), public(KIND)).findings
    assert finding.kind == "partial"


def test_too_little_is_left() -> None:
    data = bytearray(pkcs8())
    data[200:] = bytes(len(data) - 200)
    assert deep(memory_with(bytes(data)), public(KIND)).findings == []


def test_a_certificate_is_no_key() -> None:
    """A modulus and an exponent, with other things behind."""
    data = pkcs8()
    at = data.index(key().public.n.to_bytes(128, "big"))
    noise = random.Random(1).randbytes(600)
    report = deep(memory_with(data[at - 12 : at + 128] + b"\2\3\1\0\1" + noise), public(KIND))
    assert report.findings == []


def test_templates_name_the_places_of_all_numbers() -> None:
    for kind in (KIND, "RSA-2048", "RSA-3072"):
        one, data = key(kind), pkcs8(kind)
        size = (one.public.n.bit_length() + 7) // 8
        base = data.index(one.public.n.to_bytes(size, "big"))
        ways = [
            template for template in templates(one.public) if template.agreement(data, bytes(len(data)), base)
        ]
        assert len(ways) == 1
        known = ways[0].known(data, bytes(len(data)), base)
        for name in NUMBERS:
            assert known[name].value == getattr(one, name).reveal()
        assert total_bits(known) >= 3 * one.public.n.bit_length() - 8


@pytest.mark.parametrize(
    ("data", "marks"),
    [
        (b"", b""),
        (b"abc", b"\0\0\0"),
        (b"aaab", b"\0\0\0\0"),
        (b"aaaab", b"\1\1\1\1\0"),
        (b"xaaaa", b"\0\1\1\1\1"),
    ],
)
def test_erased_bytes(data: bytes, marks: bytes) -> None:
    assert erased_bytes(data) == marks
