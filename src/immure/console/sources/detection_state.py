"""What runs of the detection engine have left in their state, read while a run may be about it.

:class:`immure.detections.state.State` is for the one run that writes; this looks only, at what was committed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from immure.detections.errors import DetectionError
from immure.detections.finding import Finding

_DATABASE: Final = "state.db"
_PATIENCE: Final = 5.0

#: By database: its inode, the number of the newest finding that was counted, and how many each rule has.
_COUNTED: Final[dict[Path, tuple[int, int, Counter[str]]]] = {}
_MUTEX: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Parts:
    """Files of a state.

    Attributes:
        accepted: acceptances, each row in one of them.
        verdicts: those that were not issued, each with its verdict.
    """

    accepted: tuple[Path, ...]
    verdicts: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings, the newest first, and how many there are of each rule."""

    total: int
    by_rule: tuple[tuple[str, int], ...]
    shown: tuple[Finding, ...]


class DetectionState:
    """A state that is looked at.

    Args:
        place: its directory, or the database in it.

    Raises:
        DetectionError: there is none, or it cannot be read.
    """

    def __init__(self, place: Path) -> None:
        self.directory = place.parent if place.name == _DATABASE else place
        path = self.directory / _DATABASE
        self._path = path
        if not path.exists():
            raise DetectionError("is no state of immure detect run", path=str(self.directory))
        with self._explained():
            self._base = sqlite3.connect(
                f"file:{quote(str(path.absolute()), errors='surrogateescape')}?mode=ro", uri=True,
                timeout=_PATIENCE, isolation_level=None, check_same_thread=False,
            )  # fmt: skip

    def parts(self) -> Parts:
        """The files of rows."""
        sql = "SELECT name FROM parts WHERE kind = ? AND state != 'pending' ORDER BY name"
        with self._explained():
            accepted, verdicts = (
                tuple(
                    self.directory / "parts" / Path(name).name for (name,) in self._base.execute(sql, (kind,))
                )
                for kind in ("acceptance", "verdicts")
            )
        return Parts(accepted, verdicts)

    def verdicts(self) -> dict[str, int]:
        """How many acceptances have which verdict that no later run changes."""
        sql = "SELECT name, count FROM tallies WHERE source = 'verdicts' ORDER BY count DESC, name"
        with self._explained():
            return {str(name): int(count) for name, count in self._base.execute(sql)}

    def waiting(self) -> int:
        """How many acceptances cannot be judged yet."""
        sql = "SELECT coalesce(sum(rows), 0) FROM parts WHERE kind = 'acceptance' AND state = 'pending'"
        with self._explained():
            return int(self._base.execute(sql).fetchone()[0])

    def findings(self, *, rule: str = "", offset: int = 0, most: int = 50) -> Findings:
        """A page of findings.

        Args:
            rule: only those of this rule.
            offset: how many are passed over.
        """
        where, which = ("WHERE json_extract(body, '$.rule') = ? ", (rule,)) if rule else ("", ())
        sql = f"SELECT body FROM findings {where}ORDER BY number DESC LIMIT ? OFFSET ?"  # noqa: S608 - ours
        by_rule = sorted(self._by_rule().items())
        with self._explained():
            bodies = [str(body) for (body,) in self._base.execute(sql, (*which, most, offset))]
        total = sum(count for name, count in by_rule if rule in ("", name))
        shown = tuple(map(self._finding, bodies))
        return Findings(total, tuple(by_rule), shown)

    def _by_rule(self) -> Counter[str]:
        """How many there are of each rule: those that have come since this process has counted last are
        added, since a finding stays what it is."""
        sql = (
            "SELECT json_extract(body, '$.rule'), count(*) FROM findings WHERE number > ? AND number <= ? "
            "GROUP BY 1"
        )
        newest = self.newest()
        with _MUTEX, self._explained():
            made, done, known = _COUNTED.get(self._path, (0, 0, Counter[str]()))
            if made != (inode := os.stat(self._path).st_ino) or done > newest:
                done, known = 0, Counter()
            if done < newest:
                new = {str(name): int(count) for name, count in self._base.execute(sql, (done, newest))}
                known = known + Counter(new)
                _COUNTED[self._path] = inode, newest, known
        return known

    def newest(self) -> int:
        """The number of the newest finding; 0 if there is none."""
        with self._explained():
            return int(self._base.execute("SELECT coalesce(max(number), 0) FROM findings").fetchone()[0])

    def _finding(self, body: str) -> Finding:
        try:
            return Finding.from_plain(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DetectionError("holds a finding that cannot be read", path=str(self._path)) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DetectionError(f"SQLite: {str(error)[:200]}", path=str(self._path)) from error
        except OSError as error:
            raise DetectionError(error.strerror or "cannot be read", path=str(self._path)) from error

    def close(self) -> None:
        """Let go of it."""
        self._base.close()

    def __enter__(self) -> DetectionState:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
