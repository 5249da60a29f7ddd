"""Counts the rows of a ledger that has not been exported: those that have come since the last time.

Rows never change, so that of each issuer only the number of the last row that was counted is kept. It stands
among the files of the roll-up, as ``ledger:ISSUER``. Some two hundred thousand rows are counted in a second;
segments (``immure ledger export``) are quicker by far, and their rows can be looked at.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from typing import Final

from immure.console.rollup import HOUR, KINDS
from immure.console.rollup_sql import MOST_HOURS
from immure.ledger.store import LedgerStore, Standing
from immure.sqlite import transaction

#: Paths of rows that are in no file begin so.
LIVE: Final = "ledger:"
#: Rows of one transaction.
ROWS: Final = 100_000
_ISSUED: Final = KINDS.index("issued")


def count_ledger(
    database: sqlite3.Connection, store: LedgerStore, stop: threading.Event | None = None
) -> set[str]:
    """Count the rows that are new.

    Args:
        database: of the roll-up.
        store: the ledger.
        stop: when it is set, the work ends with the rows that it is at.

    Returns:
        The paths of what it has.

    Raises:
        LedgerError: the ledger cannot be read; what was counted before is kept.
    """
    standings = store.standings()
    for one in standings:
        _count(database, store, one, stop)
    return {LIVE + one.issuer for one in standings}


def _count(
    database: sqlite3.Connection, store: LedgerStore, standing: Standing, stop: threading.Event | None
) -> None:
    path = LIVE + standing.issuer
    row = database.execute("SELECT stamp FROM files WHERE path = ?", (path,)).fetchone()
    done = 0 if row is None else int(row[0])
    if done > standing.last:
        raise _put_back(store, standing)
    while done < standing.last and not (stop is not None and stop.is_set()):
        last = min(done + ROWS, standing.last)
        hours = Counter(one.issued_at // HOUR for _, one in store.rows(standing.issuer, done + 1, last))
        with transaction(database):
            _add(database, path, standing.issuer, last, hours)
        done = last


def _put_back(store: LedgerStore, standing: Standing) -> Exception:
    from immure.ledger.errors import LedgerError

    words = f"the ledger of {standing.issuer[:200]!r} has fewer rows than were counted: it was put back"
    return LedgerError(words, path=store.path)


def _add(database: sqlite3.Connection, path: str, issuer: str, last: int, hours: Counter[int]) -> None:
    database.execute(
        "INSERT INTO files (path, feed, stamp, rows, unplaced, error) VALUES (?, 'issued', '0', 0, 0, '') "
        "ON CONFLICT (path) DO NOTHING",
        (path,),
    )
    (file,) = database.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
    names = [_name(database, text) for text in (issuer[:200], "")]
    known = {hour for (hour,) in database.execute("SELECT hour FROM counts WHERE file = ?", (file,))}
    unplaced = 0
    for hour, count in sorted(hours.items()):
        if hour not in known and len(known) >= MOST_HOURS:
            unplaced += count
            continue
        known.add(hour)
        cell = (_ISSUED, hour, file, *names, count)
        add = "DO UPDATE SET count = count + excluded.count"
        database.execute(f"INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT {add}", cell)  # noqa: S608
        database.execute(f"INSERT INTO hours VALUES (?, ?, ?) ON CONFLICT {add}", (_ISSUED, hour, count))  # noqa: S608
    database.execute(
        "UPDATE files SET stamp = ?, rows = rows + ?, unplaced = unplaced + ? WHERE id = ?",
        (str(last), sum(hours.values()), unplaced, file),
    )


def _name(database: sqlite3.Connection, text: str) -> int:
    database.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (text,))
    return int(database.execute("SELECT id FROM names WHERE text = ?", (text,)).fetchone()[0])
