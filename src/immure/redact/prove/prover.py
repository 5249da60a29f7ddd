"""The proof as a whole, and each of its parts alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.dumps.dump import Image
from immure.errors import UsageError
from immure.redact.prove.changes import Comparison, Fill
from immure.redact.prove.fragments import distinct, fragments, pieces
from immure.redact.prove.options import ProveOptions
from immure.redact.prove.reading import Piece, Sides, SpanLike, for_each_piece, merged
from immure.redact.prove.report import (
    BytesPart,
    Change,
    DebuggerPart,
    ProofReport,
    ResiduePart,
    ScanPart,
)
from immure.redact.prove.residue import residues
from immure.redact.prove.secrets import Given, KnownSecret, name_of, taken
from immure.redact.prove.strings import Hit, Strings

Spans = Iterable[SpanLike | tuple[int, int]]
Advance = Callable[[int], None]

#: Bytes that are read around a piece, so that parts are seen in full that reach out of it: more than the
#: longest string of a key has. Longer parts, of long plain secrets, are reported in pieces.
_MOST_AROUND: Final = 16 << 10
_MARGIN: Final = 16


@dataclass
class _Seen:
    """What one pass over the images showed."""

    hits: list[Hit] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    searched: int = 0
    unreadable: int | None = None


def prove(
    original: Image,
    redacted: Image,
    secrets: Sequence[Given],
    spans: Spans,
    fill: Fill,
    *,
    options: ProveOptions | None = None,
    advance: Advance | None = None,
) -> ProofReport:
    """Prove that ``redacted`` is ``original`` without ``secrets``, and otherwise the same.

    Args:
        original, redacted: the images, of the same format; they stay open.
        secrets: every key and secret that was to be erased.
        spans: (offset, length) of everything that was, or objects with these attributes.
        fill: the bytes that stand in a span, or in any part of one, by offset and length.
        options: how.
        advance: told of bytes that are done.

    Raises:
        UsageError: a span lies outside the image, or a secret is none.
        RedactionError: the fill has a wrong length.
    """
    began = time.perf_counter()
    options, known, places = options or ProveOptions(), taken(secrets), merged(spans)
    strings = Strings(known)
    problem = _mismatch(original, redacted, places)
    seen = _look(redacted, None if problem else original, strings, places, fill, options, advance)
    hits = distinct(seen.hits)
    return ProofReport(
        scan=_scan_part(redacted, known, strings, hits, seen),
        residue=_residue_part(redacted, known, strings, hits, seen, options),
        bytes=BytesPart("failed", problem) if problem else _bytes_part(seen, places),
        debugger=inspect(original, redacted, places, options=options),
        seconds=time.perf_counter() - began,
    )


def scan(
    redacted: Image, secrets: Sequence[Given], *, options: ProveOptions | None = None
) -> tuple[ScanPart, ResiduePart]:
    """Only the independent scan of one image, and what is left in it; see :func:`prove`."""
    options, known = options or ProveOptions(), taken(secrets)
    strings = Strings(known)
    seen = _look(redacted, None, strings, [], None, options, None)
    hits = distinct(seen.hits)
    return (
        _scan_part(redacted, known, strings, hits, seen),
        _residue_part(redacted, known, strings, hits, seen, options),
    )


def compare(
    original: Image, redacted: Image, spans: Spans, fill: Fill, *, options: ProveOptions | None = None
) -> BytesPart:
    """Only whether all bytes are as they should be; see :func:`prove`."""
    places = merged(spans)
    problem = _mismatch(original, redacted, places)
    if problem:
        return BytesPart("failed", problem)
    seen = _look(redacted, original, None, places, fill, options or ProveOptions(), None)
    return _bytes_part(seen, places)


def inspect(
    original: Image, redacted: Image, spans: Spans, *, options: ProveOptions | None = None
) -> DebuggerPart:
    """Only whether another program sees the same in both images; see :func:`prove`."""
    from immure.redact.prove.readers import inspect_by_format  # starts processes; most do not need it

    return inspect_by_format(original, redacted, merged(spans), options or ProveOptions())


def _mismatch(original: Image, redacted: Image, spans: Sequence[tuple[int, int]]) -> str:
    """Why the images cannot be compared byte by byte; empty if they can.

    Raises:
        UsageError: a span lies outside of the image.
    """
    for image in (original, redacted):
        image.settle()
        image.reader.wait()
    size = original.reader.size or 0
    for start, stop in spans:
        if start < 0 or stop > size:
            raise UsageError("a span lies outside of the image", path=original.path, offset=start)
    if redacted.reader.size != size:
        return f"{redacted.reader.size} bytes instead of {size}"
    if (original.format, original.reader.faults()) != (redacted.format, redacted.reader.faults()):
        return f"a {redacted.format} image instead of a {original.format} image, or one of them is broken"
    return ""


def _look(
    redacted: Image,
    original: Image | None,
    strings: Strings | None,
    spans: Sequence[tuple[int, int]],
    fill: Fill | None,
    options: ProveOptions,
    advance: Advance | None,
) -> _Seen:
    """Read the images once, search the one, and compare the other with it."""
    redacted.reader.wait()
    sides = Sides(redacted.reader, original.reader if original else None, redacted.reader.size or 0)
    comparison = Comparison(spans, fill) if original and fill else None
    most = options.most_fragments

    def work(piece: Piece) -> tuple[Piece, list[Hit], list[Change]]:
        low, stop = piece.start - piece.low, piece.stop - piece.low
        hits = strings.find(piece.redacted, piece.length, low, stop, piece.low, most) if strings else []
        return piece, hits, comparison.examine(piece) if comparison else []

    seen, around = _Seen(), min(strings.longest + _MARGIN, _MOST_AROUND) if strings else 0
    for piece, hits, changes in for_each_piece(
        sides, spans, around, options.chunk_bytes, options.threads, work
    ):
        seen.hits += hits
        seen.changes += changes
        seen.searched += piece.stop - piece.start
        if piece.unreadable is not None and seen.unreadable is None:
            seen.unreadable = piece.unreadable
        if advance is not None:
            advance(piece.stop - piece.start)
        if len(seen.hits) > most:
            break
    return seen


def _scan_part(
    image: Image, secrets: Sequence[KnownSecret], strings: Strings, hits: Sequence[Hit], seen: _Seen
) -> ScanPart:
    found = fragments(hits, strings, [name_of(secret) for secret in secrets], image)
    reason = ""
    if found:
        parts = "1 part is" if len(found) == 1 else f"{len(found)} parts are"
        reason = f"{parts} still there of secret numbers, the first at offset {found[0].offset:#x}"
    elif seen.unreadable is not None:
        reason = f"bytes at offset {seen.unreadable:#x} cannot be read"
    return ScanPart(
        status="failed" if reason else "ok",
        reason=reason,
        searched_bytes=seen.searched,
        strings=len(strings.all),
        windows=strings.facts.windows,
        bare=strings.facts.bare,
        chance=strings.chance(seen.searched),
        fragments=tuple(found),
    )


def _residue_part(
    image: Image,
    secrets: Sequence[KnownSecret],
    strings: Strings,
    hits: Sequence[Hit],
    seen: _Seen,
    options: ProveOptions,
) -> ResiduePart:
    names = [name_of(secret) for secret in secrets]
    keys = residues(secrets, strings, hits, options.limits)
    bad = [key for key in keys if not key.ok]
    reason = f"too much is left of {len(bad)} of {len(keys)} keys, the first {bad[0].key}" if bad else ""
    return ResiduePart(
        status="failed" if bad else "ok",
        reason=reason,
        words=strings.facts.words,
        words_left_out=strings.facts.words_left_out,
        chance=strings.chance_of_words(seen.searched),
        pieces=tuple(pieces(hits, strings, names, image)),
        keys=tuple(keys),
    )


def _bytes_part(seen: _Seen, spans: Sequence[tuple[int, int]]) -> BytesPart:
    reason = ""
    if seen.changes:
        first = seen.changes[0]
        where = "inside a span is not fill" if first.inside else "outside of the spans was changed"
        reason = f"a byte {where} at offset {first.offset:#x}; {len(seen.changes)} such places"
    elif seen.unreadable is not None:
        reason = f"bytes at offset {seen.unreadable:#x} cannot be read"
    filled = sum(stop - start for start, stop in spans)
    return BytesPart("failed" if reason else "ok", reason, seen.searched, filled, tuple(seen.changes))
