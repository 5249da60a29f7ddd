"""What the database of a room remembers beside the records: it follows from the log, too, but is not compared
with it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from immure.access.alarms import still_unheard
from immure.access.errors import AccessError
from immure.auditlog import Checkpoint, Entry, parse_checkpoint


class Standing:
    """How far in the log the database is, how late it was, and which alarms have not sounded. What cannot be
    understood raises AccessError or LogError."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database, self._path = database, path

    @property
    def position(self) -> int:
        """How many entries of the log the database has taken in."""
        return int(self._parsed("position", 0))

    @property
    def unheard(self) -> list[int]:
        """Indexes of entries for which an alarm must sound, and none has."""
        return list(self._parsed("unheard", []))

    @property
    def seen(self) -> str | None:
        """How late it was (RFC 3339)."""
        return self._get("seen")

    @seen.setter
    def seen(self, value: str) -> None:
        self._put("seen", value)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The log as the database has seen it last."""
        note = self._get("checkpoint")
        return parse_checkpoint(note.encode()) if note else None

    def take_in(self, entry: Entry, checkpoint: Checkpoint) -> None:
        """Note that an entry was taken in, with the log at this checkpoint."""
        unheard = still_unheard(self.unheard, entry)
        self.stand(entry.index + 1, checkpoint, seen=str(entry.body.get("at")), unheard=unheard)

    def stand(self, position: int, checkpoint: Checkpoint, *, seen: str, unheard: list[int]) -> None:
        """Note all of it."""
        self._put("position", str(position))
        self._put("checkpoint", checkpoint.note.decode())
        self._put("unheard", json.dumps(unheard))
        self.seen = seen

    def _parsed(self, name: str, default: Any) -> Any:
        try:
            value = json.loads(self._get(name) or "null")
        except ValueError:
            value = ""
        if not isinstance(value, (type(default), type(None))):
            raise AccessError(f"says {name!r} in no way that can be understood", path=str(self._path))
        return default if value is None else value

    def _get(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM standing WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _put(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO standing VALUES (?, ?)", (name, value))
