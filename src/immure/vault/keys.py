"""The keys of dumps: one small file each, which can be destroyed.

Destroying a key is overwriting its file, ``fsync``, and removing the name. That is as far as a program
gets: an SSD may keep the old block, a copy-on-write file system the old file, a backup a copy, and a process
that has the dump open its key in memory. Where that matters, wrap the keys (see
:mod:`immure.vault.wrapping`) and keep what they are wrapped with off such media.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from immure.errors import VaultError
from immure.files import sync_directory, write_whole
from immure.vault.layout import KEY_BYTES
from immure.vault.wrapping import Wrapping

_PLAIN: Final = b"immure key 1 plain  \n"
_WRAPPED: Final = b"immure key 1 wrapped\n"
_MOST_BYTES: Final = 1 << 10


class KeyDirectory:
    """The directory of all key files of a vault.

    Args:
        directory: which only its owner may enter.
        context: what names the vault; a wrapped key of another vault cannot be unwrapped here.
        wrapping: what keys are wrapped with.
        salt: the vault's, for the wrapping.
    """

    def __init__(self, directory: Path, context: bytes, wrapping: Wrapping | None, salt: bytes) -> None:
        self._directory = directory
        self._context = context
        self._wrapping = wrapping
        self._salt = salt

    def path(self, file_id: str) -> Path:
        """Where the key of that file is."""
        return self._directory / f"{file_id}.key"

    def store(self, file_id: str, key: bytes) -> None:
        """Write a key, durably.

        Raises:
            OSError: it cannot be written.
        """
        data = _PLAIN + key
        if self._wrapping is not None:
            data = _WRAPPED + self._wrapping.wrap(key, self._salt, self._context + file_id.encode("ascii"))
        write_whole(self.path(file_id), data, mode=0o600)

    def load(self, file_id: str) -> bytes:
        """Read a key.

        Raises:
            VaultError: it cannot be read or unwrapped, or others can read it.
        """
        path = self.path(file_id)
        data = self._read(path)
        if data.startswith(_WRAPPED):
            if self._wrapping is None:
                raise VaultError("is wrapped: the vault's key file or passphrase is needed", path=str(path))
            context = self._context + file_id.encode("ascii")
            key = self._wrapping.unwrap(data[len(_WRAPPED) :], self._salt, context, str(path))
        else:
            key = data.removeprefix(_PLAIN) if data.startswith(_PLAIN) else b""
        if len(key) != KEY_BYTES:
            raise VaultError("is not a key", path=str(path))
        return key

    def destroy(self, file_id: str) -> None:
        """Overwrite and remove a key, if it is there.

        Raises:
            OSError: it cannot be removed.
        """
        shred(self.path(file_id))

    def _read(self, path: Path) -> bytes:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(handle, "rb") as stream:
                if os.fstat(stream.fileno()).st_mode & 0o077:
                    raise VaultError("can be read by others: chmod 600 is needed", path=str(path))
                return stream.read(_MOST_BYTES)
        except OSError as error:
            raise VaultError(f"cannot be read: {error.strerror}", path=str(path)) from error


def shred(path: Path) -> None:
    """Overwrite a small file with random bytes, and remove it. Does nothing if it is not there.

    Raises:
        OSError: it cannot be overwritten or removed.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        os.pwrite(handle, os.urandom(os.fstat(handle).st_size), 0)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.unlink(path)
    sync_directory(path.parent)
