"""Rows of a chunk while it is made, and the account of what made none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from immure.detections.records import Kind, NotUnderstood, Record, batch_of, kind_of
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.limits import Limits

if TYPE_CHECKING:
    import pyarrow

#: Stands for all names beyond those that are counted apart.
OTHERS: Final = "(others)"
_MOST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class Where:
    """Place of a record: byte offset in the file (decompressed), and line from 1; 0 if there are no lines."""

    offset: int
    line: int = 0


class Held(Protocol):
    """Rows of one kind that become a batch when a chunk is taken."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def batch(self) -> pyarrow.RecordBatch:
        """All of them; then there are none."""


@dataclass(slots=True)
class Gathering:
    """See the module. One for each reading of a file; :meth:`take` begins the next chunk.

    Attributes:
        held: by kind, rows that somebody else holds until a chunk is taken.
    """

    source: str
    file: str
    limits: Limits = field(default_factory=Limits)
    read: int = 0
    held: dict[Kind, Held] = field(default_factory=dict)
    _rows: dict[Kind, list[Record]] = field(default_factory=dict)
    _batches: dict[Kind, list[pyarrow.RecordBatch]] = field(default_factory=dict)
    _odd: dict[tuple[str, str, bool], NotUnderstood] = field(default_factory=dict)
    _passed: dict[str, int] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """A row."""
        self._rows.setdefault(kind_of(record), []).append(record)

    def add_batch(self, kind: Kind, batch: pyarrow.RecordBatch) -> None:
        """Rows that are columns already."""
        if batch.num_rows:
            self._flush(kind)
            self._batches.setdefault(kind, []).append(batch)

    def lost(self, reason: str, where: Where, what: str = "", count: int = 1) -> None:
        """Records that make no row."""
        self._count(reason, where, what, count, lost=True)

    def partly(self, reason: str, where: Where, what: str, count: int = 1) -> None:
        """Records of which something is not in the row."""
        self._count(reason, where, what, count, lost=False)

    def passed(self, word: str, count: int = 1) -> None:
        """Records that are of no concern."""
        word = self._name(word)
        self._passed[word] = self._passed.get(word, 0) + count

    @property
    def rows(self) -> int:
        """Rows that were made since the chunk was begun."""
        made = sum(map(len, self._rows.values())) + sum(held.rows for held in self.held.values())
        return made + sum(int(batch.num_rows) for each in self._batches.values() for batch in each)

    def take(self, position: str) -> Chunk:
        """What was gathered since the last time, up to a position."""
        for kind, held in self.held.items():
            if held.rows:
                self.add_batch(kind, held.batch())
        for kind in list(self._rows):
            self._flush(kind)
        odd, passed, read = tuple(self._odd.values()), self._passed, self.read
        records = {kind: _joined(batches) for kind, batches in self._batches.items()}
        self._batches, self._odd, self._passed, self.read = {}, {}, {}, 0
        return Chunk(self.source, self.file, records, read, odd, passed, position)

    def _flush(self, kind: Kind) -> None:
        rows = self._rows.pop(kind, None)
        if rows:
            self._batches.setdefault(kind, []).append(batch_of(kind, rows))

    def _count(self, reason: str, where: Where, what: str, count: int, *, lost: bool) -> None:
        key = (reason, self._name(what), lost)
        before = self._odd.get(key)
        if before is None:
            self._odd[key] = NotUnderstood(
                source=self.source, file=self.file, offset=where.offset, line=where.line, reason=reason,
                what=key[1], count=count, lost=lost,
            )  # fmt: skip
        else:
            first = min((before.offset, before.line), (where.offset, where.line))
            self._odd[key] = msgspec.structs.replace(
                before, count=before.count + count, offset=first[0], line=first[1]
            )

    def _name(self, given: str) -> str:
        """A name that can be shown; of endless many different ones the later are counted together."""
        name = given[:_MOST_NAME]
        if not name.isprintable():
            name = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)
        if name in self._names or not name:
            return name
        if len(self._names) >= self.limits.names:
            return OTHERS
        self._names.add(name)
        return name


def _joined(batches: list[Any]) -> Any:
    if len(batches) == 1:
        return batches[0]
    import pyarrow

    return pyarrow.concat_batches(batches)
