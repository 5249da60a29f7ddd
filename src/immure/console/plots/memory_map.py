"""The memory of a dump as a drawing: where its regions are in the file, and what was erased in them.

A key has some hundred bytes in as many megabytes: what was erased is never drawn narrower than two pixels,
and each region in which something was is drawn once more by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import markupsafe

from immure.console.dump_map import Place
from immure.dumps.dump import Region
from immure.redact.span import Span
from immure.scanning.report.markup import Markup, element

_WIDTH: Final = 720
_LEAST: Final = 2.0
_BAR, _ROW, _HEAD = 34, 44, 18
#: Regions that are drawn by themselves.
MOST_ROWS: Final = 24


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of memory: class of the style sheet, and its word."""

    name: str
    words: str


HEAP, STACK = Kind("heap", "heap"), Kind("stack", "stack")
CODE, FILE = Kind("code", "program and libraries"), Kind("data", "their data")
ANONYMOUS, HEADER = Kind("anonymous", "other memory"), Kind("header", "headers and notes")
KINDS: Final = (HEAP, STACK, ANONYMOUS, CODE, FILE, HEADER)


def kind_of(region: Region) -> Kind:
    """Which sort of memory a region is, by its name and permissions."""
    if region.kind in ("header", "notes"):
        return HEADER
    if region.name.startswith("[heap"):
        return HEAP
    if region.name.startswith("[stack"):
        return STACK
    if region.permissions and "x" in region.permissions:
        return CODE
    return FILE if region.name.startswith("/") else ANONYMOUS


def memory_map(
    size: int, placed: Sequence[Place], gaps: Iterable[tuple[int, int, str]] = (), *, name: str = "map"
) -> markupsafe.Markup:
    """The whole dump as one bar, as an element ``svg``.

    Args:
        size: bytes of the dump.
        placed: its regions, and what was erased in each.
        gaps: what was not searched: offset, length, reason.
        name: starts the ids of its elements.
    """
    end = max([size, 1, *(one.region.end for one in placed)])
    spans = sorted(span for one in placed for span in one.spans)
    erased = sum(one.length for one in spans)
    words = (
        f"{len(placed)} regions of {end:,} bytes; {len(spans)} ranges erased, {erased:,} bytes together. "
        "The table below has each region."
    )
    parts = [element("title", "Memory of the dump", id=f"{name}-t"), element("desc", words, id=f"{name}-d")]
    for one in placed:
        kind, region = kind_of(one.region), one.region
        parts.append(
            _box(region.offset, region.length, end, _HEAD, _BAR, f"region {kind.name}", _title(region))
        )
    for offset, length, reason in gaps:
        parts.append(_box(offset, length, end, _HEAD + _BAR - 6, 6, "gap", f"not searched: {reason}"))
    parts += _marks(spans, 0, end, _HEAD - 8, _BAR + 8)
    parts.append(element("text", "0 B", x=0, y=_HEAD + _BAR + 16, class_="tick"))
    parts.append(element("text", _size(end), x=_WIDTH, y=_HEAD + _BAR + 16, text_anchor="end", class_="tick"))
    return _drawing(parts, _HEAD + _BAR + 22, name)


def regions_map(placed: Sequence[Place], *, name: str = "regions") -> markupsafe.Markup | None:
    """Each region in which something was erased, by itself; None if there is none."""
    chosen = sorted((one for one in placed if one.spans), key=lambda one: -one.erased)[:MOST_ROWS]
    if not chosen:
        return None
    words = "; ".join(f"{_title(one.region)}: {len(one.spans)} erased" for one in chosen)
    parts = [
        element("title", "Regions in which something was erased", id=f"{name}-t"),
        element("desc", words, id=f"{name}-d"),
    ]
    for number, one in enumerate(chosen):
        top, region = number * _ROW, one.region
        length = max(region.length, 1)
        label = f"{region.name or '(no name)'} · {_size(region.length)}"
        parts.append(element("text", label[:80], x=0, y=top + 12, class_="label"))
        told = f"{len(one.spans)} erased, {one.erased:,} B"
        parts.append(element("text", told, x=_WIDTH, y=top + 12, text_anchor="end", class_="tick"))
        kind = f"region {kind_of(region).name}"
        parts.append(_box(0, length, length, top + 18, 16, kind, _title(region)))
        parts += _marks(one.spans, region.offset, length, top + 15, 22)
    return _drawing(parts, len(chosen) * _ROW, name)


def _drawing(parts: Iterable[str], height: int, name: str) -> markupsafe.Markup:
    drawing = element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        class_="plot memory",
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
    )
    return markupsafe.Markup(drawing)  # noqa: S704 - element() has escaped it


def _box(offset: int, length: int, end: int, top: float, height: float, kind: str, title: str) -> Markup:
    left = _WIDTH * min(offset, end) / end
    width = min(max(0.6, _WIDTH * length / end), _WIDTH - left + 0.6)
    return element(
        "rect", element("title", title), x=f"{left:.1f}", y=f"{top:g}", width=f"{width:.1f}",
        height=f"{height:g}", class_=kind,
    )  # fmt: skip


def _marks(spans: Iterable[Span], begin: int, length: int, top: float, height: float) -> Iterator[Markup]:
    """What was erased; what would be drawn over one another is one mark."""
    left = right = -1.0
    titles: list[str] = []
    for span in spans:
        x = _WIDTH * max(0, span.offset - begin) / length
        end = min(_WIDTH, max(x + _LEAST, _WIDTH * (span.end - begin) / length))
        if titles and x <= right + 0.5:
            right = max(right, end)
        else:
            if titles:
                yield _mark(left, right, top, height, titles)
            left, right, titles = x, end, []
        titles.append(f"{span.kind} at {span.offset:#x}, {span.length} B")
    if titles:
        yield _mark(left, right, top, height, titles)


def _mark(left: float, right: float, top: float, height: float, titles: Sequence[str]) -> Markup:
    words = titles[0] if len(titles) == 1 else f"{len(titles)} erased here; the first: {titles[0]}"
    left = min(left, _WIDTH - _LEAST)
    return element(
        "rect", element("title", words), x=f"{left:.1f}", y=f"{top:g}", width=f"{right - left:.1f}",
        height=f"{height:g}", class_="erased",
    )  # fmt: skip


def _title(region: Region) -> str:
    where = "" if region.address is None else f" at {region.address:#x}"
    return f"{region.name or '(no name)'}{where}, {region.permissions or '?'}, {_size(region.length)}"


def _size(octets: int) -> str:
    value = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
