"""Sorts what was found: parts that are fragments of a number, and pieces too short for that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from immure.dumps.dump import Image
from immure.redact.prove.report import Fragment
from immure.redact.prove.strings import Hit, Strings


def distinct(hits: Iterable[Hit]) -> list[Hit]:
    """Every hit once (those at the border of two chunks come twice), in order of place, longest first."""
    return sorted(set(hits), key=lambda hit: (hit.offset, -hit.length, hit.string, hit.at))


def is_fragment(hit: Hit, strings: Strings) -> bool:
    """Whether it is long enough to count by itself."""
    writing = strings.all[hit.string].writing
    return hit.length >= writing.least and not writing.number.words_only


def fragments(hits: Sequence[Hit], strings: Strings, names: Sequence[str], image: Image) -> list[Fragment]:
    """The fragments among some hits, without those that lie inside another; sorted by offset."""
    long = [hit for hit in hits if is_fragment(hit, strings)]
    return [_described(hit, strings, names, image) for hit in _outermost(long)]


def pieces(hits: Sequence[Hit], strings: Strings, names: Sequence[str], image: Image) -> list[Fragment]:
    """The hits that are no fragments, nor lie inside one."""
    kept = _outermost(hits)
    return [_described(hit, strings, names, image) for hit in kept if not is_fragment(hit, strings)]


def _outermost(hits: Sequence[Hit]) -> list[Hit]:
    """Without hits that lie inside another: where p stands, all but one byte of p - 1 stands, too."""
    result: list[Hit] = []
    covered = 0
    for hit in hits:
        if hit.offset + hit.length > covered:
            covered = hit.offset + hit.length
            result.append(hit)
    return result


def _described(hit: Hit, strings: Strings, names: Sequence[str], image: Image) -> Fragment:
    one, region = strings.all[hit.string], image.region_at(hit.offset)
    number, encoding = one.writing.number.name, one.writing.encoding
    place = region.name if region else ""
    return Fragment(hit.offset, hit.length, names[one.secret], number, encoding, hit.at, place)
