"""What the ledger knows, and of which time: its segments held against its signed log.

A segment counts if its rows lead to the root that the log has (RFC 9162 tree hash), so that rows which
somebody changes, adds or takes out later are noticed; a row that says it is from before a watermark that had
been signed already was put in afterwards, and does not count. Checking a segment takes about ten microseconds
a row; segments never change, so a state remembers those that were checked.

``known_from <= iat < watermark`` is the time of which absence says something, but for gaps: those that are
declared in the log, and those of segments that are missing, altered or unreadable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from immure.detections.errors import DetectionError
from immure.errors import ImmureError
from immure.ledger.batch import KIND as BATCH
from immure.ledger.batch import Batch, root_of
from immure.ledger.gap import KIND as GAP
from immure.ledger.gap import Gap
from immure.ledger.row import Issued
from immure.ledger.segments import read_segment

#: Seconds by which the newest token of a batch may be younger than the entry that closes the batch.
SLACK: Final = 60


@dataclass(frozen=True, slots=True)
class Logged:
    """A batch as the log has it; ``closed`` is when, in seconds since 1970."""

    batch: Batch
    closed: int


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What the check of a segment has shown.

    Attributes:
        path: the file.
        numbers: of its batches; empty if nothing in it can be believed.
        backfilled: sequence numbers of rows that were put in afterwards.
        lifetime: of its longest-lived token, seconds.
        wrong: what is wrong with it; empty if nothing is.
        altered: whether what is wrong was done by somebody, and is no accident of reading.
    """

    path: str
    numbers: tuple[int, ...] = ()
    backfilled: tuple[int, ...] = ()
    lifetime: int = 0
    wrong: str = ""
    altered: bool = False


@dataclass(slots=True)
class IssuerSide:
    """What is known of an issuer.

    Attributes:
        issuer: its name.
        files: segments that count.
        known_from, watermark: see the module; seconds since 1970.
        gaps: ``(from, to, why)``, of both kinds.
        facts: of all its segments.
    """

    issuer: str
    files: list[str] = field(default_factory=list)
    known_from: int = 0
    watermark: int = 0
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    facts: list[SegmentFacts] = field(default_factory=list)

    @property
    def lifetime(self) -> int:
        """Of the longest-lived token that was issued, seconds."""
        return max((one.lifetime for one in self.facts), default=0)


@dataclass(frozen=True, slots=True)
class LogSide:
    """Batches and gaps that a log has."""

    batches: dict[str, list[Logged]]
    gaps: dict[str, list[Gap]]


def read_log(entries: Iterable[object]) -> LogSide:
    """Batches and gaps out of the entries of a log that was verified.

    Raises:
        LedgerError: an entry is not what its kind says.
    """
    batches: dict[str, list[Logged]] = defaultdict(list)
    declared: dict[str, list[Gap]] = defaultdict(list)
    for entry in entries:
        kind, body, index = entry.kind, entry.body, entry.index  # type: ignore[attr-defined]
        if kind == BATCH:
            batch = Batch.from_body(body, index)
            known = batches[batch.issuer]
            if not known or known[-1].batch.digest != batch.digest:  # two that closed it wrote the same
                known.append(Logged(batch, int(entry.time.timestamp())))  # type: ignore[attr-defined]
        elif kind == GAP:
            gap = Gap.from_body(body, index)
            declared[gap.issuer].append(gap)
    return LogSide(dict(batches), dict(declared))


def log_of_segments(paths: Sequence[Path]) -> LogSide:
    """What segments say of themselves, for who has no log: nobody has signed it."""
    batches: dict[str, dict[int, Batch]] = defaultdict(dict)
    for path in paths:
        for batch in read_segment(path)[0]:
            batches[batch.issuer][batch.number] = batch
    return LogSide(
        {
            name: [Logged(numbered[one], numbered[one].watermark + SLACK) for one in sorted(numbered)]
            for name, numbered in batches.items()
        },
        {},
    )


def check(path: Path, log: LogSide, *, rows: bool = True) -> SegmentFacts:
    """Hold a segment against the log.

    Args:
        rows: go through them, too; without it only what is said of the batches is compared, and neither
            changed rows nor rows that were put in afterwards are found.
    """
    name = str(path)
    try:
        batches, found = read_segment(path)
        floors = {one.issuer: _floors(log.batches.get(one.issuer, ())) for one in batches}
        logged = {
            name: {each.batch.number: each.batch for each in log.batches.get(name, ())} for name in floors
        }
        watch = _Watch()
        for batch in batches:
            mine = logged[batch.issuer].get(batch.number)
            if mine is None or mine.body() != batch.body():
                return SegmentFacts(
                    name, wrong=f"batch {batch.number} is not the one that the log has", altered=True
                )
            if rows and not _holds(batch, found, watch, floors[batch.issuer].get(batch.number, 0)):
                return SegmentFacts(
                    name, wrong=f"rows of batch {batch.number} are not those that were written", altered=True
                )
        if not batches or (rows and next(found, None) is not None):
            return SegmentFacts(name, wrong="has rows that are in no batch", altered=True)
    except ImmureError as error:
        return SegmentFacts(name, wrong=error.reason)
    numbers = tuple(batch.number for batch in batches)
    return SegmentFacts(name, numbers, tuple(watch.backfilled), watch.lifetime)


@dataclass(slots=True)
class _Watch:
    """What is noticed while rows go by."""

    backfilled: list[int] = field(default_factory=list)
    lifetime: int = 0

    def look(
        self, rows: Iterator[tuple[int, Issued]], count: int, floor: int
    ) -> Iterator[tuple[int, Issued]]:
        for _, (sequence, row) in zip(range(count), rows, strict=False):
            if row.issued_at < floor:
                self.backfilled.append(sequence)
            self.lifetime = max(self.lifetime, row.expires - row.issued_at)
            yield sequence, row


def _holds(batch: Batch, rows: Iterator[tuple[int, Issued]], watch: _Watch, floor: int) -> bool:
    count = batch.last - batch.first + 1
    return root_of(watch.look(rows, count, floor)) == (count, batch.root)


def _floors(batches: Sequence[Logged]) -> dict[int, int]:
    """For each batch the watermark that had been signed before it."""
    floors, floor = {}, 0
    for one in batches:
        floors[one.batch.number] = floor
        floor = max(floor, one.batch.watermark)
    return floors


def sides(directory: Path, log: LogSide, checked: Callable[[Path], SegmentFacts]) -> dict[str, IssuerSide]:
    """What is known of each issuer that the log has.

    Args:
        directory: the segments, in a folder for each issuer.
        checked: :func:`check`, or what is remembered of it.
    """
    from immure.ledger.segments import folder_of

    made = {}
    for issuer, batches in log.batches.items():
        folder = folder_of(directory, issuer)
        facts = [checked(path) for path in sorted(folder.glob("*.parquet"))]
        made[issuer] = _side(issuer, batches, log.gaps.get(issuer, []), facts)
    return made


def _side(
    issuer: str, batches: Sequence[Logged], declared: Sequence[Gap], facts: list[SegmentFacts]
) -> IssuerSide:
    side = IssuerSide(issuer, facts=facts)
    there = {number for one in facts for number in one.numbers}
    side.files = [one.path for one in facts if one.numbers]
    side.gaps = [(gap.start, gap.end, gap.reason) for gap in declared]
    floor, missing_from, begun = 0, None, False
    for one in batches:
        batch = one.batch
        empty = batch.last < batch.first
        lost = any(gap.first <= batch.first and batch.last <= gap.last for gap in declared)
        if empty or lost or batch.number in there:
            if missing_from is not None:  # whole batches are nowhere: nothing can be said of their time
                start, closed = missing_from
                if begun:
                    side.gaps.append((start, closed + SLACK, "a segment is missing, altered or unreadable"))
                else:
                    side.known_from = closed + SLACK
                missing_from = None
            begun = begun or not empty
            side.watermark = batch.watermark
        else:
            start = floor if missing_from is None else missing_from[0]
            missing_from = start, one.closed
        floor = max(floor, batch.watermark)
    if not begun:
        side.watermark = 0
    return side


def segment_paths(directory: Path) -> list[Path]:
    """All segments in a directory.

    Raises:
        DetectionError: there is no such directory.
    """
    if not directory.is_dir():
        raise DetectionError("is no directory of segments", path=str(directory))
    return sorted(directory.glob("*/*.parquet"))
