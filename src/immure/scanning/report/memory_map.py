"""A picture of an image's address space, as values: rows of cells that a face only has to colour.

All regions are laid end to end on one line, so that holes between them take no room; a row of the picture is
a stretch of that line, a cell an equal share of a row. The picture's size is bounded, whatever the image is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import accumulate, groupby, pairwise

from immure.dumps.dump import Region
from immure.scanning.finding import ImageReport, NotSearched
from immure.scanning.report.words import list_words, visible


class State(IntEnum):
    """What is known of the bytes of a cell; the greatest state wins."""

    SEARCHED = 0
    PARTLY = 1
    """Some of its bytes were not searched by some detector."""
    UNSEARCHED = 2
    """At least half of its bytes were searched by no detector, or are missing from the image."""
    FINDING = 3


@dataclass(slots=True)
class Cell:
    """An equal share of a row."""

    start: int
    stop: int
    state: State = State.SEARCHED
    #: index of the first finding in it, if there is one
    finding: int | None = None
    occurrences: int = 0
    unsearched: int = 0
    detectors: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Row:
    """A stretch of the line: one mapping, several of the same name, or a fold of many small ones."""

    start: int
    stop: int
    name: str
    permissions: str | None
    offset: int
    address: int | None
    regions: int
    folded: bool = False
    occurrences: int = 0
    cells: list[Cell] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes that the row stands for."""
        return self.stop - self.start


class Line:
    """The regions of an image laid end to end."""

    def __init__(self, regions: Iterable[Region], size: int) -> None:
        held = sorted((region for region in regions if region.length > 0), key=lambda region: region.offset)
        if not held and size > 0:
            held = [Region(0, size, name="whole file", kind="data")]
        self.regions: tuple[Region, ...] = tuple(held)
        self._offsets = [region.offset for region in held]
        self.starts: list[int] = [0, *accumulate(region.length for region in held)]

    @property
    def length(self) -> int:
        """Bytes of all regions together."""
        return self.starts[-1]

    def position(self, offset: int) -> int:
        """Where the byte at file offset ``offset`` lies; between two regions, it is their seam."""
        index = bisect_right(self._offsets, offset) - 1
        if index < 0:
            return 0
        return self.starts[index] + min(offset - self._offsets[index], self.regions[index].length)

    def region_at(self, position: int) -> tuple[Region, int]:
        """The region at a position, and how far into it the position is."""
        index = min(bisect_right(self.starts, position) - 1, len(self.regions) - 1)
        return self.regions[index], position - self.starts[index]

    def address(self, position: int) -> int | None:
        """Virtual address of the byte at a position, if it has one."""
        region, within = self.region_at(position)
        return None if region.address is None else region.address + within

    def offset(self, position: int) -> int:
        """File offset of the byte at a position."""
        region, within = self.region_at(position)
        return region.offset + within


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """The picture: the whole image in one row, and its regions in several.

    Attributes:
        thinned: detectors that left something out all over the image, here and there. That says nothing of
            one place more than of another, so it is not in the cells: a face says it in words.
    """

    line: Line
    overview: Row | None
    rows: tuple[Row, ...]
    thinned: tuple[str, ...] = ()


def thinned_words(memory: MemoryMap) -> str:
    """What is not in the cells, in words."""
    names = list_words([visible(name) for name in memory.thinned])
    return f"{names} left something out: see what was not searched"


def draw(image: ImageReport, *, rows: int, cells: int, overview_cells: int) -> MemoryMap:
    """Draw the picture of ``image`` with about ``rows`` rows of at most ``cells`` cells each."""
    line = Line(image.regions, image.size)
    if line.length == 0:
        return MemoryMap(line, None, ())
    groups = _groups(line)
    _count_occurrences(groups, line, image)
    chosen = _fold(groups, rows, _with_gaps(groups, line, image))
    first = line.regions[0]
    overview = Row(0, line.length, "whole image", None, first.offset, first.address, len(line.regions))
    # where a scan broke off is not known: no cell may claim to be searched
    known = State.SEARCHED if image.error is None else State.PARTLY
    for stretch, count in (([overview], overview_cells), (chosen, cells)):
        for row in stretch:
            row.cells = _cut(row, min(count, row.size), known)
        _paint(stretch, line, image)
    thinned = {entry.detector for entry in image.not_searched if _is_everywhere(entry, line)}
    return MemoryMap(line, overview, tuple(chosen), tuple(sorted(thinned)))


def _groups(line: Line) -> list[Row]:
    """One row for each run of neighbouring regions of the same name."""
    rows = []
    numbered = enumerate(line.regions)
    for name, run in groupby(numbered, key=lambda item: item[1].name):
        members = list(run)
        (begin, first), (end, _) = members[0], members[-1]
        permissions = {region.permissions for _, region in members}
        rows.append(
            Row(
                line.starts[begin],
                line.starts[end + 1],
                name,
                permissions.pop() if len(permissions) == 1 else None,
                first.offset,
                first.address,
                len(members),
            )
        )
    return rows


def _count_occurrences(rows: list[Row], line: Line, image: ImageReport) -> None:
    starts = [row.start for row in rows]
    for finding in image.findings:
        for occurrence in finding.occurrences:
            position = min(line.position(occurrence.offset), line.length - 1)
            rows[bisect_right(starts, position) - 1].occurrences += 1


def _with_gaps(rows: list[Row], line: Line, image: ImageReport) -> set[int]:
    """Numbers of the rows of which something was not searched."""
    marked: set[int] = set()
    starts = [row.start for row in rows]
    for start, stop, _ in _gap_ranges(line, image):
        marked.update(range(bisect_right(starts, start) - 1, bisect_left(starts, stop)))
    return marked


def _fold(groups: list[Row], limit: int, gaps: set[int]) -> list[Row]:
    """At most ``limit`` rows or so: those with findings, those with gaps, the largest; the rest folded."""
    if len(groups) <= limit:
        return groups
    ranked = sorted(
        range(len(groups)), key=lambda n: (-groups[n].occurrences, n not in gaps, -groups[n].size)
    )
    for keep in range(limit, 0, -1):
        rows = _folded(groups, sorted(ranked[:keep]))
        if len(rows) <= limit:
            return rows
    return _folded(groups, [])


def _folded(groups: list[Row], kept: list[int]) -> list[Row]:
    rows: list[Row] = []
    behind = 0
    for number in [*kept, len(groups)]:
        hidden = groups[behind:number]
        if len(hidden) == 1:
            rows.append(hidden[0])
        elif hidden:
            rows.append(_one_for_all(hidden))
        rows.extend(groups[number : number + 1])
        behind = number + 1
    return rows


def _one_for_all(hidden: list[Row]) -> Row:
    first = hidden[0]
    return Row(
        first.start,
        hidden[-1].stop,
        "",
        None,
        first.offset,
        first.address,
        sum(row.regions for row in hidden),
        folded=True,
        occurrences=sum(row.occurrences for row in hidden),
    )


def _paint(rows: list[Row], line: Line, image: ImageReport) -> None:
    """Mark the cells of the rows with what is known of their bytes."""
    starts = [row.start for row in rows]
    for start, stop, entry in _gap_ranges(line, image):
        for row in rows[bisect_right(starts, start) - 1 : bisect_left(starts, stop)]:
            _mark_gap(row, max(start, row.start), min(stop, row.stop), entry)
    for number, finding in enumerate(image.findings):
        for occurrence in finding.occurrences:
            start = min(line.position(occurrence.offset), line.length - 1)
            stop = max(start + 1, line.position(occurrence.offset + occurrence.length))
            for row in rows[bisect_right(starts, start) - 1 : bisect_left(starts, stop)]:
                _mark_finding(row, max(start, row.start), min(stop, row.stop), number)


def _cut(row: Row, count: int, state: State) -> list[Cell]:
    edges = [row.start + row.size * index // count for index in range(count + 1)]
    return [Cell(start, stop, state) for start, stop in pairwise(edges)]


def _touched(row: Row, start: int, stop: int) -> list[Cell]:
    """The cells that hold a byte of [start, stop)."""
    # cell i begins at floor(size * i / count): the last i with size * i < (byte + 1) * count holds the byte
    count, size = len(row.cells), row.size
    first = ((start - row.start + 1) * count - 1) // size
    last = ((stop - row.start) * count - 1) // size
    return row.cells[first : last + 1]


def _mark_gap(row: Row, start: int, stop: int, entry: NotSearched) -> None:
    for cell in _touched(row, start, stop):
        cell.detectors.add(entry.detector)
        if entry.detector == "all":
            cell.unsearched += min(stop, cell.stop) - max(start, cell.start)
        most = 2 * cell.unsearched >= cell.stop - cell.start
        cell.state = max(cell.state, State.UNSEARCHED if most else State.PARTLY)


def _mark_finding(row: Row, start: int, stop: int, number: int) -> None:
    for cell in _touched(row, start, stop):
        cell.state = State.FINDING
        cell.occurrences += 1
        cell.finding = number if cell.finding is None else min(cell.finding, number)


def _is_everywhere(entry: NotSearched, line: Line) -> bool:
    end = line.position(entry.offset + entry.length)
    return entry.detector != "all" and line.position(entry.offset) == 0 and end == line.length


def _gap_ranges(line: Line, image: ImageReport) -> Iterable[tuple[int, int, NotSearched]]:
    """Ranges not searched, as positions on the line; without those that have no bytes in the image."""
    for entry in image.not_searched:
        start, stop = line.position(entry.offset), line.position(entry.offset + entry.length)
        if start >= stop or _is_everywhere(entry, line):
            continue
        address = line.address(start)
        # bytes that a segment promises but the file does not hold have an address of their own
        known = entry.virtual_address is not None and address is not None
        if known and line.offset(start) == entry.offset and address != entry.virtual_address:
            continue
        yield start, stop, entry
