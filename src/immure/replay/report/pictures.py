"""The chain and the timeline as inline SVG: told apart by form and words as well as by colour."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from immure.replay.record import LinkResult, Outcome, Status
from immure.replay.report.words import STATUS
from immure.scanning.report.markup import Markup, element, join

_BOX, _GAP, _HEIGHT, _ROW = 214, 36, 128, 172
_IN_ROW: Final = 4
_LINE: Final = 17
#: Signs in the corner of a box, drawn in 20 by 20: no font has all of them.
_SIGN: Final[dict[Status, str]] = {
    "failed": "M2 10H16M10 4L16 10L10 16",
    "broke": "M3 3L17 17M17 3L3 17",
    "noticed": "M1 10Q10 0 19 10Q10 20 1 10M10 7A3 3 0 1 0 10.1 7",
    "missing": "M4 10H16",
    "idle": "",
}
_LANES: Final = ("production", "debugging", "attacker", "mail", "issuer", "customer", "world")
_LEFT, _WIDE, _LANE = 110, 980, 34


def chain(outcome: Outcome) -> Markup:
    """The links, in rows of four; what the chain did not reach is pale."""
    rows = (len(outcome.links) + _IN_ROW - 1) // _IN_ROW
    width = _IN_ROW * _BOX + (_IN_ROW - 1) * _GAP + 4
    shapes = [_joint(number, one) for number, one in enumerate(outcome.links[1:], 1)]
    shapes += [_box(number, one) for number, one in enumerate(outcome.links)]
    words = "; ".join(f"{one.link.number} {one.link.title}: {STATUS[one.status]}" for one in outcome.links)
    return element(
        "svg", *shapes, viewBox=f"0 0 {width} {rows * _ROW}", role="img", aria_label=words, class_="chain"
    )


def _place(number: int) -> tuple[int, int]:
    return 2 + number % _IN_ROW * (_BOX + _GAP), 2 + number // _IN_ROW * _ROW


def _joint(number: int, result: LinkResult) -> Markup:
    """What leads to a link: a whole line, or a broken one where nothing came."""
    kind = "joint idle" if result.status == "idle" else "joint"
    x, y = _place(number)
    if number % _IN_ROW:
        return _line(x - _GAP, y + _HEIGHT // 2, x, y + _HEIGHT // 2, kind)
    last_x, last_y = _place(number - 1)
    below, middle = last_y + _HEIGHT, last_y + _HEIGHT + (_ROW - _HEIGHT) // 2
    right, left = last_x + _BOX // 2, x + _BOX // 2
    return join(
        [
            _line(right, below, right, middle, kind),
            _line(right, middle, left, middle, kind),
            _line(left, middle, left, y, kind),
        ]
    )


def _line(x1: int, y1: int, x2: int, y2: int, kind: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _box(number: int, result: LinkResult) -> Markup:
    x, y = _place(number)
    lines = textwrap.wrap(result.link.title, 22)[:3]
    texts = [_text(x + 12, y + 24, str(result.link.number), "number-mark")]
    texts += [_text(x + 12, y + 48 + _LINE * n, line, "name") for n, line in enumerate(lines)]
    texts.append(_text(x + 12, y + _HEIGHT - 14, _short(result), "fate"))
    return element(
        "g",
        element("title", f"{result.link.title}: {result.words or STATUS[result.status]}"),
        element("rect", x=x, y=y, width=_BOX, height=_HEIGHT, rx=10),
        *texts,
        element("path", d=_SIGN[result.status], transform=f"translate({x + _BOX - 32} {y + 10})"),
        class_=f"link {result.status}",
    )


def _short(result: LinkResult) -> str:
    if result.by:
        return f"{'broken by' if result.status == 'broke' else 'noticed by'} {', '.join(result.by)}"
    return {"failed": "went through", "missing": "no control", "idle": "not reached"}[result.status]


def _text(x: int, y: int, words: str, kind: str) -> Markup:
    return element("text", words, x=x, y=y, class_=kind)


def timeline(outcome: Outcome) -> Markup:
    """Moments on the lanes of those who act, from the left to the right."""
    lanes = [who for who in _LANES if any(one.who == who for one in outcome.moments)]
    end = max((one.at for one in outcome.moments), default=0.0) or 1.0
    height = _LANE * len(lanes) + 40
    shapes: list[Markup] = []
    for number, who in enumerate(lanes):
        y = 20 + _LANE * number
        shapes += [_line(_LEFT, y, _LEFT + _WIDE, y, "lane"), _text(0, y + 5, who, "who")]
    for one in outcome.moments:
        x, y = _LEFT + round(one.at / end * _WIDE), 20 + _LANE * lanes.index(one.who)
        kind = "dot end" if one.words.startswith(("LINK BROKEN", "NOTICED")) else "dot"
        shapes.append(
            element("circle", element("title", f"{one.at:.1f} s: {one.words}"), cx=x, cy=y, r=6, class_=kind)
        )
    for tick in _ticks(end):
        x = _LEFT + round(tick / end * _WIDE)
        shapes.append(_text(x, height - 6, f"{tick:g} s", "tick"))
    return element(
        "svg",
        *shapes,
        viewBox=f"0 0 {_LEFT + _WIDE + 40} {height}",
        role="img",
        aria_label=f"{len(outcome.moments)} moments in {end:.1f} seconds; the list below has them",
        class_="timeline",
    )


def _ticks(end: float) -> Sequence[float]:
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 60, 300, 1e9) if end / step <= 10)
    return [step * number for number in range(int(end / step) + 1)]
