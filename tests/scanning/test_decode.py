"""Numbers read back from every layout in which they are written."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.keymaterial import bignum
from immure.keymaterial.encodings import encodings, secret_numbers
from immure.keymaterial.private import ec_from_scalar
from immure.scanning.decode import decode
from immure.scanning.kernels import reference
from immure.scanning.kernels.rsa import LAYOUTS, rsa_width

ENCODERS = {
    "le64": bignum.le64,
    "be": bignum.be,
    "be32w": bignum.be32w,
    "be64w": bignum.be64w,
    "py30": bignum.py30,
    "smi28": bignum.smi28,
}


@pytest.mark.parametrize(
    ("layout", "data", "number"),
    [
        ("le64", "0102", 0x0201),
        ("be", "0102", 0x0102),
        ("be32w", "0403020108070605", 0x0102030405060708),
        ("be64w", "080706050403020110", None),
        ("be64w", "08070605040302011000000000000000", 0x01020304050607080000000000000010),
        ("py30", "0100000001000000", 1 + (1 << 30)),
        ("py30", "ffffff3f", (1 << 30) - 1),
        ("smi28", "0000000001000000000000000200000000000000", None),
        ("smi28", "00000000010000000000000002000000", 1 + (2 << 28)),
        ("negated", "01" + "00" * 7, (1 << 64) - 1),
        ("negated", "ff" * 8, 1),
        ("le64", "", 0),
        ("be", "", 0),
        ("be32w", "", 0),
        ("py30", "", 0),
    ],
)
def test_numbers(layout: str, data: str, number: int | None) -> None:
    if number is None:  # no whole number of words
        with pytest.raises(struct.error):
            decode(bytes.fromhex(data), layout)
    else:
        assert decode(bytes.fromhex(data), layout) == number


@given(st.integers(1, 1 << 4200), st.sampled_from(sorted(ENCODERS)))
def test_the_inverse_of_the_encodings(number: int, layout: str) -> None:
    assert decode(ENCODERS[layout](number), layout) == number


@given(st.integers(65, 4096), st.data())
def test_windows_as_the_kernels_cut_them(bits: int, data: st.DataObject) -> None:
    """The bytes that a prime takes up by ``rsa_width``."""
    number = data.draw(st.integers(1 << (bits - 1), (1 << bits) - 1))
    for layout in sorted(ENCODERS):
        encoded = ENCODERS[layout](number)
        window = encoded[: rsa_width(layout, bits)]
        assert not any(encoded[len(window) :])  # at most what fills the last limb
        assert decode(window, layout) == number == reference.read_number(window, layout)


@given(st.integers(1, 8), st.data())
def test_negated(limbs: int, data: st.DataObject) -> None:
    """R mod p is R − p if the top bit of p is the top bit of its limbs."""
    r = 1 << 64 * limbs
    p = data.draw(st.integers(r // 2 + 1, r - 1))
    window = bignum.le64(r % p, limbs)
    assert decode(window, "negated") == p == reference.read_number(window, "negated")


@given(st.binary(min_size=1, max_size=40).map(lambda data: data * 8), st.sampled_from(sorted(LAYOUTS)))
def test_decoding_agrees_with_the_twin(data: bytes, layout: str) -> None:
    """On bytes that the layout allows; digits out of range are the kernel's to refuse."""
    number = reference.read_number(data, layout)
    if number is not None:
        assert decode(data, layout) == number


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_the_catalog_names_the_layouts_alike(curve: str) -> None:
    key = ec_from_scalar(curve, (1 << 255) + 0x1234567890ABCDEF)
    for name, value in secret_numbers(key).items():
        for encoding, data in encodings(name, value, key):
            if encoding in ENCODERS:
                assert decode(data, encoding) == value
