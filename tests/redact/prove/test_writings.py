"""The prover's own encoders, against literals, the builder of test images, and the catalog."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.encodings import encodings, in_lines, secret_numbers, whole_keys
from immure.redact.prove.arithmetic import Number
from immure.redact.prove.bits import bits_of
from immure.redact.prove.kernels.probe import Room
from immure.redact.prove.writings import LAYOUTS, LEAST, Writing, decimal, writings
from immure.synth import LAYOUTS as BUILDERS
from immure.synth import encode

from .material import KINDS, SEED_BYTES, all_strings, private, strings

TO_URL = bytes.maketrans(b"+/", b"-_")
VALUE = 0x0123456789ABCDEF_FEDCBA9876543210
PRIVATE = tuple(kind for kind in KINDS if kind not in ("scalar", "password"))


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("le", "1032547698badcfe efcdab8967452301"),
        ("be", "0123456789abcdef fedcba9876543210"),
        ("be32w", "67452301 efcdab89 98badcfe 10325476"),
        ("be64w", "efcdab8967452301 1032547698badcfe"),
        ("le32s", "76543210 fedcba98 89abcdef 01234567"),
        ("le64s", "fedcba9876543210 0123456789abcdef"),
        ("py30", "10325436 61ea723b ffdebc1a e259d108 01000000"),
        ("smi28", "0000000010325406 0000000087a9cb0d 00000000feefcd0b 000000009a785604 0000000023010000"),
        ("limb52", "1032547698ba0c00 ed0ffffedcba0800 7856341200000000"),
    ],
)
def test_layouts_as_literals(encoding: str, expected: str) -> None:
    forms = {writing.encoding: writing.data for writing in writings(Number("p", VALUE, 128))}
    if encoding == "limb52":
        digits = [VALUE >> 52 * place & (1 << 52) - 1 for place in range(3)]
        assert forms[encoding] == b"".join(digit.to_bytes(8, "little") for digit in digits)
    else:
        assert forms[encoding] == bytes.fromhex(expected)


def test_texts_as_literals() -> None:
    forms = {writing.encoding: writing.data for writing in writings(Number("p", VALUE, 128))}
    assert forms["hex"] == b"0123456789abcdeffedcba9876543210"
    assert forms["hex-upper-utf16le"] == "0123456789ABCDEFFEDCBA9876543210".encode("utf-16-le")
    assert forms["base64-0"] == b"ASNFZ4mrze/+3LqYdlQyE"
    assert forms["base64url-0"] == b"ASNFZ4mrze_-3LqYdlQyE"
    assert forms["base64-1"] == b"EjRWeJq83v/ty6mHZUMh"
    assert forms["decimal"] == str(VALUE).encode()


@given(value=st.integers(0, (1 << 521) - 1), layout=st.sampled_from(BUILDERS))
def test_the_builder_of_images_writes_the_same(value: int, layout: str) -> None:
    forms = {writing.encoding: writing.data for writing in writings(Number("d", value, 521))}
    ours = forms[layout if layout in forms else "le"]
    theirs = encode(value, layout, 521)
    assert ours[: len(theirs)] == theirs
    assert not any(ours[len(theirs) :])


@pytest.mark.parametrize("bits", [1, 8000, 20_000, 33_000])
def test_decimal_digits_of_any_number(bits: int) -> None:
    value = random.Random(bits).getrandbits(bits) | 1 << bits - 1
    digits = decimal(value)
    assert len(digits) == len(decimal(value - 1)) or not bits > 1
    rebuilt = 0
    for at in range(0, len(digits), 1000):
        part = digits[at : at + 1000]
        rebuilt = rebuilt * 10 ** len(part) + int(part)
    assert rebuilt == value


@pytest.mark.parametrize("kind", PRIVATE)
def test_whatever_the_catalog_knows_is_found(kind: str) -> None:
    """Every byte string that the redactor erases is also one that the prover would find, all but its ends."""
    known = private(kind)
    catalog = [
        (f"{name} {encoding}", data)
        for name, value in secret_numbers(known).items()
        for encoding, data in encodings(name, value, known)
    ]
    catalog += [(f"{name} {encoding}", data) for name, encoding, data in in_lines(known)]
    room = Room(1 << 14)
    for name, data in catalog:
        room.view[:] = b"\xa5" * (1 << 14)
        room.view[100 : 100 + len(data)] = data
        hits = strings(kind).find(room, 300 + len(data), 0, 300 + len(data), 0, 1 << 20)
        covered = set().union(*(range(hit.offset - 100, hit.offset - 100 + hit.length) for hit in hits))
        # zeros in front (of a number that is shorter than others) and ends of lines belong to no number
        missing = [at for at in range(len(data)) if at not in covered and data[at] not in b"\0\n\r\\n0"]
        assert len(missing) <= 2, (name, missing, len(data))


def test_a_whole_key_is_found_by_its_numbers() -> None:
    known = private("RSA-2048")
    for name, der in whole_keys(known):
        room = Room(len(der))
        room.view[:] = der
        hits = strings("RSA-2048").find(room, len(der), 0, len(der), 0, 1 << 20)
        found = {strings("RSA-2048").all[hit.string].writing.number.name for hit in hits}
        assert {"p", "q", "dp", "dq", "qinv"} <= found, name
        assert found & {"d", "d_lambda"}, name


def bits_per_byte(writing: Writing) -> float:
    if layout := LAYOUTS.get(writing.encoding):
        return layout.bits / layout.size
    if writing.char_bits:
        return writing.char_bits / writing.char_bytes
    return {"raw-utf16le": 4, "decimal": 3.32, "decimal-utf16le": 1.66, "lines": 6 * 20 / 22}[
        writing.encoding
    ]


def test_parts_that_count_hold_120_bits() -> None:
    for kind in KINDS:
        for writing in all_strings(kind):
            whole = writing.least == len(writing.data)
            bits = writing.least * bits_per_byte(writing)
            assert writing.number.words_only or whole or bits >= 119.9, (kind, writing)


def test_least_parts_are_at_least_fifteen_bytes() -> None:
    assert min(LEAST.values()) == 15


def exact(kind: str) -> list[Writing]:
    """Writings whose bytes are bits of the number, one by one."""
    inexact = ("lines", "decimal", "raw")
    return [one for one in all_strings(kind) if not one.encoding.startswith(inexact)]


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(["RSA-1024", "P-521", *SEED_BYTES]), data=st.data())
def test_the_bits_that_a_part_tells_are_those_on_which_it_depends(kind: str, data: st.DataObject) -> None:
    writing = data.draw(st.sampled_from(exact(kind)))
    at = data.draw(st.integers(0, len(writing.data) - 1))
    length = data.draw(st.integers(1, min(40, len(writing.data) - at)))
    number, mask = writing.number, bits_of(writing, at, length)
    bit = data.draw(st.integers(0, number.bits - 1))
    changed = Number(number.name, number.value ^ 1 << bit, number.bits, number.is_bytes)
    other = {one.encoding: one.data for one in writings(changed)}
    name = writing.encoding if writing.encoding in other else writing.encoding.replace("url", "")
    part = other[name].translate(TO_URL if "url" in writing.encoding else None)[at : at + length]
    same = part == writing.data[at : at + length]
    if mask >> bit & 1:
        assert not same
    elif writing.char_bits == 0:
        assert same
    # a character of text at the end of the part may hold this bit and others, and then tells none of them
