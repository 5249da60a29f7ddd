"""How many tokens a second the issuance ledger takes, each on the disk before it leaves, as a ratio to how
often this disk can be synced (fdatasync), and to a plain INSERT and COMMIT for each row.

    python benchmarks/ledger_speed.py                       # writes results/ledger_speed.json
    python benchmarks/ledger_speed.py --seconds 1 --rounds 1 --rows 20000      # a quick look

With 1, 8 and 64 writers that wait for their row before they come with the next, in SQLite and in PostgreSQL
(``fsync = on``, on the same disk). Ours numbers rows without gaps and refuses those below the watermark; the
plain one does neither. In PostgreSQL each plain writer has a connection of its own, so that the server can
put their commits together; in SQLite they take turns. Floor, peers and ours take turns; medians of the rounds
count. Then how fast batches are closed, verified and exported, against a bare SELECT of the same rows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import measure

sys.path[:0] = [str(measure.HERE.parent), str(measure.HERE.parent / "tests")]
from immure import clock  # noqa: E402
from immure.auditlog import AuditLog  # noqa: E402
from immure.ledger.errors import LedgerError  # noqa: E402
from immure.ledger.ledger import Ledger  # noqa: E402
from immure.ledger.opening import open_ledger  # noqa: E402
from immure.ledger.row import Issued  # noqa: E402
from immure.ledger.sealing import Sealer  # noqa: E402
from immure.ledger.store import LedgerStore  # noqa: E402
from immure.ledger.verify import verify_ledger  # noqa: E402
from ledger.making import ISSUER, NoteKeyPair, make_log  # noqa: E402
from servers.postgres import running  # noqa: E402

WRITERS = (1, 8, 64)
Row = dict[str, Any]


def new_row() -> Issued:
    """A row as a mail service's token makes it."""
    now = int(time.time())
    subject, audience = "0f8fad5b-d9cb-469f-a165-70867728950e", ("https://mail.example",)
    more = ("contoso.example", "mail-client", "b3f1c2d4e5")
    return Issued(os.urandom(16), ISSUER, "consumer-0001", now, now + 3600, subject, audience, *more)


def main() -> None:
    """Run all of it, and write the results."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=float, default=4, help="for each figure")
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--rows", type=int, default=300_000, help="that are sealed, verified and exported")
    reader.add_argument("--dir", type=Path, default=None, help="on the disk to measure")
    given = reader.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="immure-bench-", dir=given.dir) as name,
        running(fsync="on") as server,
    ):
        bench = Bench(Path(name), server, given.seconds)
        writing = bench.writing(given.rounds)
        reading = [bench.reading(kind, given.rows) for kind in ("sqlite", "postgresql")]
    table(writing, reading)
    busy = (
        os.getloadavg()[0] > len(os.sched_getaffinity(0)) + 1
    )  # the benchmark itself keeps about two at work
    print(measure.save("ledger_speed", {"under_load": busy, "writing": writing, "reading": reading}))


class Bench:
    """Runs each figure on a fresh database."""

    def __init__(self, directory: Path, server: Any, seconds: float) -> None:
        self._directory, self._server, self._seconds = directory, server, seconds
        self._number = 0

    def place(self, kind: str) -> str:
        """Of a new database."""
        self._number += 1
        if kind == "postgresql":
            return str(self._server.url(database=self._server.database()))
        return str(self._directory / f"{self._number}.db")

    def writing(self, rounds: int) -> list[Row]:
        """Rows a second, ours and plain, by number of writers; each round has its own floor."""
        found: dict[tuple[str, int], list[Row]] = {}
        for _ in range(rounds):
            floor = max(syncs(self._directory, self._seconds / 4, again) for again in (True, False))
            for kind in ("sqlite", "postgresql"):
                for writers in WRITERS:
                    made = ours(self.place(kind), writers, self._seconds)
                    made["plain"] = PLAIN[kind](self.place(kind), writers, self._seconds)
                    made["floor"] = floor
                    found.setdefault((kind, writers), []).append(made)
        return [_summary(kind, writers, some) for (kind, writers), some in found.items()]

    def reading(self, kind: str, rows: int) -> Row:
        """Rows a second of sealing, verifying and exporting."""
        import pyarrow.parquet  # noqa: F401 - to load it takes longer than to write a small segment

        from immure.ledger.segments import export

        with open_ledger(self.place(kind), create=True) as store:
            for start in range(0, rows, 5000):
                store.append([new_row() for _ in range(min(5000, rows - start))])
            signer, logs = NoteKeyPair(), self._directory / f"{self._number}.log"
            make_log(logs, signer, clock.now)
            log = AuditLog.open(logs, signer=signer)
            select = timed(lambda: read_all(store, rows))
            seal = timed(lambda: Sealer(store, log, slack=0).seal_all())
            verify = timed(lambda: verify_ledger(store, AuditLog.open(logs).entries()))
            out = self._directory / f"{self._number}.out"
            written = timed(lambda: list(export(store, ISSUER, out)))
        found = {"select": select, "seal": seal, "verify": verify, "export": written}
        return {
            "store": kind,
            "rows": rows,
            **{f"{name}_rows_per_second": round(rows / s) for name, s in found.items()},
        }


def ours(place: str, writers: int, seconds: float) -> Row:
    """Writers that wait for their rows, as the tasks of the signing service do."""
    store = open_ledger(place, create=True)
    transactions, real = 0, store.append

    def counted(rows: Sequence[Issued]) -> list[int | LedgerError]:
        nonlocal transactions
        transactions += 1
        return real(rows)

    store.append = counted  # type: ignore[method-assign]
    waits: list[float] = []

    async def writer(ledger: Ledger, end: float) -> None:
        while (begun := time.perf_counter()) < end:
            await ledger.arecord(new_row())
            waits.append(time.perf_counter() - begun)

    async def run(ledger: Ledger) -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(writer(ledger, begun + seconds) for _ in range(writers)))
        return time.perf_counter() - begun

    with Ledger(store) as ledger:
        taken = asyncio.run(run(ledger))
    waits.sort()
    return {
        "rows": len(waits) / taken,
        "transactions": transactions / taken,
        "p50": statistics.median(waits),
        "p99": waits[min(len(waits) - 1, len(waits) * 99 // 100)],
    }


def plain_sqlite(place: str, writers: int, seconds: float) -> float:
    """INSERT and COMMIT for each row, in WAL with synchronous=FULL; threads take turns."""
    database = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(f"CREATE TABLE tokens (seq INTEGER PRIMARY KEY, {_COLUMNS})")
    lock = threading.Lock()

    def insert() -> None:
        with lock:
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                f"INSERT INTO tokens ({_COLUMNS}) VALUES ({', '.join('?' * 9)})", new_row().cells()
            )
            database.execute("COMMIT")

    made = in_threads([insert] * writers, seconds)
    database.close()
    return made


def plain_postgresql(place: str, writers: int, seconds: float) -> float:
    """INSERT and COMMIT for each row, a connection for each writer."""
    import psycopg

    with psycopg.connect(place, autocommit=True) as first:
        first.execute(
            "CREATE TABLE tokens (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea,"
            " kid text, sub text, aud text, tenant text, client text, iat bigint, exp bigint, session text)"
        )
    connections = [psycopg.connect(place, autocommit=True) for _ in range(writers)]
    statement = f"INSERT INTO tokens ({_COLUMNS}) VALUES ({', '.join(['%s'] * 9)})".encode()

    def inserting(connection: Any) -> Callable[[], None]:
        return lambda: connection.execute(statement, new_row().cells())

    made = in_threads([inserting(one) for one in connections], seconds)
    for one in connections:
        one.close()
    return made


_COLUMNS = "digest, kid, sub, aud, tenant, client, iat, exp, session"
PLAIN = {"sqlite": plain_sqlite, "postgresql": plain_postgresql}


def in_threads(works: Sequence[Callable[[], None]], seconds: float) -> float:
    """How often a second they are all done together, each again and again in a thread of its own."""
    counts = [0] * len(works)
    begun = time.perf_counter()

    def run(number: int) -> None:
        while time.perf_counter() < begun + seconds:
            works[number]()
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


def syncs(directory: Path, seconds: float, again: bool) -> float:
    """How often a second 4 KiB can be made last: at the end of a file, or in the same place ``again``, which
    is what a log that is used again does."""
    path, block, count = directory / "floor", os.urandom(4096), 0
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    begun = time.perf_counter()
    while time.perf_counter() < begun + seconds:
        os.pwrite(handle, block, 0 if again else count * 4096)
        os.fdatasync(handle)
        count += 1
    taken = time.perf_counter() - begun
    os.close(handle)
    path.unlink()
    return count / taken


def read_all(store: LedgerStore, rows: int) -> None:
    """What every check does at least: fetch the rows."""
    raw = store._database if hasattr(store, "_database") else None
    if raw is not None:
        raw.execute("SELECT * FROM tokens ORDER BY issuer, seq").fetchall()
    else:
        store._all("SELECT * FROM immure_ledger_tokens ORDER BY issuer, seq", ())  # type: ignore[attr-defined]


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _summary(kind: str, writers: int, some: Sequence[Row]) -> Row:
    def middle(name: str) -> float:
        return statistics.median(one[name] for one in some)

    ratios = [one["rows"] / one["plain"] for one in some]
    of_floor = [one["rows"] / one["floor"] for one in some]
    return {
        "store": kind,
        "writers": writers,
        "rows_per_second": round(middle("rows")),
        "transactions_per_second": round(middle("transactions")),
        "fdatasync_per_second": round(middle("floor")),
        "plain_rows_per_second": round(middle("plain")),
        "rows_per_fdatasync": round(statistics.median(of_floor), 2),
        "ratio_to_plain": round(statistics.median(ratios), 2),
        "p50_ms": round(middle("p50") * 1000, 2),
        "p99_ms": round(middle("p99") * 1000, 2),
    }


def table(writing: Sequence[Row], reading: Sequence[Row]) -> None:
    """What was measured, for people."""
    _print(writing, list(writing[0]))
    print()
    figures = [f"{name}_rows_per_second" for name in ("select", "seal", "verify", "export")]
    _print(reading, ("store", "rows", *figures))


def _print(rows: Sequence[Row], names: Sequence[str]) -> None:
    heads = [name.replace("_per_second", "/s").replace("_", " ") for name in names]
    widths = [max(12, len(head) + 2) for head in heads]
    print("".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)))
    for row in rows:
        print("".join(f"{row[name]:>{width}}" for name, width in zip(names, widths, strict=True)))


if __name__ == "__main__":
    main()
