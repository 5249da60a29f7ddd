"""What a run is to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from immure.auditlog.note import NoteKey
from immure.detections.counter import Reading
from immure.detections.engine import MEMORY
from immure.detections.key_facts import Knowledge
from immure.detections.rule import Rule
from immure.detections.windows import ROWS


@dataclass(frozen=True, slots=True)
class Input:
    """A file or directory of records.

    Attributes:
        path: of it.
        source: name of the kind of log; "" means that it is told by its beginning.
        mapping: file that says which column means what, for logs of no known maker.
    """

    path: Path
    source: str = ""
    mapping: Path | None = None


@dataclass(frozen=True, slots=True)
class LedgerInput:
    """Where the ledger is.

    Attributes:
        segments: directory of exported segments.
        log: directory of its log; None means that segments are believed as they are.
        key: public key of the log.
        rows: whether each row is held against the log.
    """

    segments: Path
    log: Path | None = None
    key: NoteKey | bytes | None = None
    rows: bool = True


@dataclass(frozen=True)
class Settings:
    """What a run is to do.

    Attributes:
        rules: that are asked.
        inputs: what is read.
        ledger: what was issued; None if there is none.
        knowledge: of keys and issuers.
        readings: of counters of signatures; None if there are none.
        baseline_days: of records that count as usual.
        memory: of the engine, such as ``256MB``.
        threads: of the engine; None means one for each core.
        window_rows: issued tokens of a window.
        ended: whether files that are read grow no more.
    """

    rules: Sequence[Rule]
    inputs: Sequence[Input] = ()
    ledger: LedgerInput | None = None
    knowledge: Knowledge = field(default_factory=Knowledge)
    readings: Sequence[Reading] | None = None
    baseline_days: float = 14.0
    memory: str = MEMORY
    threads: int | None = None
    window_rows: int = ROWS
    ended: bool = True
