"""Counts over time: a strip of bars for each kind, one below the other, over one time axis.

Kinds have scales of their own, since one forged token among a million is what one looks for: a value that is
not zero is never less than three pixels high.

>>> from xml.etree import ElementTree
>>> drawing = timeseries("Tokens", "Tokens by hour", 0, 3600, [Strip("Forged", "forged", [0, 2, 0])])
>>> ElementTree.fromstring(drawing).tag.rpartition("}")[2]
'svg'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import markupsafe

from immure.console.plots.scale import ceiling, moments, short
from immure.scanning.report.markup import Markup, element

_LEFT, _WIDTH, _RIGHT = 52, 640, 12
_HEAD, _STRIP, _FOOT = 36, 68, 30
_LEAST: Final = 3.0
#: Bars of one element: each has some thirty characters.
_TOGETHER: Final = 16
#: Of buckets: more are no longer told apart.
MOST_BUCKETS: Final = 400


@dataclass(frozen=True, slots=True)
class Strip:
    """The bars of one kind.

    Attributes:
        label: what they count.
        kind: class of the style sheet.
        values: one for each bucket, the first one first.
    """

    label: str
    kind: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Hit:
    """What is behind a bucket: an address, and words for the pointer that rests on it."""

    address: str
    words: str


def timeseries(
    title: str,
    description: str,
    begin: int,
    step: int,
    strips: Sequence[Strip],
    hits: Sequence[Hit] = (),
    *,
    name: str = "plot",
) -> markupsafe.Markup:
    """The drawing, as an element ``svg``.

    Args:
        title, description: what it shows, and what is to be seen, for who does not see it.
        begin: of the first bucket, seconds since 1970.
        step: length of a bucket, seconds.
        strips: as many values in each.
        hits: none, or one for each bucket. They are for pointers only: keyboards and screen readers have the
            table, in which the same addresses are.
        name: starts the ids of its elements, which must be the only ones of that name in the page.

    Raises:
        ValueError: strips of different lengths, none, or of more than :data:`MOST_BUCKETS`.
    """
    buckets = len(strips[0].values) if strips else 0
    if not 0 < buckets <= MOST_BUCKETS or any(len(one.values) != buckets for one in strips):
        raise ValueError("a drawing of no strips, of unequal ones, or of too many buckets")
    if hits and len(hits) != buckets:
        raise ValueError("as many hits as buckets, or none")
    height = len(strips) * (_HEAD + _STRIP)
    parts = [
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
    ]
    for number, strip in enumerate(strips):
        parts += _strip(strip, number * (_HEAD + _STRIP) + _HEAD, _WIDTH / buckets)
    parts += _times(begin, begin + buckets * step, height)
    if hits:
        parts.append(_hits(hits, height, _WIDTH / buckets))
    drawing = element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_LEFT + _WIDTH + _RIGHT} {height + _FOOT}",
        class_="plot",
        role="graphics-document" if hits else "img",
        aria_labelledby=f"{name}-title {name}-desc",
    )
    return markupsafe.Markup(drawing)  # noqa: S704 - element() has escaped it


def _strip(strip: Strip, top: int, width: float) -> Iterator[Markup]:
    bottom, most = top + _STRIP, ceiling(max(strip.values))
    yield element("text", strip.label, x=_LEFT, y=top - 12, class_="label")
    for value in (0, most):
        y = bottom - _STRIP * value / most
        yield element("text", short(value), x=_LEFT - 6, y=f"{y + 4:g}", text_anchor="end", class_="tick")
        kind = "grid" if value else "axis"
        yield element("line", x1=_LEFT, x2=_LEFT + _WIDTH, y1=f"{y:g}", y2=f"{y:g}", class_=kind)
    bars = [_bar(number, value, most, bottom, width) for number, value in enumerate(strip.values) if value]
    for first in range(0, len(bars), _TOGETHER):  # long attributes are cut, as foreign texts are
        yield element("path", d="".join(bars[first : first + _TOGETHER]), class_=f"bar {strip.kind}")


def _bar(number: int, value: int, most: int, bottom: int, width: float) -> str:
    height, gap = max(_LEAST, _STRIP * value / most), min(1.0, width / 5)
    left, wide = _LEFT + number * width, max(1.0, width - gap)
    return f"M{left:.1f} {bottom}v-{height:.1f}h{wide:.1f}v{height:.1f}z"


def _times(begin: int, end: int, height: int) -> Iterable[Markup]:
    for at, words in moments(begin, end):
        x = _LEFT + _WIDTH * (at - begin) / (end - begin)
        yield element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=height, y2=height + 5, class_="axis")
        yield element("text", words, x=f"{x:.1f}", y=height + 21, text_anchor="middle", class_="tick")


def _hits(hits: Sequence[Hit], height: int, width: float) -> Markup:
    made = []
    for number, hit in enumerate(hits):
        left = _LEFT + number * width
        box = element("rect", element("title", hit.words), x=f"{left:.1f}", y=0, width=f"{width:.1f}",
                      height=height, class_="hit")  # fmt: skip
        made.append(element("a", box, href=hit.address, tabindex="-1", aria_label=hit.words))
    return element("g", *made, aria_hidden="true")
