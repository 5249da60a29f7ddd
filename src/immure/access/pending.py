"""The event that is being written: there for a moment, or after a crash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immure.access.errors import AccessError
from immure.auditlog import JSON, Entry
from immure.auditlog.canonical import canonical
from immure.files import sync_directory, write_whole

NAME = "pending.json"


class Pending:
    """A file in the directory of a door."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    @property
    def there(self) -> bool:
        """Whether there is one."""
        return self._path.exists()

    def note(self, kind: str, body: Mapping[str, JSON]) -> None:
        """Note what will be appended; on the disk when this returns. Raises AccessError."""
        try:
            write_whole(self._path, canonical({"kind": kind, "body": body}), mode=0o600)
        except OSError as error:
            raise AccessError(error.strerror or "cannot be written", path=str(self._path)) from error

    def forget(self) -> None:
        """It is done. Raises AccessError."""
        try:
            self._path.unlink(missing_ok=True)
            sync_directory(self._path.parent)
        except OSError as error:
            raise AccessError(error.strerror or "cannot be removed", path=str(self._path)) from error

    def is_that(self, entry: Entry) -> bool:
        """Whether an entry of the log is the one that was being written. Raises AccessError."""
        noted = self._read()
        return noted is not None and (noted.get("kind"), noted.get("body")) == (entry.kind, dict(entry.body))

    def _read(self) -> Mapping[str, Any] | None:
        try:
            value = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise AccessError("cannot be read", path=str(self._path)) from error
        return value if isinstance(value, dict) else None
