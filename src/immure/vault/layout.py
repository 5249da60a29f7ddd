"""How a sealed file is laid out and encrypted.

    48 bytes   header: magic, file id, bytes in a chunk
    n chunks   AES-256-GCM (NIST SP 800-38D) of 1 MiB each, the last one shorter; 16 bytes longer than plain
    1 seal     AES-256-GCM of what the dump is: digest, size, time, name (JSON)
     4 bytes   length of the seal, which gives away the rest

Every dump has a key of its own, so a chunk's number is nonce enough. The associated data of a chunk is the
header, its number, and whether it is the last one: a chunk at another place or of another dump does not
decrypt, nor does a file that was cut short or made longer. The construction is STREAM (Hoang, Reyhanitabar,
Rogaway, Vizár, 2015) with the last-chunk flag in the associated data in place of the nonce.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final

from immure.errors import VaultError

MAGIC: Final = b"immure sealed 1\n"
CHUNK_BYTES: Final = 1 << 20
TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
#: Longest seal that is believed.
MOST_SEAL_BYTES: Final = 1 << 14
#: More chunks than this no dump has (one tebibyte).
MOST_CHUNKS: Final = 1 << 20

_HEADER = struct.Struct(">16s16sI12x")
_FOOTER = struct.Struct(">I")
HEADER_BYTES: Final = _HEADER.size
FOOTER_BYTES: Final = _FOOTER.size
_SEAL_NONCE = b"\xff" * 12


@dataclass(frozen=True, slots=True)
class Header:
    """The first bytes of a sealed file; all of them are authenticated with each chunk."""

    file_id: bytes
    chunk_bytes: int = CHUNK_BYTES

    @classmethod
    def new(cls) -> Header:
        """A header for a new file."""
        return cls(os.urandom(16))

    def to_bytes(self) -> bytes:
        """As it stands in the file."""
        return _HEADER.pack(MAGIC, self.file_id, self.chunk_bytes)

    @classmethod
    def from_bytes(cls, data: bytes, path: str) -> Header:
        """Read a header.

        Raises:
            VaultError: this is not one.
        """
        if len(data) != HEADER_BYTES or not data.startswith(MAGIC):
            raise VaultError("is not a sealed dump", path=path, offset=0)
        _, file_id, chunk_bytes = _HEADER.unpack(data)
        header = cls(file_id, chunk_bytes)
        if chunk_bytes != CHUNK_BYTES or header.to_bytes() != data:
            raise VaultError("has a header that this version does not write", path=path, offset=0)
        return header


@dataclass(frozen=True, slots=True)
class Extent:
    """What the length of a file says: how many chunks, and where they and the seal are."""

    size: int
    seal_bytes: int

    @property
    def chunks(self) -> int:
        """At least one: the last one of an empty dump is empty."""
        return max(1, -(-self.size // CHUNK_BYTES))

    @property
    def seal_offset(self) -> int:
        """Where the seal begins."""
        return HEADER_BYTES + self.size + TAG_BYTES * self.chunks

    def chunk(self, index: int) -> tuple[int, int]:
        """Where a chunk is in the file, and how long, its tag included."""
        plain = min(CHUNK_BYTES, self.size - index * CHUNK_BYTES)
        return HEADER_BYTES + index * (CHUNK_BYTES + TAG_BYTES), plain + TAG_BYTES

    @classmethod
    def of_file(cls, length: int, footer: bytes, path: str) -> Extent:
        """What a file of ``length`` bytes with that footer holds.

        Raises:
            VaultError: no sealed file is like that; it was cut short, for instance.
        """
        seal_bytes = _FOOTER.unpack(footer)[0] if len(footer) == FOOTER_BYTES else 0
        stored = length - HEADER_BYTES - FOOTER_BYTES - seal_bytes
        chunks = -(-stored // (CHUNK_BYTES + TAG_BYTES))
        extent = cls(stored - TAG_BYTES * chunks, seal_bytes)
        if not (TAG_BYTES < seal_bytes <= MOST_SEAL_BYTES and 0 < chunks <= MOST_CHUNKS):
            raise VaultError("is cut short or longer than it was", path=path, offset=max(0, length))
        if extent.size < 0 or extent.chunks != chunks:
            raise VaultError("is cut short or longer than it was", path=path, offset=length)
        return extent


def chunk_nonce(index: int) -> bytes:
    """The nonce of a chunk: its number. No number is used twice under one key."""
    return index.to_bytes(12, "big")


def chunk_data(header: bytes, index: int, *, last: bool) -> bytes:
    """The associated data of a chunk."""
    return b"immure chunk" + header + index.to_bytes(8, "big") + bytes([last])


def seal_nonce() -> bytes:
    """The nonce of the seal, which no chunk has."""
    return _SEAL_NONCE


def seal_data(header: bytes) -> bytes:
    """The associated data of the seal."""
    return b"immure seal" + header


def footer(seal_bytes: int) -> bytes:
    """The last bytes of a file."""
    return _FOOTER.pack(seal_bytes)
