"""BER becomes DER: what is DER stays, what says the same becomes the same, the rest is refused cheaply."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import KeyFormatError
from immure.keymaterial import der
from immure.keymaterial.ber import MAX_DEPTH, MAX_VALUES, joined_octets, to_der

from .pfx_files import ber

PRIMITIVE = st.builds(
    der.encode, st.sampled_from([0x02, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x80, 0x81]), st.binary(max_size=300)
)
#: trees of values, in DER; an OCTET STRING in pieces is no DER, so 0x24 is not among the tags
VALUES = st.recursive(
    PRIMITIVE,
    lambda inner: st.builds(
        lambda tag, values: der.encode(tag, b"".join(values)),
        st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0x60]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)

#: Seconds that only a search without end takes, on a busy machine as well.
PATIENCE = 20.0


@given(encoded=VALUES, before=st.binary(max_size=3), after=st.binary(max_size=3))
def test_der_comes_back_unchanged(encoded: bytes, before: bytes, after: bytes) -> None:
    assert to_der(before + encoded + after, len(before)) == (encoded, len(before) + len(encoded))


@given(encoded=VALUES, seed=st.integers(0, 1 << 32), after=st.binary(max_size=3))
def test_every_way_to_write_a_value_becomes_the_same_der(encoded: bytes, seed: int, after: bytes) -> None:
    written = ber(encoded, random.Random(seed))
    assert to_der(written + after) == (encoded, len(written))


@given(data=st.binary(max_size=200))
def test_what_is_read_at_all_is_stable(data: bytes) -> None:
    """Whatever bytes they were: the result is read again as itself, and is not longer than they allow."""
    for start in (b"", b"\x30\x80", b"\x24\x80\x04\x01", b"\x30\x80\x24\x80"):
        try:
            encoded, end = to_der(start + data)
        except KeyFormatError:
            continue
        assert to_der(encoded) == (encoded, len(encoded))
        assert len(encoded) <= end <= len(start + data)


@given(encoded=VALUES, seed=st.integers(0, 1 << 32), share=st.floats(0, 1, exclude_max=True))
def test_every_value_that_is_cut_off_is_refused(encoded: bytes, seed: int, share: float) -> None:
    written = ber(encoded, random.Random(seed))
    with pytest.raises(KeyFormatError):
        to_der(written[: int(share * len(written))])
    with pytest.raises(KeyFormatError):
        to_der(written, 0, int(share * len(written)))


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "cut off"),
        ("30", "cut off"),
        ("3080", "cut off"),
        ("3080 00", "cut off"),
        ("3080 020105", "cut off"),
        ("3003 0205", "cut off"),
        ("3004 0205aabb", "cut off"),  # a value that goes beyond the one it is in
        ("3004 3080 0000", ""),  # and one that does not
        ("3003 308000 00", "cut off"),  # its end is outside
        ("3002 0000", "not open"),
        ("0000", "not open"),
        ("0480 00 0000", "no length"),
        ("0280 0105 0000", "no length"),
        ("1f0101", "more than one byte"),
        ("3f8101 00", "more than one byte"),
        ("0489 000000000000000001 aa", "too long"),
        ("04ff", "too long"),
        ("0488 0000000000", "too long or cut off"),
        ("0484 ffffffff aa", "cut off"),
        ("0488 7fffffffffffffff aa", "cut off"),
        ("0484 00000001 aa", ""),
        ("2480 0401aa 020105 0000", "pieces that are none"),
        ("2480 0401aa 3000 0000", "pieces that are none"),
        ("2480 2480 0c0105 0000 0000", "pieces that are none"),
        ("2403 0401aa", ""),
        ("2400", ""),
        ("2480 2403 0401aa 2480 0000 0401bb 0000", ""),
    ],
)
def test_refusals(encoded: str, reason: str) -> None:
    data = bytes.fromhex(encoded)
    if not reason:
        assert to_der(data)[1] == len(data)
        return
    with pytest.raises(KeyFormatError, match=reason):
        to_der(data)


def nested(head: str, depth: int, inner: bytes = b"", end: str = "0000") -> bytes:
    return bytes.fromhex(head) * depth + inner + bytes.fromhex(end) * depth


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (nested("3080", 1 << 15), "deep"),
        (nested("2480", 1 << 15), "deep"),
        (bytes.fromhex("3080") * (1 << 15), "deep"),
        (nested("3080", MAX_DEPTH + 1), "deep"),
        (nested("3080", MAX_DEPTH), ""),
        (nested("2480", 1, b"\x04\0" * (1 << 15)), "values"),
        (nested("2480", 1, b"\x04\0" * MAX_VALUES), "values"),
        (nested("2480", 1, b"\x04\0" * (MAX_VALUES - 2)), ""),
        (nested("2480", 1, b"\x24\x80\0\0" * (1 << 14)), "values"),
        (nested("2480", MAX_DEPTH, b"\x04\1a" * 8000), ""),
        (nested("3080", MAX_DEPTH - 1, b"\x30\0" * 8000), ""),
    ],
)
def test_bombs_cost_little(bomb: bytes, reason: str) -> None:
    began = time.thread_time()
    if reason:
        with pytest.raises(KeyFormatError, match=reason):
            to_der(bomb)
    else:
        assert len(to_der(bomb)[0]) <= len(bomb)
    assert time.thread_time() - began < PATIENCE


@given(content=st.binary(max_size=60), size=st.integers(1, 20))
def test_strings_behind_implicit_tags(content: bytes, size: int) -> None:
    parts = b"".join(der.octets(content[at : at + size]) for at in range(0, len(content), size))
    for written in (der.encode(0x80, content), der.encode(0xA0, parts), b"\xa0\x80" + parts + b"\0\0"):
        body = der.Der(to_der(written + b"\2\1\5")[0])
        assert joined_octets(body, 0x80) == content
        assert body.done


@pytest.mark.parametrize("written", ["8201aa", "a003020105", "a0022400", ""])
def test_what_is_no_string_behind_a_tag(written: str) -> None:
    with pytest.raises(KeyFormatError):
        joined_octets(der.Der(bytes.fromhex(written)), 0x80)
