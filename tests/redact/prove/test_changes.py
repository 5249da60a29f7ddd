"""Nothing but the spans was changed, and they hold the fill."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps.dump import Image
from immure.dumps.readers import BytesReader
from immure.errors import RedactionError, UsageError
from immure.redact.prove import BytesPart, ProveOptions, compare

from .material import NO_DEBUGGER, erased, fill, image, noise

PAGE = 4096
ORIGINAL = bytes(noise(4 * PAGE, seed=9))
SPANS = [(10, 20), (PAGE - 5, 30), (2 * PAGE, PAGE), (4 * PAGE - 3, 3)]


def compared(redacted: bytes, spans: list[tuple[int, int]] = SPANS) -> BytesPart:
    return compare(image(ORIGINAL), image(redacted), spans, fill, options=NO_DEBUGGER)


def test_a_right_redaction() -> None:
    part = compared(erased(ORIGINAL, SPANS))
    assert (part.status, part.changes, part.compared_bytes) == ("ok", (), len(ORIGINAL))
    assert part.filled_bytes == sum(length for _, length in SPANS)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 4 * PAGE - 1), bit=st.integers(0, 7), chunk=st.sampled_from([512, PAGE, 1 << 16]))
def test_one_wrong_bit_anywhere(at: int, bit: int, chunk: int) -> None:
    redacted = bytearray(erased(ORIGINAL, SPANS))
    redacted[at] ^= 1 << bit
    options = ProveOptions(debugger=False, chunk_bytes=chunk)
    part = compare(image(ORIGINAL), image(bytes(redacted)), SPANS, fill, options=options)
    inside = any(offset <= at < offset + length for offset, length in SPANS)
    assert part.status == "failed"
    assert [(change.offset, change.bytes_wrong, change.inside) for change in part.changes] == [
        (at, 1, inside)
    ]
    assert f"offset {at:#x}" in part.reason


def test_a_span_that_was_not_erased() -> None:
    part = compared(erased(ORIGINAL, SPANS[1:]))
    (change,) = part.changes
    assert (change.offset, change.bytes_wrong, change.inside) == (10, 20, True)


def test_a_span_that_nobody_told_of() -> None:
    part = compared(erased(ORIGINAL, SPANS), SPANS[1:])
    (change,) = part.changes
    assert (change.offset, change.bytes_wrong, change.inside) == (10, 20, False)


@settings(max_examples=60, deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 4 * PAGE - 1), st.integers(1, 3 * PAGE)), max_size=8),
    threads=st.integers(1, 3),
)
def test_spans_may_overlap_and_stand_in_any_order(spans: list[tuple[int, int]], threads: int) -> None:
    spans = [(offset, min(length, 4 * PAGE - offset)) for offset, length in spans]
    options = ProveOptions(debugger=False, chunk_bytes=1000, threads=threads)
    part = compare(image(ORIGINAL), image(erased(ORIGINAL, spans)), spans, fill, options=options)
    assert part.status == "ok", part.reason


@pytest.mark.parametrize("change", [b"", b"\0", b"more"])
def test_another_length(change: bytes) -> None:
    redacted = erased(ORIGINAL, SPANS)
    part = compared(redacted + change if change else redacted[:-1])
    assert part.status == "failed"
    assert "bytes instead of" in part.reason


@pytest.mark.parametrize("span", [(-1, 5), (4 * PAGE - 1, 2), (1 << 60, 1)])
def test_a_span_outside(span: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="outside of the image"):
        compared(ORIGINAL, [span])


def test_a_fill_of_the_wrong_length() -> None:
    with pytest.raises(RedactionError, match="the fill is 2 bytes long"):
        compare(image(ORIGINAL), image(ORIGINAL), [(0, 5)], lambda offset, length: b"xx", options=NO_DEBUGGER)


class Sparse(BytesReader):
    """Holes where pages are zeros, as they are in one of two files with the same bytes."""

    def extents(self, start: int, stop: int):
        for at in range(start // PAGE * PAGE, stop, PAGE):
            if any(self._view[at : at + PAGE]):
                yield max(at, start), min(at + PAGE, stop)


@pytest.mark.parametrize("wrong", [None, 17, 3 * PAGE + 1, 5 * PAGE + 9])
def test_holes_of_one_are_zeros_of_the_other(wrong: int | None) -> None:
    data = bytearray(bytes(PAGE) + ORIGINAL[:PAGE] + bytes(4 * PAGE))
    redacted = bytearray(erased(data, [(3 * PAGE, 10)]))
    if wrong is not None:
        redacted[wrong] ^= 1
    images = [Image("test", "raw", reader, ()) for reader in (Sparse(data), BytesReader(redacted))]
    part = compare(*images, [(3 * PAGE, 10)], fill, options=NO_DEBUGGER)
    assert [change.offset for change in part.changes] == ([] if wrong is None else [wrong])
