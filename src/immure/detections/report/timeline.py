"""When what was found happened: a lane for each severity, with watermarks and gaps of the ledger.

It is SVG in the page itself: nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from immure.detections.finding import SEVERITIES
from immure.detections.outcome import Outcome
from immure.detections.report.words import moment
from immure.scanning.report.markup import Markup, element, join

STYLE: Final = """
.timeline { display: block; width: 100%; height: auto; overflow: visible; }
.timeline text { fill: var(--soft); font-size: 13px; }
.timeline .lane { stroke: var(--line); }
.timeline .gap { fill: var(--gap); fill-opacity: .28; }
.timeline .mark { stroke: var(--good); stroke-width: 2; }
.timeline .critical, .timeline .high { fill: var(--bad); }
.timeline .medium { fill: var(--warn); }
.timeline .low, .timeline .info { fill: var(--soft); }
"""
_LEFT, _WIDTH, _LANE, _COLUMNS = 90, 860, 34, 172


def timeline(outcome: Outcome) -> Markup:
    """The drawing, or nothing if nothing that was found has a time."""
    timed = [one for one in outcome.findings if one.first is not None and one.last is not None]
    if not timed:
        return Markup("")
    low = min(one.first for one in timed if one.first is not None)
    high = max(max(one.last for one in timed if one.last is not None), low + 1_000_000)
    lanes = [name for name in reversed(SEVERITIES) if any(one.severity == name for one in timed)]
    height = len(lanes) * _LANE + 40
    parts = [*_ledger(outcome, low, high, height)]
    for number, severity in enumerate(lanes):
        middle = number * _LANE + 20
        parts.append(element("text", severity, x=0, y=middle + 4))
        parts.append(_line(_LEFT, _LEFT + _WIDTH, middle, "lane"))
        counts: Counter[int] = Counter()
        for one in timed:
            if one.severity == severity and one.first is not None:
                counts[_column(one.first, low, high)] += 1
        parts += [_dot(column, middle, count, severity) for column, count in sorted(counts.items())]
    foot = len(lanes) * _LANE + 24
    parts.append(element("text", moment(low), x=_LEFT, y=foot))
    parts.append(element("text", moment(high), x=_LEFT + _WIDTH, y=foot, text_anchor="end"))
    drawing = element(
        "svg", *parts, viewBox=f"0 0 {_LEFT + _WIDTH + 10} {height}", class_="timeline", role="img",
        aria_label="When what was found happened",
    )  # fmt: skip
    caption = "A dot is where findings begin; a larger one stands for more. Shaded: gaps. Green: watermarks."
    return element("figure", element("figcaption", caption), drawing)


def _column(time: int, low: int, high: int) -> int:
    return min(_COLUMNS - 1, (time - low) * _COLUMNS // (high - low))


def _place(time: int, low: int, high: int) -> float:
    return _LEFT + _WIDTH * (time - low) / (high - low)


def _line(start: float, end: float, y: float, kind: str) -> Markup:
    return element("line", x1=f"{start:g}", x2=f"{end:g}", y1=f"{y:g}", y2=f"{y:g}", class_=kind)


def _dot(column: int, middle: int, count: int, severity: str) -> Markup:
    x = _LEFT + (column + 0.5) * _WIDTH / _COLUMNS
    title = element("title", f"{count:,} {severity}")
    return element(
        "circle", title, cx=f"{x:.1f}", cy=middle, r=f"{min(13.0, 4 + count**0.5):.1f}", class_=severity
    )


def _ledger(outcome: Outcome, low: int, high: int, height: int) -> list[Markup]:
    made = []
    for issuer in outcome.issuers:
        for start, end, _ in issuer.gaps:
            begins, ends = max(low, start * 1_000_000), min(high, end * 1_000_000)
            if begins < ends:
                x, right = _place(begins, low, high), _place(ends, low, high)
                width = f"{max(2.0, right - x):.1f}"
                made.append(element("rect", x=f"{x:.1f}", y=0, width=width, height=height - 30, class_="gap"))
        mark = issuer.watermark * 1_000_000
        if low <= mark <= high:
            x = _place(mark, low, high)
            made.append(element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=0, y2=height - 30, class_="mark"))
    return [join(made)]
