"""Our issuance ledger: its segments of Parquet, or the store itself (docs/reference/issuance-ledger.md).

Whether rows are those that the log has is for ``immure ledger verify``; here they are read as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from immure.detections.records import Issued, batch_of, schema
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.limits import Limits
from immure.detections.sources.position import Position
from immure.detections.sources.source import Source
from immure.errors import InputError

if TYPE_CHECKING:
    from immure.ledger.store import LedgerStore

_DEFAULT: Final = Limits()
_SQLITE: Final = b"SQLite format 3\0"


class LedgerSegments(Source):
    """Segments of Parquet, as ``immure ledger export`` writes them."""

    name: ClassVar[str] = "ledger"

    def detect(self, head: bytes, name: str) -> float:
        """Parquet whose name is made of sequence numbers; whether it is one is seen when it is opened."""
        stem = Path(name).stem.replace("-", "")
        return 0.9 if head[:4] == b"PAR1" and len(stem) == 24 and stem.isdigit() else 0.0

    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """See :meth:`Source.read`."""
        import pyarrow
        import pyarrow.parquet

        start = Position.parse(position, self.name, path)
        wanted, done = schema("issued"), 0
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                if b"immure.ledger" not in (file.schema_arrow.metadata or {}):
                    raise InputError("is Parquet, and no segment of a ledger", path=str(path))
                for batch in file.iter_batches(limits.rows, columns=wanted.names):
                    done += batch.num_rows
                    if done <= start.offset:
                        continue
                    batch = batch.slice(max(0, start.offset - (done - batch.num_rows)))
                    made = batch.select(wanted.names).cast(wanted)
                    yield Chunk(
                        self.name, str(path), {"issued": made}, made.num_rows, position=start.at(done, 0)
                    )
        except (OSError, KeyError, ValueError, pyarrow.ArrowException) as error:
            raise InputError("is no segment of a ledger that can be read", path=str(path)) from error


class LedgerLive(Source):
    """The store of a ledger, while it is written."""

    name: ClassVar[str] = "ledger-store"

    def detect(self, head: bytes, name: str) -> float:
        """An SQLite database with the tables of a ledger."""
        return 0.9 if head.startswith(_SQLITE) and b"ledger" in head else 0.0

    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """See :meth:`Source.read`."""
        from immure.ledger.opening import open_ledger

        store = open_ledger(str(path))
        try:
            yield from read_store(store, position, limits=limits)
        finally:
            store.close()


def read_store(store: LedgerStore, position: str = "", *, limits: Limits = _DEFAULT) -> Iterator[Chunk]:
    """The rows of all issuers of a store, from a position on.

    Raises:
        LedgerError: it cannot be read.
        InputError: the position is none of a ledger.
    """
    done = _parsed(position)
    for standing in store.standings():
        issuer = standing.issuer
        rows = store.rows(issuer, done.get(issuer, 0) + 1, standing.last)
        while page := list(islice(rows, limits.rows)):
            made = [
                Issued(
                    seq=sequence, digest=row.digest, iss=row.issuer, kid=row.kid, sub=row.subject,
                    aud=list(row.audience), tenant=row.tenant, client=row.client, iat=row.issued_at,
                    exp=row.expires, session=row.session,
                )
                for sequence, row in page
            ]  # fmt: skip
            done[issuer] = page[-1][0]
            text = msgspec.json.encode(["ledger", done]).decode()
            batch = batch_of("issued", made)
            yield Chunk(LedgerLive.name, store.path, {"issued": batch}, len(page), position=text)


def _parsed(position: str) -> dict[str, int]:
    if not position:
        return {}
    try:
        name, done = msgspec.json.decode(position, type=tuple[str, dict[str, int]])
    except (msgspec.DecodeError, ValueError, RecursionError):
        name, done = "", {}
    if name != "ledger":
        raise InputError("is no position in a ledger")
    return done
