"""Reads a sealed dump at any place; every byte is authenticated before it is given out."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Final

from immure.dumps.dump import Reader
from immure.errors import VaultError
from immure.vault.layout import (
    CHUNK_BYTES,
    FOOTER_BYTES,
    HEADER_BYTES,
    Extent,
    Header,
    chunk_data,
    chunk_nonce,
    seal_data,
    seal_nonce,
)
from immure.vault.records import Sealed, parse_sealed

#: Chunks that stay decrypted in memory.
_KEPT: Final = 16


class SealedReader(Reader):
    """The plain bytes of a sealed file.

    Takes over the file descriptor. Unlike other readers it does raise where a byte cannot be read: what was
    altered must not pass for something that is merely missing.

    Raises:
        VaultError: the file is no sealed dump, was altered, or the key is another one.
    """

    size: int  # always known

    def __init__(self, descriptor: int, key: bytes, path: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._descriptor = descriptor
        self._cipher = AESGCM(key)
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        length = os.fstat(descriptor).st_size
        self._header = Header.from_bytes(self._stored(0, HEADER_BYTES, short=True), path).to_bytes()
        foot = self._stored(max(0, length - FOOTER_BYTES), FOOTER_BYTES, short=True)
        self._extent = Extent.of_file(length, foot, path)
        self.size = self._extent.size
        self.sealed = self._read_seal()

    def _read_seal(self) -> Sealed:
        extent = self._extent
        stored = self._stored(extent.seal_offset, extent.seal_bytes)
        plain = self._decrypt(seal_nonce(), stored, seal_data(self._header), extent.seal_offset)
        sealed = parse_sealed(plain, self.path)
        if sealed.size != extent.size:
            raise VaultError("is cut short or longer than it was", path=self.path, offset=extent.seal_offset)
        return sealed

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`.

        Raises:
            VaultError: the bytes were altered, or the file was cut short since it was opened.
        """
        wanted = max(0, min(len(view), self.size - offset))
        done = 0
        while done < wanted:
            index, inside = divmod(offset + done, CHUNK_BYTES)
            part = memoryview(self._chunk(index))[inside : inside + wanted - done]
            view[done : done + len(part)] = part
            done += len(part)
        return wanted

    def _chunk(self, index: int) -> bytes:
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        plain = self._open_chunk(index)
        with self._lock:
            self._kept[index] = plain
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return plain

    def _open_chunk(self, index: int) -> bytes:
        place, length = self._extent.chunk(index)
        last = index == self._extent.chunks - 1
        associated = chunk_data(self._header, index, last=last)
        return self._decrypt(chunk_nonce(index), self._stored(place, length), associated, place)

    def check_empty(self) -> None:
        """Authenticate the one chunk of a dump without bytes, which no read would touch.

        Raises:
            VaultError: it was altered.
        """
        if self.size == 0:
            self._open_chunk(0)

    def _decrypt(self, nonce: bytes, stored: bytes, associated: bytes, place: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(nonce, stored, associated)
        except InvalidTag as error:
            raise VaultError(
                "was altered, or its key is another one", path=self.path, offset=place
            ) from error

    def _stored(self, place: int, length: int, *, short: bool = False) -> bytes:
        if self._descriptor < 0:
            raise VaultError("read after close", path=self.path, offset=place)
        pieces = []
        missing = length
        try:
            while missing and (piece := os.pread(self._descriptor, missing, place + length - missing)):
                pieces.append(piece)
                missing -= len(piece)
        except OSError as error:
            raise VaultError(f"cannot be read: {error.strerror}", path=self.path, offset=place) from error
        if missing and not short:
            raise VaultError("was cut short", path=self.path, offset=place)
        return b"".join(pieces)

    def close(self) -> None:
        """See :meth:`Reader.close`."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        with self._lock:
            self._kept.clear()

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.close()
