"""Drawings of a blast radius: SVG in the page itself, nothing is loaded from anywhere.

What is unknown is hatched, never empty: an empty place means that the logs are whole and show nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from immure.response.radius import BlastRadius, Interval, TenantImpact
from immure.response.report.words import moment
from immure.scanning.report.markup import Markup, element, join

STYLE: Final = """
.plot { display: block; width: 100%; height: auto; overflow: visible; }
.plot text { fill: var(--soft); font-size: 12px; }
.plot .bar { fill: var(--bad); }
.plot .axis { stroke: var(--line); }
.plot .unknown { fill: url(#unknown); }
.plot .back { fill: var(--card); stroke: var(--line); }
.plot .pre-active, .plot .destroyed, .plot .deactivated { fill: var(--line); }
.plot .active { fill: var(--searched); }
.plot .suspended { fill: var(--gap); fill-opacity: .5; }
.plot .compromised { fill: var(--bad); fill-opacity: .6; }
.plot .w1 { fill: var(--bad); fill-opacity: .25; }
.plot .w2 { fill: var(--bad); fill-opacity: .45; }
.plot .w3 { fill: var(--bad); fill-opacity: .7; }
.plot .w4 { fill: var(--bad); }
"""
#: Tenants that are drawn.
MOST_ROWS: Final = 60
_LEFT, _WIDTH, _ROW, _BARS = 230, 720, 16, 120


class _Scale:
    """Seconds to places."""

    def __init__(self, radius: BlastRadius) -> None:
        self.begin, self.end = radius.begin, max(radius.end, radius.begin + 1)

    def x(self, seconds: int) -> float:
        inside = min(max(seconds, self.begin), self.end)
        return _LEFT + _WIDTH * (inside - self.begin) / (self.end - self.begin)

    def box(self, begin: int, end: int, y: float, height: float, kind: str, title: str) -> Markup:
        left = self.x(begin)
        width = max(1.5, self.x(end) - left)
        return element("rect", element("title", title), x=f"{left:.1f}", y=f"{y:g}", width=f"{width:.1f}",
                       height=f"{height:g}", class_=kind)  # fmt: skip


def timeline(radius: BlastRadius) -> Markup:
    """Tokens over time, the states of the key, and what is unknown for everybody or a relying party."""
    scale, parts = _Scale(radius), [_hatch("unknown")]
    counts: dict[int, int] = defaultdict(int)
    for cell in radius.cells:
        counts[cell.begin] += cell.tokens
    gaps = [*radius.unknown, *(gap for party in radius.relying_parties for gap in party.unknown)]
    parts += _hatched(scale, gaps, 0, _BARS)
    most = max([1, *counts.values()])
    for begin, count in sorted(counts.items()):
        height = max(2.0, _BARS * count / most)
        title = f"{count:,} tokens from {moment(begin)}"
        parts.append(scale.box(begin, begin + radius.step, _BARS - height, height, "bar", title))
    parts.append(element("text", f"{most:,}" if counts else "0", x=_LEFT - 8, y=12, text_anchor="end"))
    parts.append(element("text", "tokens", x=0, y=12))
    parts.append(element("line", x1=_LEFT, x2=_LEFT + _WIDTH, y1=_BARS, y2=_BARS, class_="axis"))
    if radius.states:
        parts.append(element("text", "key", x=0, y=_BARS + 22))
    for state in radius.states:
        end = radius.end if state.end is None else state.end
        if end > radius.begin and state.begin < radius.end:
            title = f"{state.state} from {moment(state.begin)}"
            parts.append(scale.box(state.begin, end, _BARS + 10, 16, state.state, title))
    return _drawing(scale, parts, _BARS + 30, "Tokens over time")


def matrix(radius: BlastRadius) -> Markup:
    """Tenants by time: the darker, the more tokens; hatched where nobody knows."""
    rows = radius.tenants[:MOST_ROWS]
    scale, parts = _Scale(radius), [_hatch("unknown")]
    cells: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for cell in radius.cells:
        cells[cell.tenant].append((cell.begin, cell.tokens))
    most = max((cell.tokens for cell in radius.cells), default=1)
    for number, one in enumerate(rows):
        parts += _row(scale, one, cells[one.tenant], number * _ROW, most, radius.step)
    drawing = _drawing(scale, parts, len(rows) * _ROW, "Tenants by time")
    rest = len(radius.tenants) - len(rows)
    more = [element("p", f"and {rest:,} more tenants", class_="soft")] if rest else []
    return join([drawing, *more])


def _row(
    scale: _Scale, one: TenantImpact, cells: Sequence[tuple[int, int]], y: int, most: int, step: int
) -> Iterable[Markup]:
    name = one.tenant or "(no tenant)"
    shown = name if len(name) <= 34 else f"{name[:33]}…"
    yield element("text", shown, x=0, y=y + 12)
    yield scale.box(scale.begin, scale.end, y + 1, _ROW - 2, "back", name)
    yield from _hatched(scale, one.unknown, y + 1, _ROW - 2)
    for begin, count in cells:
        weight = min(4, 1 + 4 * count // (most + 1))
        title = f"{name}: {count:,} tokens from {moment(begin)}"
        yield scale.box(begin, begin + step, y + 1, _ROW - 2, f"w{weight}", title)


def _hatched(scale: _Scale, gaps: Iterable[Interval], y: float, height: float) -> Iterable[Markup]:
    for gap in sorted(set(gaps), key=lambda one: (one.begin, one.end, one.reason)):
        title = f"unknown from {moment(gap.begin)} to {moment(gap.end)}: {gap.reason}"
        yield scale.box(gap.begin, gap.end, y, height, "unknown", title)


def _hatch(name: str) -> Markup:
    line = element("line", x1=0, y1=0, x2=0, y2=6, class_="hatch")
    pattern = element("pattern", line, id=name, width=6, height=6, patternUnits="userSpaceOnUse",
                      patternTransform="rotate(45)")  # fmt: skip
    return element("defs", pattern)


def _drawing(scale: _Scale, parts: Iterable[Markup], height: float, label: str) -> Markup:
    foot = height + 18
    ends = [
        element("text", moment(scale.begin), x=_LEFT, y=f"{foot:g}"),
        element("text", moment(scale.end), x=_LEFT + _WIDTH, y=f"{foot:g}", text_anchor="end"),
    ]
    box = f"0 0 {_LEFT + _WIDTH + 4} {foot + 6:g}"
    return element("svg", *parts, *ends, viewBox=box, class_="plot", role="img", aria_label=label)
