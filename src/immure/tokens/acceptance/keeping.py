"""How the rows of a log of acceptances are kept.

>>> Keeping("fsync").sync_every
0.05
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from immure.errors import UsageError
from immure.tokens.acceptance.rows import MOST_BYTES

Durable = Literal["write", "fsync"]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How rows are kept.

    Attributes:
        durable: when ``record`` returns: ``write`` (the system has the row) or ``fsync`` (the disk has it).
        sync_every: with ``durable="write"``, seconds from one ``fsync`` to the next.
        segment_bytes, segment_seconds: size and age at which a segment is sealed.
        most_waiting: rows that may wait for the disk; who comes when there are more is refused.
    """

    durable: Durable = "write"
    sync_every: float = 0.05
    segment_bytes: int = 256 << 20
    segment_seconds: float = 3600.0
    most_waiting: int = 10_000

    def __post_init__(self) -> None:
        if self.durable not in get_args(Durable):
            raise UsageError(f"durable is one of {', '.join(get_args(Durable))}")
        if not 0.001 <= self.sync_every <= 60:
            raise UsageError("sync_every is between 1 ms and 60 s")
        if self.segment_bytes < MOST_BYTES or self.segment_seconds < 1 or self.most_waiting < 1:
            raise UsageError("a segment has at least 128 KiB and a second, and one row may wait")
