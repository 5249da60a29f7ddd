"""A registry as a TOML file, for those who want no database: read as a whole, replaced as a whole.

>>> store = TomlStore("keys.toml")   # doctest: +SKIP

A command that changes it writes it anew: order becomes that of issuers and kids, and comments are lost. Who
writes holds a lock on the directory (flock), so that no change of another process is lost; an editor knows
nothing of that.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.files import write_whole
from immure.registry.errors import RegistryError
from immure.registry.record import KeyRecord
from immure.registry.store import Change, Store, check_change, check_unique, checked_path, in_order
from immure.registry.toml_text import MOST_BYTES, parse_registry, write_registry

#: Seconds to wait for another writer.
PATIENCE: Final = 10.0
_POLL_SECONDS = 0.01


class TomlStore(Store):
    """Key records in a TOML file."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path = checked_path(path)
        self._file = Path(os.path.realpath(self.path))
        if create and not self._file.exists():
            with self._locked():
                if not self._file.exists():
                    self._write(())
        if not self._file.exists():
            raise RegistryError("does not exist", path=self.path)

    def records(self) -> tuple[KeyRecord, ...]:
        """See :meth:`Store.records`."""
        records = parse_registry(read_file(self.path), self.path)
        check_unique(records, self.path)
        return in_order(records)

    def add(self, records: Iterable[KeyRecord]) -> None:
        """See :meth:`Store.add`."""
        with self._locked():
            together = in_order((*self.records(), *records))
            check_unique(together, self.path)
            self._write(together)

    def update(self, thumbprint: str, change: Change) -> KeyRecord:
        """See :meth:`Store.update`."""
        with self._locked():
            records = self.records()
            before = next((record for record in records if record.thumbprint == thumbprint), None)
            if before is None:
                raise self._unknown(thumbprint)
            after = change(before)
            check_change(before, after, self.path)
            together = in_order(after if record is before else record for record in records)
            check_unique(together, self.path)
            self._write(together)
        return after

    def stamp(self) -> tuple[int, ...]:
        """See :meth:`Store.stamp`."""
        try:
            found = self._file.stat()
        except OSError as error:
            raise RegistryError(f"cannot be read: {error.strerror}", path=self.path) from error
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def _write(self, records: Iterable[KeyRecord]) -> None:
        data = write_registry(records)
        if len(data) > MOST_BYTES:  # it could not be read again
            raise RegistryError(f"would be longer than {MOST_BYTES >> 20} MiB", path=self.path)
        try:
            write_whole(self._file, data)
        except OSError as error:
            raise RegistryError(f"cannot be written: {error.strerror}", path=self.path) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out. The lock is on the directory: the file itself is another one afterwards."""
        try:
            handle = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RegistryError(f"cannot be written: {error.strerror}", path=self.path) from error
        try:
            self._wait_for(handle)
            yield  # the lock goes with the handle
        finally:
            os.close(handle)

    def _wait_for(self, handle: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RegistryError(
                        f"another writer has held the lock for {PATIENCE:g} s", path=self.path
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                return


def read_file(path: str) -> bytes:
    """The bytes of a registry's file, as many as one may have and one more; raises RegistryError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
        with open(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RegistryError("is not a regular file", path=path)
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise RegistryError(f"cannot be read: {error.strerror}", path=path) from error
    except ValueError as error:  # a zero byte in the path
        raise RegistryError("is no path", path=path[:80].replace("\0", "?")) from error
