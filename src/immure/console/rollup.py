"""How many tokens were issued, accepted, refused and forged in each hour: counted once, then looked up.

The rows themselves stay where they are (segments of the ledger, acceptances and verdicts as Parquet). The
roll-up is an SQLite database of counts by file, hour, issuer and relying party, so that a page of a hundred
million rows reads some hundred; :mod:`.rollup_refresh` brings it up to date, file by file. All of it can be
thrown away: it is made anew.

Rows are counted as they stand: a record that came twice is counted twice. Hours are UTC.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal, get_args
from urllib.parse import quote

from immure.errors import ImmureError, UsageError
from immure.sqlite import ForeignDatabaseError, Layout, open_database

Kind = Literal["issued", "accepted", "refused", "forged"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
HOUR: Final = 3600
DAY: Final = 24 * HOUR
#: Name of the database in the directory of a roll-up.
DATABASE: Final = "rollup.db"
#: Stands for issuers and relying parties that are too many to be told apart.
OTHERS: Final = "\0others"
#: What a page asks for at most: ten years of hours.
MOST_BUCKETS: Final = 87_840
_PATIENCE: Final = 10.0
_LAYOUT: Final = Layout(
    0x494D5243,
    1,
    (
        "PRAGMA application_id = 1229804099",
        "PRAGMA user_version = 1",
        """CREATE TABLE files (
            id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, feed TEXT NOT NULL, stamp TEXT NOT NULL,
            rows INTEGER NOT NULL, unplaced INTEGER NOT NULL, error TEXT NOT NULL)""",
        "CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL)",
        """CREATE TABLE counts (
            kind INTEGER, hour INTEGER, file INTEGER, issuer INTEGER, party INTEGER, count INTEGER NOT NULL,
            PRIMARY KEY (kind, hour, file, issuer, party)) WITHOUT ROWID""",
        "CREATE INDEX counts_by_file ON counts (file)",
        """CREATE TABLE hours (
            kind INTEGER, hour INTEGER, count INTEGER NOT NULL, PRIMARY KEY (kind, hour)) WITHOUT ROWID""",
        "CREATE TABLE standing (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    ),
)


class RollupError(ImmureError):
    """The roll-up cannot be read or made (exit code 3)."""

    code: ClassVar[str] = "rollup"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened from ``begin`` (seconds since 1970) on, for the length that was asked for."""

    begin: int
    counts: Mapping[Kind, int]


@dataclass(frozen=True, slots=True)
class Share:
    """Rows of one issuer at one relying party; :data:`OTHERS` stands for those that are too many, an empty
    text for what the rows do not say."""

    issuer: str
    party: str
    count: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be counted, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a roll-up covers.

    Attributes:
        totals: rows by kind, of those that have an hour.
        files: that were counted.
        unplaced: rows that state no hour, or are of too many different hours.
        unread: files that could not be counted.
        first, last: the first and the last hour in which anything happened; None if nothing did.
        refreshed: when it was last brought up to date, seconds since 1970; None if it never was, wholly.
    """

    totals: Mapping[Kind, int]
    files: int
    unplaced: int
    unread: tuple[Unread, ...]
    first: int | None
    last: int | None
    refreshed: int | None


class Rollup:
    """A roll-up that is looked at.

    Args:
        directory: in which it is.

    Raises:
        RollupError: it cannot be read.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        self.path = directory / DATABASE
        self.database = _opened(self.path, create=create)

    @classmethod
    def there(cls, directory: Path) -> bool:
        """Whether one was begun."""
        return (directory / DATABASE).exists()

    def series(self, begin: int, end: int, step: int = HOUR) -> list[Bucket]:
        """Counts from ``begin`` until before ``end``, a bucket for each ``step``, empty ones too.

        Args:
            begin, end: seconds since 1970, brought to whole steps: downwards, and upwards.
            step: whole hours, in seconds.

        Raises:
            UsageError: there would be too many buckets.
        """
        begin, end = begin // step * step, -(-end // step) * step
        if step % HOUR or step <= 0 or not 0 <= end - begin <= MOST_BUCKETS * step:
            raise UsageError("a span of time that cannot be shown")
        found: dict[int, dict[Kind, int]] = {}
        sql = (
            "SELECT hour * 3600 / ? * ? AS begin, kind, sum(count) FROM hours "
            "WHERE kind = ? AND hour >= ? AND hour < ? GROUP BY begin"
        )
        with self._explained():
            for number in range(len(KINDS)):
                given = (step, step, number, begin // HOUR, end // HOUR)
                for start, kind, count in self.database.execute(sql, given):
                    found.setdefault(start, {})[KINDS[kind]] = count
        return [Bucket(start, found.get(start, {})) for start in range(begin, end, step)]

    def shares(self, kind: Kind, begin: int, end: int, *, most: int = 100) -> list[Share]:
        """Who the rows of a span are of, most of them first."""
        sql = (
            "SELECT i.text, p.text, sum(c.count) AS total FROM counts c "
            "JOIN names i ON i.id = c.issuer JOIN names p ON p.id = c.party "
            "WHERE c.kind = ? AND c.hour >= ? AND c.hour < ? "
            "GROUP BY c.issuer, c.party ORDER BY total DESC, i.text, p.text LIMIT ?"
        )
        with self._explained():
            given = (KINDS.index(kind), begin // HOUR, -(-end // HOUR), most)
            return [Share(*row) for row in self.database.execute(sql, given)]

    def files(self, kind: Kind, begin: int, end: int, *, most: int) -> list[str]:
        """Paths of the files that have rows of a kind and a span: those that have most of them first."""
        sql = (
            "SELECT f.path FROM counts c JOIN files f ON f.id = c.file "
            "WHERE c.kind = ? AND c.hour >= ? AND c.hour < ? "
            "GROUP BY c.file ORDER BY sum(c.count) DESC, f.path LIMIT ?"
        )
        with self._explained():
            given = (KINDS.index(kind), begin // HOUR, -(-end // HOUR), most)
            return [str(path) for (path,) in self.database.execute(sql, given)]

    def standing(self) -> Standing:
        """What it covers."""
        ask = self.database.execute
        with self._explained():
            sums = dict(ask("SELECT kind, sum(count) FROM hours GROUP BY kind").fetchall())
            files, unplaced = ask("SELECT count(*), coalesce(sum(unplaced), 0) FROM files").fetchone()
            unread = ask("SELECT path, error FROM files WHERE error != '' ORDER BY path LIMIT 100").fetchall()
            ends = [self._end(kind, way) for kind in sums for way in ("ASC", "DESC")]
            refreshed = ask("SELECT value FROM standing WHERE name = 'refreshed'").fetchone()
        return Standing(
            {KINDS[kind]: count for kind, count in sums.items()},
            files,
            unplaced,
            tuple(Unread(*one) for one in unread),
            min(ends, default=None),
            max(ends, default=None),
            None if refreshed is None else refreshed[0],
        )

    def stamp(self) -> tuple[int, ...]:
        """Numbers that differ when something else was counted."""
        sql = "SELECT count(*), coalesce(max(id), 0), coalesce(sum(rows), 0) FROM files"
        with self._explained():
            return tuple(map(int, self.database.execute(sql).fetchone()))

    def _end(self, kind: int, way: str) -> int:
        sql = f"SELECT hour FROM hours WHERE kind = ? ORDER BY hour {way} LIMIT 1"  # noqa: S608 - our words
        (hour,) = self.database.execute(sql, (kind,)).fetchone()
        return int(hour) * HOUR

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with explained(self.path):
            yield

    def close(self) -> None:
        """Let go of it."""
        self.database.close()

    def __enter__(self) -> Rollup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as those of a roll-up."""
    try:
        yield
    except sqlite3.Error as error:
        raise RollupError(f"SQLite: {str(error)[:200]}", path=str(path)) from error


def add_up(counts: Sequence[Bucket]) -> dict[Kind, int]:
    """The sums of some buckets."""
    made: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for one in counts:
        for kind, count in one.counts.items():
            made[kind] += count
    return made


def _opened(path: Path, *, create: bool) -> sqlite3.Connection:
    """To be written, or (``create`` is false) to be read only: who reads keeps nobody from writing."""
    try:
        if create:
            return open_database(str(path), _LAYOUT, patience=_PATIENCE, synchronous="NORMAL")
        if not path.exists():
            raise RollupError("does not exist", path=str(path))
        return _looked_at(path)
    except ForeignDatabaseError as error:
        words = "is no roll-up" if error.layout is None else "is the roll-up of another version: remove it"
        raise RollupError(words, path=str(path)) from error
    except sqlite3.Error as error:
        raise RollupError(f"is no roll-up, or a broken one: {error}; remove it", path=str(path)) from error
    except OSError as error:
        raise RollupError(error.strerror or "cannot be made", path=str(path)) from error


def _looked_at(path: Path) -> sqlite3.Connection:
    name = f"file:{quote(str(path.absolute()), errors='surrogateescape')}?mode=ro"
    database = sqlite3.connect(
        name, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        database.execute("PRAGMA trusted_schema=OFF")
        _check(database)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    (owner,) = database.execute("PRAGMA application_id").fetchone()
    (number,) = database.execute("PRAGMA user_version").fetchone()
    if (owner, number) != (_LAYOUT.application, _LAYOUT.number):
        raise ForeignDatabaseError(number if owner == _LAYOUT.application else None)
