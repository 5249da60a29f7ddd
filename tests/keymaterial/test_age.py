"""Identities of age: their text and its checksum."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import KeyFormatError
from immure.keymaterial.age import parse_identity
from immure.keymaterial.private import okp_from_seed
from immure.keymaterial.structures import PrivateHit

from .test_structures import scan

CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(prefix: str, data: bytes) -> str:
    """The plain way of BIP 173: polynomials over GF(32), one bit of the divisor after the other."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    digits = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    total = 1
    for value in [*expanded, *digits, 0, 0, 0, 0, 0, 0]:
        top, total = total >> 25, (total & 0x1FFFFFF) << 5 ^ value
        for bit, divisor in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            total ^= divisor if top >> bit & 1 else 0
    checksum = [(total ^ 1) >> 5 * (5 - at) & 31 for at in range(6)]
    return prefix + "1" + "".join(CHARACTERS[digit] for digit in digits + checksum)


def identity(seed: bytes) -> bytes:
    return bech32("age-secret-key-", seed).upper().encode()


@given(st.binary(min_size=32, max_size=32))
def test_an_identity_comes_out_as_it_went_in(seed: bytes) -> None:
    private = parse_identity(identity(seed)).private
    assert private.seed.reveal() == seed
    assert private.public == okp_from_seed("X25519", seed).public


def test_it_is_found_in_files_and_memory() -> None:
    seed = random.Random(5).randbytes(32)
    recipient = bech32("age", okp_from_seed("X25519", seed).public.x).encode()
    image = b"\xff" * 99 + b"# public key: " + recipient + b"\n" + identity(seed) + b"\n" + bytes(99)
    (hit,) = scan(image)
    assert isinstance(hit, PrivateHit)
    assert hit.private.public == okp_from_seed("X25519", seed).public
    assert image[hit.offset : hit.offset + hit.length] == identity(seed)
    assert hit.proved


@pytest.mark.parametrize("place", range(16, 74))
def test_one_wrong_character_is_no_key(place: int) -> None:
    text = bytearray(identity(bytes(range(32))))
    text[place] = ord("Q") if text[place] != ord("Q") else ord("P")
    with pytest.raises(KeyFormatError):
        parse_identity(bytes(text))


@pytest.mark.parametrize(
    "text",
    [b"", b"AGE-SECRET-KEY-1", identity(bytes(32)).lower(), identity(bytes(32))[:-1],
     identity(bytes(32)) + b"Q",
     b"AGE-PLUGIN-YUBIKEY-1" + b"Q" * 58],
)  # fmt: skip
def test_what_is_no_identity(text: bytes) -> None:
    with pytest.raises(KeyFormatError):
        parse_identity(text)
