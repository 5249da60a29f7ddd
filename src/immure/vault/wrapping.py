"""The key over the keys: what a dump's own key is wrapped with, if anything.

Without one, whoever can read the vault's ``keys`` directory can read the dumps. With one, they also need a
file that is kept elsewhere, or a passphrase.

>>> PassphraseWrapping(b"correct horse battery staple")
PassphraseWrapping()
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

from immure.errors import VaultError
from immure.secret import Secret
from immure.vault.layout import KEY_BYTES

SALT_BYTES: Final = 16
#: scrypt (RFC 7914): 128 MiB and about half a second.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 17, 8, 1
_LEAST_PASSPHRASE = 12
_CHECKED = b"immure vault: this is the right key"


class Wrapping(ABC):
    """Where the key comes from that wraps the keys of dumps."""

    #: As ``vault.json`` has it.
    kind: ClassVar[str]

    def __init__(self) -> None:
        self._keys: dict[bytes, Secret[bytes]] = {}

    @abstractmethod
    def _derive(self, salt: bytes) -> bytes:
        """32 bytes for a vault with this salt."""

    def _key(self, salt: bytes) -> bytes:
        if salt not in self._keys:
            self._keys[salt] = Secret(self._derive(salt))
        return self._keys[salt].reveal()

    def wrap(self, key: bytes, salt: bytes, context: bytes) -> bytes:
        """``key``, encrypted with AES-256-GCM and bound to ``context``."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        return nonce + AESGCM(self._key(salt)).encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, salt: bytes, context: bytes, path: str) -> bytes:
        """The key that was wrapped.

        Raises:
            VaultError: this is not the key that it was wrapped with, or it was altered.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key(salt)).decrypt(wrapped[:12], wrapped[12:], context)
        except (InvalidTag, ValueError) as error:
            raise VaultError("cannot be unwrapped: another key file or passphrase", path=path) from error

    def to_check(self, salt: bytes) -> bytes:
        """A value by which a wrong key is told before anything is sealed with it."""
        return self.wrap(_CHECKED, salt, b"check")

    def check(self, value: bytes, salt: bytes, path: str) -> None:
        """Compare with what :meth:`to_check` gave.

        Raises:
            VaultError: that was another key.
        """
        if self.unwrap(value, salt, b"check", path) != _CHECKED:
            raise VaultError("cannot be unwrapped: another key file or passphrase", path=path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class FileWrapping(Wrapping):
    """A file of 32 random bytes that only its owner may read; keep it on another medium than the vault.

    Raises:
        VaultError: there is no such file, others can read it, or it is not 32 bytes long.
    """

    kind = "file"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._secret = Secret(_read_private(Path(path), KEY_BYTES + 1))
        if len(self._secret.reveal()) != KEY_BYTES:
            raise VaultError(f"is not a key file: {KEY_BYTES} random bytes are needed", path=os.fspath(path))

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> FileWrapping:
        """Write a new key file, never over another.

        Raises:
            VaultError: it cannot be written, or there is one.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with open(handle, "wb") as stream:
                stream.write(os.urandom(KEY_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            reason = f"the key file cannot be made: {error.strerror}"
            raise VaultError(reason, path=os.fspath(path)) from error
        return cls(path)

    def _derive(self, salt: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), KEY_BYTES, salt, b"immure vault key file").derive(self._secret.reveal())


class PassphraseWrapping(Wrapping):
    """A passphrase, through scrypt (RFC 7914).

    Raises:
        VaultError: it is too short to resist a search.
    """

    kind = "passphrase"

    def __init__(self, passphrase: bytes) -> None:
        super().__init__()
        if len(passphrase) < _LEAST_PASSPHRASE:
            raise VaultError(f"a passphrase of fewer than {_LEAST_PASSPHRASE} bytes is not enough")
        self._secret = Secret(passphrase)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> PassphraseWrapping:
        """The first line of a file that only its owner may read.

        Raises:
            VaultError: it cannot be read, or others can read it, too.
        """
        return cls(_read_private(Path(path), 1 << 12).split(b"\n", 1)[0].rstrip(b"\r"))

    def _derive(self, salt: bytes) -> bytes:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        scrypt = Scrypt(salt=salt, length=KEY_BYTES, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
        return scrypt.derive(self._secret.reveal())


def _read_private(path: Path, most: int) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise VaultError("is not a regular file", path=str(path))
            if mode & 0o077:
                raise VaultError("can be read by others: chmod 600 is needed", path=str(path))
            return stream.read(most)
    except OSError as error:
        raise VaultError(f"cannot be read: {error.strerror}", path=str(path)) from error
