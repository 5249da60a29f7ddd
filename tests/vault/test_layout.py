"""What binds a chunk to its place, each by itself: here the key is right, and only one thing is wrong."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from immure.vault.layout import (
    CHUNK_BYTES,
    HEADER_BYTES,
    Header,
    chunk_data,
    chunk_nonce,
    seal_data,
    seal_nonce,
)
from immure.vault.sealing import Sealer


class Hesitant(io.RawIOBase):
    """A file that takes a few bytes at a time, as one on a disk that is nearly full does."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        taken = bytes(data[:70_001])
        self.data += taken
        return len(taken)


@pytest.fixture(scope="module")
def sealed() -> tuple[bytes, bytes]:
    """A key, and the file: one whole chunk and one of five bytes."""
    stream = Hesitant()
    sealer = Sealer(stream, "file")
    sealer.take([bytes(CHUNK_BYTES), b"after"], "name")
    sealer.finish("name", datetime(2026, 11, 25, tzinfo=UTC))
    return sealer.key, bytes(stream.data)


def second_chunk(
    sealed: tuple[bytes, bytes], *, index: int = 1, last: bool = True, header: bytes | None = None
):
    key, data = sealed
    start = HEADER_BYTES + CHUNK_BYTES + 16
    stored = data[start : start + 5 + 16]
    associated = chunk_data(header or data[:HEADER_BYTES], index, last=last)
    return AESGCM(key).decrypt(chunk_nonce(1), stored, associated)


def test_a_chunk_at_its_place(sealed):
    assert second_chunk(sealed) == b"after"


@pytest.mark.parametrize(
    "wrong", [{"last": False}, {"index": 0}, {"index": 2}, {"header": Header.new().to_bytes()}], ids=str
)
def test_a_chunk_elsewhere(sealed, wrong):
    with pytest.raises(InvalidTag):
        second_chunk(sealed, **wrong)


def test_the_seal_is_no_chunk(sealed):
    key, data = sealed
    length = int.from_bytes(data[-4:], "big")
    header, seal = data[:HEADER_BYTES], data[-4 - length : -4]
    assert b'"size": 1048581' in AESGCM(key).decrypt(seal_nonce(), seal, seal_data(header))
    with pytest.raises(InvalidTag):
        AESGCM(key).decrypt(seal_nonce(), seal, seal_data(Header.new().to_bytes()))
    assert seal_nonce() != chunk_nonce(0)
