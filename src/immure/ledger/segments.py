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

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from immure.files import replacing
from immure.ledger.batch import Batch, root_of
from immure.ledger.errors import LedgerError
from immure.ledger.gap import Gap
from immure.ledger.manifest import Manifest, read_manifest, write_manifest
from immure.ledger.row import Issued
from immure.ledger.store import LedgerStore

#: Rows of one file, unless a single batch has more.
ROWS: Final = 1_000_000
#: Batches of one file: what the log says of each is in its metadata.
BATCHES: Final = 1000
_GROUP: Final = 16_384
_METADATA: Final = b"immure.ledger"
_NAME: Final = re.compile(r"([0-9]{12})-([0-9]{12})\.parquet")
_MOST_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A file with the rows ``first`` to ``last`` of an issuer."""

    path: Path
    first: int
    last: int


def folder_of(directory: Path, issuer: str) -> Path:
    """Where the segments of an issuer are: a folder named by 16 digits of the SHA-256 of its name."""
    return directory / hashlib.sha256(issuer.encode()).hexdigest()[:16]


def segments(directory: Path, issuer: str, *, gaps: Sequence[Gap] = ()) -> list[Segment]:
    """The segments of an issuer, in order.

    Args:
        gaps: that were declared: rows that are in these may be in no segment.

    Raises:
        LedgerError: one is missing between others, or two overlap.
    """
    folder = folder_of(directory, issuer)
    found = sorted(path for path in folder.glob("*.parquet") if _NAME.fullmatch(path.name))
    made: list[Segment] = []
    for path in found:
        first, last = (int(part) for part in path.stem.split("-"))
        after = made[-1].last + 1 if made else first
        if first != after and (first < after or not _is_lost(after, first - 1, gaps)):
            raise LedgerError(
                f"begins at row {first}, and the one before ends at {after - 1}", path=str(path)
            )
        made.append(Segment(path, first, last))
    return made


def export(store: LedgerStore, issuer: str, directory: Path, *, rows: int = ROWS) -> Iterator[Segment]:
    """Write the batches that no segment has yet, and that the log has; and then the manifest, which says up
    to when all is there (:mod:`immure.ledger.manifest`). Batches that are not whole because of a gap that was
    declared are left out, and so are those that were pruned before the first export.

    Args:
        rows: of one file, unless one batch has more.

    Raises:
        LedgerError: pyarrow is not installed, a file cannot be written, rows are missing, or somebody else
            exports at this moment.
    """
    folder = folder_of(directory, issuer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be made", path=str(folder)) from error
    with _alone(folder):
        gaps = store.gaps(issuer)
        there = segments(directory, issuer, gaps=gaps)
        start = there[-1].last + 1 if there else _oldest(store, issuer)
        before = read_manifest(folder)
        # the batches up to that of the manifest were looked at then
        known = before.batch if before is not None and there and before.last == there[-1].last else 0
        for group in _groups(store, issuer, start, rows, gaps, known):
            yield _write(store, group, folder)
        _vouch(store, issuer, directory, known)


def _vouch(store: LedgerStore, issuer: str, directory: Path, known: int) -> None:
    """Say up to when the segments are complete: as far as all batches are in one, empty, or lost."""
    gaps = store.gaps(issuer)
    there = segments(directory, issuer, gaps=gaps)
    last, reached = there[-1].last if there else _oldest(store, issuer) - 1, None
    for batch in store.batches(issuer, known):
        lost = _is_lost(batch.first, batch.last, gaps)
        if batch.entry is None or (batch.last > last and batch.last >= batch.first and not lost):
            break
        reached = batch
    if reached is None or reached.entry is None:
        return  # the log has no batch yet
    first = there[0].first if there else last + 1
    forgotten = 0 if first == 1 else store.standing(issuer).forgotten
    write_manifest(
        folder_of(directory, issuer),
        Manifest(
            issuer, first, last, reached.watermark, reached.number, reached.entry, forgotten, tuple(gaps)
        ),
    )


def _groups(
    store: LedgerStore, issuer: str, start: int, rows: int, gaps: Sequence[Gap], known: int
) -> Iterator[list[Batch]]:
    """Batches that go into one file each."""
    group: list[Batch] = []
    for batch in store.batches(issuer, known):
        if batch.entry is None:
            break  # the newest, which is being closed at this moment
        if batch.last < start or batch.last < batch.first:
            continue
        lost = _is_lost(batch.first, batch.last, gaps)
        if group and (lost or batch.last - group[0].first >= rows or len(group) == BATCHES):
            yield group
            group = []
        if not lost:
            group.append(batch)
    if group:
        yield group


def _is_lost(first: int, last: int, gaps: Sequence[Gap]) -> bool:
    return any(gap.first <= first and last <= gap.last for gap in gaps)


def _oldest(store: LedgerStore, issuer: str) -> int:
    """The first row that is there; what was pruned before cannot be exported."""
    standing = store.standing(issuer)
    if not standing.forgotten:
        return 1
    return next((sequence for sequence, _ in store.rows(issuer, 1, standing.last)), standing.last + 1)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from exporting into a folder, and remove what one who was killed has left."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be locked", path=str(folder)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LedgerError("another process exports at this moment", path=str(folder)) from error
        for left in folder.glob(".*.part"):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


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
    _check_name(path, batches)
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


def _check_name(path: Path, batches: Sequence[Batch]) -> None:
    """A segment holds batches of one issuer that follow one another, and is named by their rows."""
    for before, batch in pairwise(batches):
        if batch.issuer != before.issuer or batch.first != before.last + 1 or batch.number <= before.number:
            raise LedgerError(f"batch {batch.number} does not follow the one before it", path=str(path))
    name = _NAME.fullmatch(path.name)
    if not batches or name is None or (int(name[1]), int(name[2])) != (batches[0].first, batches[-1].last):
        raise LedgerError("is not named by the rows that are in it", path=str(path))


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
