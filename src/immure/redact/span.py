"""What is erased where.

>>> disjoint([Span(8, 16, "p", "le64", "K"), Span(0, 12, "q", "le64", "K"), Span(30, 2, "jwt")])
[Span(offset=0, length=24, kind='p', encoding='le64', key='K'), Span(offset=30, length=2, kind='jwt', \
encoding='', key=None)]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Bytes of an image that are replaced by the fill.

    Attributes:
        offset, length: where, in bytes of the image (of what comes out of it, if it is compressed).
        kind: what stood there: a number of a key (``p``, ``d``, ``seed`` …; ``key`` for a whole encoded one),
            ``secret`` of a secret file, a rule of texts (``jwt``, ``cookie`` …), or ``region``.
        encoding: how it was written, by the names of the catalog; empty where that says nothing.
        key: the fingerprint of the key, if it was one's.
    """

    offset: int
    length: int
    kind: str
    encoding: str = ""
    key: str | None = None

    @property
    def end(self) -> int:
        """Offset just behind the last byte."""
        return self.offset + self.length


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """The same bytes as spans that are sorted, not empty, and do not overlap.

    Of spans that overlap one is made, which is called what the longest of them is called; neighbours of one
    kind and key become one, too.
    """
    result: list[Span] = []
    longest = 0
    for span in sorted(spans):
        if span.length <= 0:
            continue
        last = result[-1] if result else None
        if (
            last is None
            or span.offset > last.end
            or (span.offset == last.end and _named(span) != _named(last))
        ):
            result.append(span)
            longest = span.length
            continue
        length = max(last.end, span.end) - last.offset
        winner = span if span.length > longest else last
        longest = max(longest, span.length)
        result[-1] = replace(winner, offset=last.offset, length=length)
    return _joined(result)


def _joined(spans: list[Span]) -> list[Span]:
    """Neighbours of one name as one: what overlaps may have taken the name of the span before it."""
    result: list[Span] = []
    for span in spans:
        last = result[-1] if result else None
        if last is not None and span.offset == last.end and _named(span) == _named(last):
            result[-1] = replace(last, length=last.length + span.length)
        else:
            result.append(span)
    return result


def _named(span: Span) -> tuple[str, str, str | None]:
    return span.kind, span.encoding, span.key
