"""Encrypts a stream chunk by chunk, and hashes it on the way; nothing of it is kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, cast

from immure.errors import VaultError
from immure.vault.layout import (
    CHUNK_BYTES,
    KEY_BYTES,
    MOST_CHUNKS,
    Header,
    chunk_data,
    chunk_nonce,
    footer,
    seal_data,
    seal_nonce,
)
from immure.vault.records import Sealed, clean_name, to_bytes


class Sealer:
    """Writes one sealed file under a key that no other file has.

    Args:
        stream: where to; positioned at the beginning of an empty file.
        path: for messages.
    """

    def __init__(self, stream: BinaryIO, path: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.key = os.urandom(KEY_BYTES)
        self.header = Header.new()
        self._cipher = AESGCM(self.key)
        self._stream = stream
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0
        self._chunks = 0
        self._write(self.header.to_bytes())

    def take(self, pieces: Iterable[bytes] | BinaryIO, name: str) -> None:
        """Encrypt all of a stream. Call it once.

        Raises:
            VaultError: the stream cannot be read, or the file not be written; or it is too long.
        """
        held: bytes | None = (
            None  # whether a chunk is the last one is known when the next one is there, or not
        )
        for chunk in _whole_chunks(_readable(pieces, name)):
            if held is not None:
                self._chunk(held, last=False)
            held = chunk
        self._chunk(held or b"", last=True)

    def finish(self, name: str, moment: datetime) -> Sealed:
        """Write the seal, and say what was sealed.

        Raises:
            VaultError: the file cannot be written.
        """
        identity = "sha256:" + self._hash.hexdigest()
        sealed = Sealed(identity, self._size, moment, clean_name(name), self.header.file_id.hex())
        header = self.header.to_bytes()
        seal = self._cipher.encrypt(seal_nonce(), to_bytes(sealed), seal_data(header))
        self._write(seal + footer(len(seal)))
        return sealed

    def _chunk(self, plain: bytes, *, last: bool) -> None:
        if self._chunks == MOST_CHUNKS:
            raise VaultError(f"a dump of more than {MOST_CHUNKS} MiB cannot be sealed", path=self._path)
        associated = chunk_data(self.header.to_bytes(), self._chunks, last=last)
        self._hash.update(plain)
        self._write(self._cipher.encrypt(chunk_nonce(self._chunks), plain, associated))
        self._chunks += 1
        self._size += len(plain)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:  # a file without a buffer takes what fits on the disk, and does not say more
                rest = rest[self._stream.write(rest) :]
        except OSError as error:
            raise VaultError(f"cannot be written: {error.strerror}", path=self._path) from error


def _readable(pieces: Iterable[bytes] | BinaryIO, name: str) -> Iterator[bytes]:
    """The pieces, or those of a file; an error in reading them is not one of writing."""
    try:
        if hasattr(pieces, "read"):
            while piece := cast(BinaryIO, pieces).read(CHUNK_BYTES):
                yield piece
        else:
            yield from pieces
    except OSError as error:
        raise VaultError(f"cannot be read to its end: {error.strerror}", path=name) from error


def _whole_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks that are all of the same length but the last."""
    waiting = bytearray()
    for piece in pieces:
        if not waiting and len(piece) == CHUNK_BYTES:
            yield bytes(piece)
            continue
        waiting += piece
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)
