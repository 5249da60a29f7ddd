"""What a source gives, piece by piece: tables, what was not understood, and where to go on.

    for chunk in read("audit.jsonl"):
        for kind, batch in chunk.records.items():     # Arrow record batches
            ...
        keep(chunk.position)                          # read(..., position=…) goes on after this chunk

Every record that was read is accounted for:
``read == made + passed_over + lost``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from immure.detections.records import Kind, NotUnderstood

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a source.

    Attributes:
        source: its name.
        file: path of the file, or name of the store.
        records: record batches by kind; a kind without rows is not there.
        read: records that were read for this chunk.
        not_understood: what no rule sees, with ``lost`` for whole records.
        passed_over: records that are understood and of no concern (a file was opened, a user renamed), by the
            log's own word for them.
        position: opaque text from which :func:`immure.detections.sources.read` goes on after this chunk.
    """

    source: str
    file: str
    records: Mapping[Kind, pyarrow.RecordBatch]
    read: int
    not_understood: tuple[NotUnderstood, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    position: str = ""

    @property
    def made(self) -> int:
        """Rows in all tables."""
        return sum(batch.num_rows for batch in self.records.values())

    @property
    def lost(self) -> int:
        """Records of which no row was made because they were not understood."""
        return sum(one.count for one in self.not_understood if one.lost)
