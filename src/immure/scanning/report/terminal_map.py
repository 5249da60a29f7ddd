"""The memory map as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from immure.scanning.finding import ImageReport
from immure.scanning.report.memory_map import Cell, MemoryMap, Row, State, draw, thinned_words
from immure.scanning.report.words import bytes_words, count_words, shortened, tail

_ROWS = 14
_STYLES = {
    State.SEARCHED: "green",
    State.PARTLY: "yellow",
    State.UNSEARCHED: "yellow",
    State.FINDING: "bold red",
}
_LEGEND = {
    State.FINDING: "key material",
    State.SEARCHED: "searched",
    State.PARTLY: "partly searched",
    State.UNSEARCHED: "not searched or missing",
}
#: Columns of a row besides name and cells: indent, address, permissions, size, gaps, count.
_FIXED = 47


@dataclass(frozen=True, slots=True)
class Marks:
    """One character for each state, told apart by shape."""

    finding: str
    searched: str
    partly: str
    unsearched: str

    def of(self, state: State) -> str:
        """The mark of ``state``."""
        return (self.searched, self.partly, self.unsearched, self.finding)[state]


def marks_for(encoding: str) -> Marks:
    """Marks that the terminal's encoding can show."""
    if encoding.lower().replace("-", "").startswith("utf"):
        return Marks("◆", "■", "▒", "·")
    return Marks("#", "=", "~", ".")


def map_section(image: ImageReport, marks: Marks, width: int) -> Iterator[RenderableType]:
    """The heading, the whole image in one line, its regions one by one, and the legend."""
    name_width = max(12, min(44, (width - _FIXED) // 2))
    cells = max(8, min(60, width - _FIXED - name_width))
    memory = draw(image, rows=_ROWS, cells=cells, overview_cells=max(20, min(120, width - 4)))
    if memory.overview is None:
        return
    yield _heading(memory, memory.overview)
    yield Text.assemble("  ", _strip(memory.overview.cells, marks))
    if len(memory.rows) > 1:
        yield Text()
        for row in memory.rows:
            yield _line(row, marks, name_width, cells)
    used = {cell.state for row in (memory.overview, *memory.rows) for cell in row.cells}
    yield _legend(used, marks)
    if memory.thinned:
        yield Text(f"  all over the image {thinned_words(memory)}", style="yellow")


def _heading(memory: MemoryMap, overview: Row) -> Text:
    regions = count_words(overview.regions, "region")
    each = bytes_words(-(-overview.size // len(overview.cells)))
    text = Text("\nMemory map", style="bold")
    return text.append(f"  {bytes_words(memory.line.length)} in {regions}, {each} a cell", style="not bold")


def _line(row: Row, marks: Marks, name_width: int, cells: int) -> Text:
    if row.folded:
        address, name = "", f"… {row.regions:,} more regions"
    else:
        address = "" if row.address is None else f"{row.address:#x}"
        several = f" ×{row.regions}" if row.regions > 1 else ""
        name = tail(row.name or "anonymous", name_width - len(several)) + several
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"  {address:>14} ", style="dim").append(name)
    text.pad_right(max(0, 17 + name_width - text.cell_len))
    text.append(f" {shortened(row.permissions or '', 4):<4} {bytes_words(row.size):>10}  ")
    text.append(_strip(row.cells, marks))
    if row.occurrences:
        text.pad_right(cells - len(row.cells))
        text.append(f" {marks.finding} {row.occurrences:,}", style=_STYLES[State.FINDING])
    return text


def _strip(cells: Iterable[Cell], marks: Marks) -> Text:
    text = Text()
    for cell in cells:
        text.append(marks.of(cell.state), style=_STYLES[cell.state])
    return text


def _legend(used: set[State], marks: Marks) -> Text:
    text = Text("  ")
    for state, words in _LEGEND.items():
        if state in used:
            text.append(marks.of(state), style=_STYLES[state]).append(f" {words}   ")
    text.rstrip()
    return text
