"""The memory map as inline SVG: told apart by height and hatching as well as by colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from immure.scanning.finding import ImageReport
from immure.scanning.report.markup import Markup, element, join
from immure.scanning.report.memory_map import Cell, MemoryMap, Row, State, draw, thinned_words
from immure.scanning.report.words import (
    bytes_words,
    count_words,
    hex_words,
    list_words,
    shortened,
    tail,
    visible,
)

_ROWS = 24
_CELLS = 120
_OVERVIEW_CELLS = 240
#: Longer names of mappings are cut at their beginning; the whole name is in the row's title.
_NAME = 44
#: More links than this would be in the way of people who go by keyboard.
_LINKS = 24
#: Units of a strip's own coordinates: width, height of findings, and what the other states keep clear of it.
_WIDTH, _HEIGHT, _MARGIN = 1000, 40, 8

_LEGEND = {
    State.FINDING: "key material",
    State.SEARCHED: "searched",
    State.PARTLY: "searched in part",
    State.UNSEARCHED: "not searched, or missing from the image",
}

_HATCH = Markup(
    '<svg width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="hatch" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line class="hatch" x1="0" y1="0" x2="0" y2="9"></line></pattern></defs></svg>'
)


def hatching() -> Markup:
    """The pattern that the maps of a page share."""
    return _HATCH


def map_figure(image: ImageReport, prefix: str) -> Markup:
    """The memory map of ``image``; findings are linked as ``#{prefix}f1`` and so on."""
    memory = draw(image, rows=_ROWS, cells=_CELLS, overview_cells=_OVERVIEW_CELLS)
    if memory.overview is None:
        return element("p", "The image holds no bytes.", class_="soft")
    regions = count_words(memory.overview.regions, "region")
    caption = (
        f"{bytes_words(memory.line.length)} in {regions}, laid end to end without the holes between them"
    )
    rows = join(_row(memory, row) for row in memory.rows)
    return element(
        "figure",
        element("figcaption", caption),
        _strip(memory, memory.overview, image, prefix),
        _ends(memory),
        _legend(memory),
        element("p", f"All over the image {thinned_words(memory)}.") if memory.thinned else "",
        element("ol", rows, class_="rows") if len(memory.rows) > 1 else "",
    )


def _ends(memory: MemoryMap) -> Markup:
    last = memory.line.length - 1
    return element(
        "div",
        element("span", _place(memory, 0), class_="mono"),
        element("span", _place(memory, last), class_="mono"),
        class_="ends",
        aria_hidden="true",
    )


def _place(memory: MemoryMap, position: int) -> str:
    address = memory.line.address(position)
    offset = f"offset {hex_words(memory.line.offset(position))}"
    return offset if address is None else f"{hex_words(address)} ({offset})"


def _row(memory: MemoryMap, row: Row) -> Markup:
    name = f"\u2026 {row.regions:,} more regions" if row.folded else tail(row.name or "anonymous", _NAME)
    if row.regions > 1 and not row.folded:
        name = f"{name} \u00d7{row.regions}"
    address = "" if row.folded or row.address is None else hex_words(row.address)
    count = f"{row.occurrences:,} found" if row.occurrences else ""
    return element(
        "li",
        element("span", name, element("small", address), class_="name", title=row.name or None),
        element("span", shortened(row.permissions or "", 8), class_="mono soft"),
        element("span", bytes_words(row.size), class_="size"),
        _strip(memory, row),
        element("span", count, class_="count"),
    )


def _strip(memory: MemoryMap, row: Row, image: ImageReport | None = None, prefix: str = "") -> Markup:
    """A row as a picture; for the whole ``image`` its findings are links."""
    runs = list(_runs(row.cells))
    hits = sum(state is State.FINDING for state, _ in runs)
    linked = image is not None and hits <= _LINKS
    shapes = [_shape(memory, row, run, prefix if linked else None) for run in runs]
    # what stands out of the strip is drawn last, so that no neighbour covers its edge
    shapes.sort(key=lambda shape: "s3" in shape)
    return element(
        "svg",
        *shapes,
        class_="strip overview" if image is not None else "strip",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="group" if linked and hits else "img",
        aria_label=_in_words(row),
    )


def _runs(cells: Sequence[Cell]) -> Iterator[tuple[State, list[Cell]]]:
    for (state, _), run in groupby(cells, key=lambda cell: (cell.state, cell.finding)):
        yield state, list(run)


def _shape(memory: MemoryMap, row: Row, run: tuple[State, list[Cell]], prefix: str | None) -> Markup:
    state, cells = run
    left = (cells[0].start - row.start) * _WIDTH / row.size
    width = (cells[-1].stop - cells[0].start) * _WIDTH / row.size
    words = _run_words(memory, state, cells)
    title = element("title", words)
    if state is not State.FINDING:
        box = _box(state, left, width, title)
        return join([box, _box(None, left, width, title)]) if state is State.PARTLY else box
    shape = _box(state, left, max(width, 5.0), title)
    number = cells[0].finding
    if prefix is None or number is None:
        return shape
    return element("a", shape, href=f"#{prefix}f{number + 1}", aria_label=words)


def _box(state: State | None, left: float, width: float, title: Markup) -> Markup:
    margin = 0 if state is State.FINDING else _MARGIN
    return element(
        "rect",
        title,
        class_=None if state is None else f"s{int(state)}",
        fill="url(#hatch)" if state is None else None,
        x=f"{left:.2f}",
        y=margin,
        width=f"{width:.2f}",
        height=_HEIGHT - 2 * margin,
    )


def _run_words(memory: MemoryMap, state: State, cells: list[Cell]) -> str:
    first, last = cells[0].start, cells[-1].stop - 1
    words = f"{_LEGEND[state]}: {_place(memory, first)} to {_place(memory, last)}"
    if state is State.FINDING:
        return f"{words}, {count_words(sum(cell.occurrences for cell in cells), 'occurrence')}"
    names = sorted({name for cell in cells for name in cell.detectors})
    who = "any detector" if "all" in names else list_words(names[:4], "or")
    return f"{words}; not everything by {who}" if names else words


def _in_words(row: Row) -> str:
    """The picture for people who do not see it."""
    shares = []
    for state, words in _LEGEND.items():
        held = sum(cell.stop - cell.start for cell in row.cells if cell.state is state)
        if held:
            percent = max(1, round(100 * held / row.size))
            shares.append(f"{words} {percent} %")
    return f"{visible(row.name) or 'regions'}: {', '.join(shares)}"


def _legend(memory: MemoryMap) -> Markup:
    rows = [*memory.rows] + ([memory.overview] if memory.overview else [])
    used = {cell.state for row in rows for cell in row.cells}
    entries = []
    for state, words in _LEGEND.items():
        if state not in used:
            continue
        entries.append(element("li", _swatch(state), words))
    return element("ul", *entries, class_="legend")


def _swatch(state: State) -> Markup:
    nothing = Markup("")
    box = _box(state, 25, 10, nothing) if state is State.FINDING else _box(state, 0, 60, nothing)
    if state is State.PARTLY:
        box = join([box, _box(None, 0, 60, nothing)])
    return element("svg", box, viewBox=f"0 0 60 {_HEIGHT}", aria_hidden="true")
