"""AES key schedules: against FIPS 197, against what a cipher really does with them, and with flipped bits."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.aes import (
    KEY_BYTES,
    LAYOUTS,
    MOST_FLIPPED,
    SBOX,
    SURELY_FLIPPED,
    Layout,
    expand,
    flips_between,
    mixed,
    recover,
)
from immure.keymaterial.aes_published import DRBG, drbg_states, published_aes

KEYS = st.sampled_from(KEY_BYTES).flatmap(lambda size: st.binary(min_size=size, max_size=size))
EACH = pytest.mark.parametrize(
    "layout", LAYOUTS, ids=lambda one: f"{8 * one.key_bytes}-{one.order}{'-be32w' * one.swapped}"
)


def flipped(data: bytes, bits: list[int]) -> bytes:
    changed = bytearray(data)
    for bit in bits:
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("2b7e151628aed2a6abf7158809cf4f3c", {4: "a0fafe17", 9: "7a96b943", 43: "b6630ca6"}),
        ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", {6: "fe0c91f7", 51: "01002202"}),
        (
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            {8: "9ba35411", 12: "a8b09c1a", 59: "706c631e"},
        ),
    ],
)
def test_the_schedules_that_fips_197_prints(key: str, words: dict[int, str]) -> None:
    """Appendix A."""
    schedule = expand(bytes.fromhex(key))
    assert schedule.startswith(bytes.fromhex(key))
    assert {at: schedule[4 * at : 4 * at + 4].hex() for at in words} == words


def test_the_inverse_schedule_that_fips_197_prints() -> None:
    """Appendix C.1: the round keys of the equivalent inverse cipher, R - 1 and the ones behind it."""
    pattern = Layout(16, "decryption", swapped=False).write(bytes(range(16)))
    assert pattern[:16].hex() == "13aa29be9c8faff6f770f58000f7bf03"
    assert pattern[-16:] == bytes(range(16))
    assert Layout(16, "decryption", swapped=False).last_round(bytes(range(16))).hex() == (
        "13111d7fe3944a17f307a78b4d2b30c5"
    )


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))


def encrypted(round_keys: bytes, block: bytes) -> bytes:
    """The cipher itself (FIPS 197, section 5.1), from a schedule."""
    count = len(round_keys) // 16
    state = xor(block, round_keys[:16])
    for number in range(1, count):
        state = bytes(SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16))
        if number < count - 1:
            state = b"".join(mixed(state[at : at + 4], inverse=False) for at in range(0, 16, 4))
        state = xor(state, round_keys[16 * number : 16 * number + 16])
    return state


@given(KEYS, st.binary(min_size=16, max_size=16))
@settings(max_examples=30, deadline=None)
def test_a_cipher_that_uses_the_schedule_is_aes(key: bytes, block: bytes) -> None:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    assert encrypted(expand(key), block) == encryptor.update(block)


@given(st.binary(min_size=4, max_size=4))
def test_mixing_is_undone(word: bytes) -> None:
    assert mixed(mixed(word, inverse=True), inverse=False) == word


@EACH
def test_the_key_is_recovered_from_each_row_of_words(layout: Layout) -> None:
    """Bits flipped up to the last row, so that only that is whole."""
    key = random.Random(layout.name).randbytes(layout.key_bytes)
    data = layout.write(key)
    rows = layout.length // layout.key_bytes
    for whole in range(rows):
        bits = [8 * layout.key_bytes * row + 9 for row in range(rows) if row != whole][:MOST_FLIPPED]
        recovered = recover(layout, flipped(data, bits))
        assert recovered is not None
        assert (recovered.key.reveal(), recovered.flipped) == (key, len(bits))


@given(st.sampled_from(LAYOUTS), st.integers(0, 1 << 64), st.data())
@settings(max_examples=60, deadline=None)
def test_a_few_flipped_bits_do_no_harm(layout: Layout, seed: int, data: st.DataObject) -> None:
    key = random.Random(seed).randbytes(layout.key_bytes)
    bits = data.draw(st.lists(st.integers(0, 8 * layout.length - 1), max_size=SURELY_FLIPPED, unique=True))
    recovered = recover(layout, flipped(layout.write(key), bits))
    assert recovered is not None
    assert (recovered.key.reveal(), recovered.flipped) == (key, len(bits))


@EACH
def test_too_many_flipped_bits_and_too_few_bytes(layout: Layout) -> None:
    data = layout.write(random.Random(3).randbytes(layout.key_bytes))
    assert recover(layout, flipped(data, list(range(3, 8 * (MOST_FLIPPED + 1), 8)))) is None
    assert recover(layout, data[:-1]) is None
    assert recover(layout, b"") is None


@given(st.sampled_from(LAYOUTS), st.binary(max_size=260))
@settings(max_examples=60, deadline=None)
def test_other_bytes_are_no_schedule(layout: Layout, data: bytes) -> None:
    assert recover(layout, data) is None


@given(KEYS)
def test_layouts_differ_by_many_bits(key: bytes) -> None:
    """No schedule may be taken for one of another layout, or half of them be left out."""
    written = {layout: layout.write(key) for layout in LAYOUTS if layout.key_bytes == len(key)}
    for layout, data in written.items():
        for other, same in written.items():
            least = min(len(data), len(same))
            palindromic = key == key[::-1] and layout.order == other.order
            assert layout == other or palindromic or flips_between(data[:least], same[:least]) > 60


def test_published_keys() -> None:
    assert published_aes(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")) is not None
    assert published_aes(bytes(32)) is not None
    assert published_aes(random.Random(1).randbytes(32)) is None


@pytest.mark.parametrize(
    ("key", "zeros"),
    [
        ("10a58869d74be5a374cf867cfb473859", "6d251e6944b051e04eaa6fb4dbf78465"),
        (
            "c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558",
            "46f2fb342d6f0ab477476fc501242c5f",
        ),
    ],
)
def test_keys_of_known_answers(key: str, zeros: str) -> None:
    """The answers that NIST prints beside them: so the keys are copied without error."""
    assert published_aes(bytes.fromhex(key)) is not None
    encryptor = Cipher(algorithms.AES(bytes.fromhex(key)), modes.ECB()).encryptor()
    assert encryptor.update(bytes(16)).hex() == zeros


def test_the_state_of_a_generator() -> None:
    states = list(drbg_states(bytes(range(32))))
    assert [name for name, _ in states] == [DRBG, DRBG]
    assert states[0][1][:12].hex() == "200000000000000001000000"
    assert states[1][1][:12].hex() == "200000000000000000000000"
