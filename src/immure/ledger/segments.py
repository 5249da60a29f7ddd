"""Closed batches as Parquet, for those who look for tokens that nobody issued.

A segment holds whole batches of one issuer, each of which the log has; what the log says of them is in the
file, so that its rows can be held against the log without the ledger. Files are named by the sequence numbers
of their rows, and a batch is in one file only.

Columns: ``seq`` int64, ``digest`` 16 bytes, ``iss``, ``kid``, ``sub`` text, ``aud`` list of text, ``tenant``,
``client`` text, ``iat``, ``exp`` int64 (seconds since 1970), ``session`` text. Rows are by ``seq``, which is
nearly by ``iat``.

Needs pyarrow: ``pip install 'immure[parquet]'``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from immure.files import replacing
from immure.ledger.batch import Batch, root_of
from immure.ledger.errors import LedgerError
from immure.ledger.row import Issued
from immure.ledger.store import LedgerStore

#: Rows of one file, unless a single batch has more.
ROWS: Final = 1_000_000
_GROUP: Final = 65_536
_METADATA: Final = b"immure.ledger"
_NAME: Final = re.compile(r"([0-9]{12})-([0-9]{12})\.parquet")
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A file with the rows ``first`` to ``last`` of an issuer."""

    path: Path
    first: int
    last: int


def folder_of(directory: Path, issuer: str) -> Path:
    """Where the segments of an issuer are: a folder named by 16 digits of the SHA-256 of its name."""
    return directory / hashlib.sha256(issuer.encode()).hexdigest()[:16]


def segments(directory: Path, issuer: str) -> list[Segment]:
    """The segments of an issuer, in order.

    Raises:
        LedgerError: one is missing between others, or two overlap.
    """
    folder = folder_of(directory, issuer)
    found = sorted(path for path in folder.glob("*.parquet") if _NAME.fullmatch(path.name))
    made, last = [], None
    for path in found:
        first, end = path.stem.split("-")
        segment = Segment(path, int(first), int(end))
        if last is not None and segment.first != last + 1:
            raise LedgerError(
                f"begins at row {segment.first}, and the one before ends at {last}", path=str(path)
            )
        made.append(segment)
        last = segment.last
    return made


def export(store: LedgerStore, issuer: str, directory: Path, *, rows: int = ROWS) -> Iterator[Segment]:
    """Write the batches that no segment has yet, and that the log has.

    Args:
        rows: of one file, unless one batch has more.

    Raises:
        LedgerError: pyarrow is not installed, a file cannot be written, or rows are missing.
    """
    folder = folder_of(directory, issuer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be made", path=str(folder)) from error
    there = segments(directory, issuer)
    start = there[-1].last + 1 if there else 1
    group: list[Batch] = []
    for batch in store.batches(issuer):
        if batch.entry is None:
            break  # the newest, which is being closed at this moment
        if batch.last < start or batch.last < batch.first:
            continue
        if group and batch.last - group[0].first >= rows:
            yield _write(store, group, folder)
            group = []
        group.append(batch)
    if group:
        yield _write(store, group, folder)


def read_segment(path: Path) -> tuple[list[Batch], Iterator[tuple[int, Issued]]]:
    """The batches of a segment, and its rows; whether they agree is for :func:`check_segment`.

    Raises:
        LedgerError: it is no segment.
    """
    parquet, arrow = _libraries(path)
    try:
        file = parquet.ParquetFile(path)
        raw = (file.schema_arrow.metadata or {}).get(_METADATA, b"")
        plain = json.loads(raw) if len(raw) < _MOST_BYTES else None
    except (OSError, ValueError, RecursionError, arrow.ArrowException) as error:
        raise LedgerError("is no segment of a ledger", path=str(path)) from error
    if not isinstance(plain, list) or not all(isinstance(one, dict) for one in plain):
        raise LedgerError("is no segment of a ledger", path=str(path))
    batches = []
    for one in plain:
        entry = one.pop("entry", None)
        batches.append(Batch.from_body(one, entry if type(entry) is int else -1))
    return batches, _rows(file, path, arrow)


def check_segment(path: Path) -> list[Batch]:
    """The batches of a segment, whose rows lead to their roots; that the log has these is for the caller.

    Raises:
        LedgerError: it is no segment, or a row was changed, added or taken out.
    """
    batches, rows = read_segment(path)
    for batch in batches:
        wanted = batch.last - batch.first + 1
        mine = ((sequence, row) for _, (sequence, row) in zip(range(wanted), rows, strict=False))
        if root_of(mine) != (wanted, batch.root):
            raise LedgerError(
                f"rows of batch {batch.number} are not those that were written down", path=str(path)
            )
    if next(rows, None) is not None:
        raise LedgerError("has rows that are in no batch", path=str(path))
    return batches


def _write(store: LedgerStore, group: list[Batch], folder: Path) -> Segment:
    first, last = group[0].first, group[-1].last
    path = folder / f"{first:012d}-{last:012d}.parquet"
    parquet, arrow = _libraries(path)
    bodies = [{**batch.body(), "entry": batch.entry} for batch in group]
    schema = _schema(arrow).with_metadata({_METADATA: json.dumps(bodies).encode()})
    count = 0
    try:
        with replacing(path) as stream:
            with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
                for page in _pages(store.rows(group[0].issuer, first, last)):
                    count += len(page)
                    writer.write_batch(_record_batch(arrow, schema, page))
            if count != last - first + 1:
                raise LedgerError(f"rows {first} to {last} are not all there", path=store.path)
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be written", path=str(path)) from error
    return Segment(path, first, last)


def _pages(rows: Iterable[tuple[int, Issued]]) -> Iterator[list[tuple[int, Issued]]]:
    page: list[tuple[int, Issued]] = []
    for row in rows:
        page.append(row)
        if len(page) == _GROUP:
            yield page
            page = []
    if page:
        yield page


def _schema(arrow: Any) -> Any:
    text = arrow.string()
    return arrow.schema(
        [
            ("seq", arrow.int64()),
            ("digest", arrow.binary(16)),
            ("iss", text),
            ("kid", text),
            ("sub", text),
            ("aud", arrow.list_(text)),
            ("tenant", text),
            ("client", text),
            ("iat", arrow.int64()),
            ("exp", arrow.int64()),
            ("session", text),
        ]
    )


def _record_batch(arrow: Any, schema: Any, page: list[tuple[int, Issued]]) -> Any:
    columns = [
        [sequence for sequence, _ in page],
        [row.digest for _, row in page],
        [row.issuer for _, row in page],
        [row.kid for _, row in page],
        [row.subject for _, row in page],
        [list(row.audience) for _, row in page],
        [row.tenant for _, row in page],
        [row.client for _, row in page],
        [row.issued_at for _, row in page],
        [row.expires for _, row in page],
        [row.session for _, row in page],
    ]
    arrays = [arrow.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return arrow.RecordBatch.from_arrays(arrays, schema=schema)


def _rows(file: Any, path: Path, arrow: Any) -> Iterator[tuple[int, Issued]]:
    names = ("seq", "digest", "iss", "kid", "iat", "exp", "sub", "aud", "tenant", "client", "session")
    try:
        for part in file.iter_batches(_GROUP, columns=list(names)):
            for values in zip(*(part.column(name).to_pylist() for name in names), strict=True):
                sequence, digest, issuer, kid, iat, exp, sub, aud, tenant, client, session = values
                row = Issued(digest, issuer, kid, iat, exp, sub, tuple(aud), tenant, client, session)
                yield sequence, row
    except (LedgerError, KeyError, OSError, TypeError, ValueError, arrow.ArrowException) as error:
        raise LedgerError("a row of the segment cannot be read", path=str(path)) from error


def _libraries(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise LedgerError("needs pyarrow: pip install 'immure[parquet]'", path=str(path)) from error
    return pyarrow.parquet, pyarrow
