"""The two hashes of the elliptic-curve kernel against ``hashlib``."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immure.scanning.kernels._ec import ffi, lib


@pytest.mark.parametrize("message", [bytes(32), b"\xff" * 32, bytes(range(32))])
def test_sha512_of_given_messages(message: bytes) -> None:
    digest = bytearray(64)
    lib.ec_sha512_32(message, ffi.from_buffer("uint8_t[]", digest))
    assert digest == hashlib.sha512(message).digest()


@given(st.binary(min_size=32, max_size=32))
def test_sha512(message: bytes) -> None:
    test_sha512_of_given_messages(message)


@given(st.binary(min_size=57, max_size=57))
def test_shake256(message: bytes) -> None:
    digest = bytearray(114)
    lib.ec_shake256_57(message, ffi.from_buffer("uint8_t[]", digest))
    assert digest == hashlib.shake_256(message).digest(114)
