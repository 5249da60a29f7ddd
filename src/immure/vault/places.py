"""Where everything is in a vault's directory, and the lock that changes are made under."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from immure.errors import VaultError
from immure.files import sync_directory
from immure.vault.records import MOST_BYTES, Sealed, Tombstone, check_id, parse_sealed, parse_tombstone

DIRECTORIES: Final = ("records", "dumps", "keys", "tombstones", "incoming")


class Places:
    """The paths of a vault, by what they are for."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.keys = top / "keys"
        self.records = top / "records"
        self.tombstones = top / "tombstones"
        self.incoming = top / "incoming"
        self.dumps = top / "dumps"

    def record(self, identity: str) -> Path:
        """The record of a dump."""
        return self.records / f"{check_id(identity).removeprefix('sha256:')}.json"

    def dump(self, file: str) -> Path:
        """A sealed file."""
        return self.dumps / f"{file}.sealed"

    def arriving(self, file: str) -> Path:
        """A sealed file that is complete, and maybe not admitted yet."""
        return self.incoming / f"{file}.sealed"

    def tombstone(self, file: str) -> Path:
        """What stays of a sealed file that was destroyed."""
        return self.tombstones / f"{file}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in the vault: held for the few steps of a change, never while a dump is being sealed.

        Raises:
            OSError: there is no lock.
        """
        handle = os.open(self.top / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def new_incoming(self) -> tuple[BinaryIO, Path]:
        """A new file to seal into. It is locked while somebody has it open. Call it with the vault locked.

        Raises:
            OSError: it cannot be made.
        """
        path = self.incoming / f"{secrets.token_hex(16)}.part"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cast(BinaryIO, open(handle, "w+b", buffering=0)), path

    def find(self, identity: str) -> Sealed | None:
        """The record of a dump, if it is there.

        Raises:
            VaultError: the record cannot be read, or is one of another dump.
        """
        path = self.record(identity)
        data = _read(path)
        sealed = parse_sealed(data, str(path)) if data is not None else None
        if sealed is not None and sealed.id != identity:
            raise VaultError("is the record of another dump", path=str(path))
        return sealed

    def all_sealed(self) -> Iterator[Sealed]:
        """All records, by name of file.

        Raises:
            VaultError: one cannot be read.
        """
        for path in sorted(self.records.glob("[0-9a-f]*.json")):
            if (data := _read(path)) is not None:  # None: destroyed since the directory was listed
                yield parse_sealed(data, str(path))

    def all_tombstones(self) -> Iterator[Tombstone]:
        """All tombstones, by name of file.

        Raises:
            VaultError: one cannot be read.
        """
        for path in sorted(self.tombstones.glob("[0-9a-f]*.json")):
            if (data := _read(path)) is not None:
                yield parse_tombstone(data, str(path))


def remove(path: Path) -> None:
    """Remove a name for good, if it is there.

    Raises:
        OSError: it cannot be removed.
    """
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def _read(path: Path) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(handle, "rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultError(f"cannot be read: {error.strerror}", path=str(path)) from error
