"""Sources into the state: rows by kind, those of acceptances in the order of their ``iat``.

Within a file of the state the row groups of acceptances hold disjoint times, so that a window reads only its
own; who forges tokens with times of his choice cannot make every window read everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from immure.detections.libraries import library
from immure.detections.records import Kind
from immure.detections.sources.chunk import Chunk
from immure.detections.state import State
from immure.errors import ImmureError
from immure.files import replacing

#: Rows that are taken into the state at once.
ROWS: Final = 250_000
#: Rows of a row group.
GROUP: Final = 65_536
Told = Callable[[str, int], None]


@dataclass(slots=True)
class _Heap:
    """Rows that were read and are not in the state yet."""

    batches: dict[Kind, list[Any]] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    rows: int = 0

    def add(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.rows += chunk.made
        for kind, batch in chunk.records.items():
            if kind != "issued":  # rows count only from segments, which are read where they are
                self.batches.setdefault(kind, []).append(batch)


def take_in(state: State, path: str, chunks: Iterable[Chunk], *, told: Told | None = None) -> int:
    """Take the chunks of a source into the state.

    Args:
        path: of the source, by which its position is kept.
        told: is told the path, and how many records of it were read.

    Returns:
        How many rows were made.

    Raises:
        DetectionError: the state cannot be written.
        ImmureError: the source cannot be read; what was read before is in the state.
    """
    made = read = 0
    for heap in _heaps(chunks):
        _commit(state, path, heap)
        made += heap.rows
        read += sum(chunk.read for chunk in heap.chunks)
        if told is not None:
            told(path, read)
    return made


def _heaps(chunks: Iterable[Chunk]) -> Iterator[_Heap]:
    heap = _Heap()
    try:
        for chunk in chunks:
            heap.add(chunk)
            if heap.rows >= ROWS or len(heap.chunks) >= 1024:
                full, heap = heap, _Heap()
                yield full
    except ImmureError:
        if heap.chunks:
            yield heap
        raise
    if heap.chunks:
        yield heap


def _commit(state: State, path: str, heap: _Heap) -> None:
    written = []
    with state.transaction():
        for kind, batches in heap.batches.items():
            name = state.new_name(kind)
            rows = write_rows(state, name, kind, batches)
            written.append((name, kind, rows))
        state.sync()
        for name, kind, rows in written:
            state.add_part(name, kind, rows)
        for chunk in heap.chunks:
            _count(state, chunk)
        state.move(path, heap.chunks[-1].position)


def _count(state: State, chunk: Chunk) -> None:
    state.count(chunk.source, "read", chunk.read)
    state.count(chunk.source, "lost", chunk.lost)
    for kind, batch in chunk.records.items():
        state.count(chunk.source, f"rows.{kind}", batch.num_rows)
    for word, count in chunk.passed_over.items():
        state.count(chunk.source, f"passed-over.{word}", count)
    state.not_understood(chunk.not_understood)


def write_rows(state: State, name: str, kind: Kind, batches: list[Any]) -> int:
    """Write rows into a file of the state, which is then there but not yet part of it."""
    arrow, parquet = library("pyarrow"), library("pyarrow.parquet")
    table = arrow.Table.from_batches(batches)
    if kind == "acceptance":
        table = table.sort_by([("iat", "ascending"), ("time", "ascending")])
    with replacing(state.path(name), mode=0o600) as stream:
        parquet.write_table(table, stream, compression="zstd", compression_level=1, row_group_size=GROUP)
    return int(table.num_rows)
