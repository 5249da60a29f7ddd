"""The vault: a directory of sealed dumps.

    vault.json    what vault this is, and what its keys are wrapped with
    records/      one file for each dump: digest, size, time, name; a dump is there when its record is
    dumps/        the sealed files
    keys/         their keys
    tombstones/   what stays of dumps that were destroyed
    incoming/     files that are being sealed; their keys are in memory only

Every change hangs on one rename: of a record (the dump is there), or of a tombstone (its key is to be
destroyed). A process that dies before leaves a file that nobody can read. Whoever opens the vault next
removes it, and finishes what had been begun.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from immure import clock as clocks
from immure.clock import Clock
from immure.errors import VaultError
from immure.files import sync_directory, write_whole
from immure.vault.identity import Identity
from immure.vault.keys import KeyDirectory
from immure.vault.places import DIRECTORIES, Places, remove
from immure.vault.reading import SealedReader
from immure.vault.records import Sealed, Tombstone, to_bytes
from immure.vault.sealing import Sealer
from immure.vault.sweeping import bury, sweep
from immure.vault.wrapping import Wrapping

_STEP = 1 << 20


class Vault:
    """Sealed dumps in a directory, which several processes may use at once.

    Get one from :meth:`create` or :meth:`open`.
    """

    def __init__(self, places: Places, keys: KeyDirectory, *, has_keys: bool) -> None:
        self.path = str(places.top)
        self._places = places
        self._keys = keys
        self._has_keys = has_keys

    @classmethod
    def create(
        cls, directory: str | os.PathLike[str], *, wrapping: Wrapping | None = None, clock: Clock = clocks.now
    ) -> Self:
        """Make a vault in a directory that does not exist yet or is empty.

        Raises:
            VaultError: it cannot be made, or something is there.
        """
        top = Path(directory)
        with _reported(top):
            top.mkdir(mode=0o700, exist_ok=True)
            if any(top.iterdir()):
                raise VaultError("is not empty: a vault needs a directory of its own", path=str(top))
            top.chmod(0o700)
            for name in DIRECTORIES:
                (top / name).mkdir(mode=0o700)
            write_whole(top / "lock", b"", mode=0o600)
            write_whole(top / "vault.json", Identity.new(wrapping, clock()).to_bytes(), mode=0o600)
            sync_directory(top.absolute().parent)
        return cls.open(directory, wrapping=wrapping)

    @classmethod
    def open(cls, directory: str | os.PathLike[str], *, wrapping: Wrapping | None = None) -> Self:
        """Open a vault. Without the ``wrapping`` it was made with, dumps can be listed and destroyed only.

        Raises:
            VaultError: there is none, others can enter it, or it was made with another ``wrapping``.
        """
        places = Places(Path(directory))
        identity = Identity.read(places.top / "vault.json")
        identity.check(wrapping, str(places.top))
        keys = KeyDirectory(places.keys, identity.context, wrapping, identity.salt)
        with _reported(places.top):
            for place in (places.top, places.keys):
                if place.stat().st_mode & 0o077:
                    raise VaultError("can be entered by others: chmod 700 is needed", path=str(place))
            with places.locked():
                sweep(places, keys)
        return cls(places, keys, has_keys=wrapping is not None or identity.wrapping == "none")

    def seal(self, pieces: Iterable[bytes] | BinaryIO, *, name: str, clock: Clock = clocks.now) -> Sealed:
        """Seal a stream. When this returns, the dump is there, come what may; if it raises, it is not.

        Memory is bounded, and nothing plain is written. Bytes that the vault has already give the dump that
        is there; if its file was damaged, the new one takes its place.

        Args:
            pieces: bytes in pieces of any length, or a file, read to its end.
            name: what the dump is called, for people.
            clock: tells when.

        Raises:
            VaultError: the stream cannot be read, or the vault not be written.
        """
        self.check_keys()
        with _reported(Path(self.path)), self._incoming() as (stream, path):
            sealer = Sealer(stream, str(path))
            sealer.take(pieces, name)
            sealed = sealer.finish(name, clock())
            os.fsync(stream.fileno())
            with self._places.locked():
                present = self._places.find(sealed.id)
                if present is None:
                    self._admit(sealed, sealer.key, path)
                elif self._is_sound(present):
                    return present
                else:
                    self._replace(present, sealed, sealer.key, path, clock)
            return sealed

    def check_keys(self) -> None:
        """See whether dumps can be sealed and read.

        Raises:
            VaultError: keys are wrapped, and the vault was opened without what with.
        """
        if not self._has_keys:
            raise VaultError("its keys are wrapped: the key file or passphrase is needed", path=self.path)

    @contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Path]]:
        with self._places.locked():
            sweep(self._places, self._keys)
            stream, path = self._places.new_incoming()
        try:
            with stream:
                yield stream, path
        finally:
            path.unlink(missing_ok=True)

    def _admit(self, sealed: Sealed, key: bytes, path: Path) -> None:
        """The file gets the name that its record will speak of before there is a record or a key: so whoever
        finds it can tell whether it was admitted."""
        arriving = self._places.arriving(sealed.file)
        try:
            path.rename(arriving)
            sync_directory(arriving.parent)
            self._keys.store(sealed.file, key)
            write_whole(self._places.record(sealed.id), to_bytes(sealed), mode=0o600)
            arriving.rename(self._places.dump(sealed.file))
            sync_directory(self._places.dumps)
        except BaseException:
            self._keys.destroy(sealed.file)
            for left in (self._places.record(sealed.id), arriving, self._places.dump(sealed.file)):
                remove(left)
            raise

    def _replace(self, old: Sealed, sealed: Sealed, key: bytes, path: Path, clock: Clock) -> None:
        tombstone = Tombstone(old, clock(), replaced=True)
        write_whole(self._places.tombstone(old.file), to_bytes(tombstone), mode=0o600)
        try:
            self._admit(sealed, key, path)
        except BaseException:
            write_whole(self._places.record(old.id), to_bytes(old), mode=0o600)
            remove(self._places.tombstone(old.file))
            raise
        bury(self._places, self._keys, old)

    def _is_sound(self, sealed: Sealed) -> bool:
        try:
            self.verify(sealed.id)
        except VaultError:
            return False
        return True

    def find(self, identity: str) -> Sealed | None:
        """A dump, or None if the vault does not have it.

        Raises:
            VaultError: this is no id, or the record cannot be read.
        """
        return self._places.find(identity)

    def get(self, identity: str) -> Sealed:
        """A dump.

        Raises:
            VaultError: the vault does not have it, or not any more.
        """
        sealed = self.find(identity)
        if sealed is None:
            buried = any(stone.sealed.id == identity for stone in self.tombstones())
            words = "was destroyed" if buried else "is not in this vault"
            raise VaultError(f"{identity} {words}", path=self.path)
        return sealed

    def list(self) -> tuple[Sealed, ...]:
        """All dumps, oldest first.

        Raises:
            VaultError: a record cannot be read.
        """
        return tuple(sorted(self._places.all_sealed(), key=lambda sealed: (sealed.sealed_at, sealed.id)))

    def tombstones(self) -> tuple[Tombstone, ...]:
        """What was destroyed, oldest first.

        Raises:
            VaultError: a tombstone cannot be read.
        """
        stones = self._places.all_tombstones()
        return tuple(sorted(stones, key=lambda stone: (stone.destroyed_at, stone.sealed.id)))

    def open_dump(self, identity: str) -> SealedReader:
        """Random access to the bytes of a dump; close it. Each chunk is authenticated when it is read.

        Raises:
            VaultError: it is not there or was altered, or its key cannot be had.
        """
        sealed = self.get(identity)
        path = self._places.dump(sealed.file)
        key = self._keys.load(sealed.file)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise VaultError(f"cannot be opened: {error.strerror}", path=str(path)) from error
        reader = SealedReader(descriptor, key, str(path))
        if reader.sealed != sealed:
            reader.close()
            raise VaultError("holds another dump than its record says", path=str(path))
        return reader

    def verify(self, identity: str) -> Sealed:
        """Read a whole dump, and compare its digest with its id.

        Raises:
            VaultError: it is not there or was altered, or its key cannot be had.
        """
        reader = self.open_dump(identity)
        try:
            reader.check_empty()
            seen = hashlib.sha256()
            for offset in range(0, reader.size, _STEP):
                seen.update(reader.read(offset, _STEP))
            if f"sha256:{seen.hexdigest()}" != identity:
                raise VaultError("has other bytes than its record says", path=reader.path)
            return reader.sealed
        finally:
            reader.close()

    def destroy(self, identity: str, *, clock: Clock = clocks.now) -> Tombstone:
        """Destroy the key of a dump, and with it the dump. What it was stays, as a tombstone.

        That is overwriting and removing a file; :mod:`immure.vault.keys` says what that cannot reach. Whoever
        has the dump open can read on.

        Raises:
            VaultError: it is not there, or its key cannot be removed.
        """
        with _reported(Path(self.path)), self._places.locked():
            tombstone = Tombstone(self.get(identity), clock())
            path = self._places.tombstone(tombstone.sealed.file)
            write_whole(path, to_bytes(tombstone), mode=0o600)
            bury(self._places, self._keys, tombstone.sealed)
            return tombstone


@contextmanager
def _reported(directory: Path) -> Iterator[None]:
    """Turn errors of the system into ours."""
    try:
        yield
    except OSError as error:
        path = error.filename if isinstance(error.filename, str) else str(directory)
        raise VaultError(f"cannot be written: {error.strerror or error}", path=path) from error
