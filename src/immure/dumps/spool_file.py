"""The encrypted file in which a spool keeps what does not fit into memory."""

from __future__ import annotations

import os
from typing import IO, Any

from immure.dumps.limits import Limits
from immure.errors import ImageError, LimitError

#: Unit of what is kept.
BLOCK = 1 << 16
_DISK_CHECK = 1 << 10  # blocks stored between two looks at the free space


class SpoolFile:
    """The encrypted file. Every slot is written once, so no part of the key stream is used twice."""

    def __init__(self, limits: Limits) -> None:
        import tempfile

        from cryptography.hazmat.primitives.ciphers import algorithms

        self._limits = limits
        self._algorithm = algorithms.AES(os.urandom(32))
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=limits.spool_directory)  # noqa: SIM115
        self._descriptor = self._file.fileno()
        self._out = bytearray()
        self._until_check = 0

    def _cipher(self, place: int) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, modes

        counter = (place // 16).to_bytes(16, "big")
        return Cipher(self._algorithm, modes.CTR(counter)).encryptor()

    def write(self, slot: int, data: memoryview) -> None:
        """Store whole blocks, the first as block ``slot``."""
        self._check_space(len(data))
        if len(self._out) < len(data):
            self._out = bytearray(len(data))
        out = memoryview(self._out)[: len(data)]
        self._cipher(slot * BLOCK).update_into(data, out)
        done = 0
        while done < len(out):
            done += os.pwrite(self._descriptor, out[done:], slot * BLOCK + done)

    def _check_space(self, length: int) -> None:
        self._until_check -= length // BLOCK
        if self._until_check > 0:
            return
        self._until_check = _DISK_CHECK
        space = os.fstatvfs(self._descriptor)
        if space.f_bavail * space.f_frsize < self._limits.disk_margin_bytes:
            raise LimitError("the spool's file system is nearly full")

    def read_into(self, place: int, view: memoryview) -> None:
        """Fill ``view`` with what was stored from byte ``place`` on."""
        skip = place % 16
        if skip == 0:
            self._decrypt(place, view)
            return
        whole = bytearray(skip + len(view))
        self._decrypt(place - skip, memoryview(whole))
        view[:] = whole[skip:]

    def _decrypt(self, place: int, view: memoryview) -> None:
        done = 0
        while done < len(view):
            count = os.preadv(self._descriptor, [view[done:]], place + done)
            if count == 0:
                raise ImageError("the spool file is cut short", offset=place)
            done += count
        self._cipher(place).update_into(view, view)

    def close(self) -> None:
        """Give the file back to the system."""
        self._file.close()
