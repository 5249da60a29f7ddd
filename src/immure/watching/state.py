"""What was scanned, for what, and what was found, in an SQLite database.

>>> state = State()   # in memory
>>> state.close()

Every :meth:`State.record` is one transaction: a watch that is killed has lost what was in hand, and nothing
else.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

from immure.clock import to_rfc3339
from immure.sqlite import ForeignDatabaseError, Layout, open_database, transaction
from immure.watching.errors import StateError
from immure.watching.finding import Hit, Sighting
from immure.watching.item import Spotted, Trouble, Whereabouts
from immure.watching.question import Question
from immure.watching.state_layout import APPLICATION_ID, CREATE, LAYOUT, UPGRADES
from immure.watching.state_rows import HIT, SIGHT, SIGHTINGS, is_under, sighting_of, text_for

#: Seconds to wait for another writer.
PATIENCE: Final = 30.0
#: Gaps that are kept of one content.
MOST_GAPS: Final = 50


@dataclass
class Seen:
    """An item that was dealt with: where it is, and what its bytes are called.

    Attributes:
        target, place: where.
        content: its bytes' name.
        stamp: what they are known by as long as it is the same; None if by nothing.
        question: what it was scanned for, None if it was not, because the answer is known.
        hits, gaps: what the scan gave.
    """

    target: str
    place: str
    content: str
    stamp: str | None = None
    question: Question | None = None
    hits: list[Hit] = field(default_factory=list)
    gaps: list[Trouble] = field(default_factory=list)


class State:
    """The state at ``path``; made if it is not there. Without a path it is in memory, and gone with the
    process.

    Raises:
        StateError: it cannot be opened, or is something else.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = os.fspath(path) if path is not None else ":memory:"
        try:
            with self._explained():
                self._database = open_database(
                    self.path,
                    Layout(APPLICATION_ID, LAYOUT, CREATE, UPGRADES),
                    patience=PATIENCE,
                    synchronous="NORMAL",
                    pragmas=("cell_size_check=ON",),
                )
        except ForeignDatabaseError as error:
            words = "is a database, but not the state of a watch"
            if error.layout is not None:
                words = f"has layout {error.layout}, this program knows {LAYOUT}"
            raise StateError(words, path=self.path) from error
        #: Absolute paths of what this is kept in.
        self.files = tuple(
            os.path.realpath(self.path) + end for end in ("", "-wal", "-shm") if path is not None
        )
        self._asked: dict[str, tuple[str, frozenset[str]]] = {}

    def missing(self, content: str, question: Question) -> frozenset[str] | None:
        """The names of ``question`` for which ``content`` was not scanned; None if it was not scanned at all
        in a manner that would do."""
        with self._explained():
            versions = self._database.execute("SELECT version FROM scans WHERE content = ?", (content,))
            answered = [
                names
                for (version,) in versions.fetchall()
                for manner, names in (self._question(version),)
                if manner in question.manners
            ]
        return question.names.difference(*answered) if answered else None

    def _question(self, version: str) -> tuple[str, frozenset[str]]:
        if version not in self._asked:
            rows = self._database.execute("SELECT name FROM asked WHERE version = ?", (version,))
            found = self._database.execute("SELECT manner FROM questions WHERE version = ?", (version,))
            (manner,) = found.fetchone() or ("",)
            self._asked[version] = (manner, frozenset(name for (name,) in rows))
        return self._asked[version]

    def content_of(self, target: str, place: str, stamp: str) -> str | None:
        """The content of a place, if its stamp is still the same."""
        with self._explained():
            row = self._database.execute(
                "SELECT content FROM stamps WHERE target = ? AND place = ? AND stamp = ?",
                (target, place, stamp),
            ).fetchone()
        return row[0] if row else None

    def gaps(self, content: str, question: Question) -> list[Trouble]:
        """What was not searched in ``content``, as far as it matters for ``question``."""
        with self._explained():
            rows = self._database.execute(
                "SELECT inside, reason, length FROM gaps JOIN questions USING (version) WHERE content = ?"
                " AND manner IN (SELECT value FROM json_each(?)) ORDER BY version, number",
                (content, json.dumps(question.manners)),
            ).fetchall()
        return [Trouble(*row) for row in dict.fromkeys(rows)]

    def record(self, seen: Iterable[Seen], moment: datetime, question: Question) -> None:
        """Keep all of these, or none. ``moment`` is the beginning of the run, ``question`` what it asks."""
        now, asked = to_rfc3339(moment), _askers(question)
        with self._explained(), transaction(self._database):
            for one in seen:
                if one.question is not None:
                    self._record_scan(one, one.question, now)
                if one.stamp is not None:
                    self._database.execute(
                        "INSERT OR REPLACE INTO stamps VALUES (?, ?, ?, ?, ?)",
                        (one.target, one.place, one.stamp, one.content, now),
                    )
                self._database.execute(SIGHT, (one.target, one.place, now, now, one.content, asked))

    def _record_scan(self, one: Seen, question: Question, now: str) -> None:
        version = question.version
        if version not in self._asked:
            self._database.execute(
                "INSERT OR IGNORE INTO questions VALUES (?, ?)", (version, question.manner)
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO asked VALUES (?, ?)", ((version, name) for name in question.names)
            )
        self._database.execute(
            "INSERT OR REPLACE INTO scans VALUES (?, ?, ?, ?)", (one.content, version, not one.gaps, now)
        )
        gaps = list(dict.fromkeys(one.gaps))
        if len(gaps) > MOST_GAPS:
            more = f"and {len(gaps) - MOST_GAPS + 1} gaps more"
            gaps[MOST_GAPS - 1 :] = [Trouble("", more, sum(gap.length for gap in gaps[MOST_GAPS - 1 :]))]
        self._database.executemany(
            "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?, ?, ?)",
            (
                (one.content, version, number, text_for(gap.place), gap.reason, gap.length)
                for number, gap in enumerate(gaps)
            ),
        )
        for hit in one.hits:
            self._record_hit(one.content, hit)

    def _record_hit(self, content: str, hit: Hit) -> None:
        key = hit.key
        self._database.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " kid = ifnull(excluded.kid, kid), issuer = ifnull(excluded.issuer, issuer)",
            (key.thumbprint, key.label, key.kty, key.kid, key.issuer),
        )
        found = (hit.proof, hit.whole, hit.count)
        spots = json.dumps([asdict(spot) for spot in hit.spots])
        self._database.execute(
            HIT,
            (content, key.thumbprint, text_for(hit.inside), hit.kind, *found, spots, hit.asker),
        )

    def unplaced(self, target: str) -> list[Spotted]:
        """Sightings of which nobody has said where that is."""
        with self._explained():
            rows = self._database.execute(
                "SELECT DISTINCT place, inside FROM sightings"
                " WHERE target = ? AND path IS NULL AND gone IS NULL",
                (target,),
            )
            return [(place, inside) for place, inside in rows]

    def place(self, target: str, said: Mapping[Spotted, Whereabouts]) -> None:
        """Keep what there is to say of them."""
        with self._explained(), transaction(self._database):
            self._database.executemany(
                "UPDATE sightings SET path = ?, detail = ? WHERE target = ? AND place = ? AND inside = ?",
                ((text_for(one.path), one.detail, target, *spotted) for spotted, one in said.items()),
            )

    def conclude(self, target: str, began: datetime, moment: datetime, troubled: Collection[str]) -> None:
        """The target was gone through to its end: what was not seen is gone, but for what is in trouble."""
        with self._explained(), transaction(self._database):
            rows = self._database.execute(
                "SELECT DISTINCT place FROM sightings WHERE target = ? AND last_seen < ? AND gone IS NULL",
                (target, to_rfc3339(began)),
            ).fetchall()
            gone = [place for (place,) in rows if not is_under(place, troubled)]
            self._database.executemany(
                "UPDATE sightings SET gone = ?"
                " WHERE target = ? AND place = ? AND last_seen < ? AND gone IS NULL",
                ((to_rfc3339(moment), target, place, to_rfc3339(began)) for place in gone),
            )
            self._database.execute(
                "DELETE FROM stamps WHERE target = ? AND seen < ?", (target, to_rfc3339(began))
            )

    def sightings(self, target: str, question: Question) -> list[Sighting]:
        """Every key at every place of a target, by key and place; of matches those of rules that are
        asked."""
        with self._explained():
            rows = self._database.execute(SIGHTINGS, (target, _askers(question)))
            return [sighting_of(row) for row in rows]

    def close(self) -> None:
        """Close the database. Idempotent."""
        self._database.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise StateError(f"the state cannot be used: {words}", path=self.path) from error


def _askers(question: Question) -> str:
    return json.dumps([rules.name for rules in question.rules])
