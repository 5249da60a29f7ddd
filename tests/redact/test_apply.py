"""Writing the copy: nothing but the spans differs, whatever the compression."""

from __future__ import annotations

import hashlib
import random
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.dumps.compression import decompress
from immure.dumps.readers import BytesReader
from immure.errors import RedactionError
from immure.redact import apply
from immure.redact.apply import write_redacted
from immure.redact.fill import fill
from immure.redact.span import Span, disjoint

CODECS = ("zstd", "gzip", "xz", "lz4", "bzip2")
some_spans = st.lists(
    st.builds(Span, st.integers(0, 5000), st.integers(1, 900), st.just("p")), max_size=8
).map(disjoint)


def expected(data: bytes, spans: list[Span]) -> bytes:
    result = bytearray(data)
    for span in spans:
        result[span.offset : span.end] = fill(span.offset, span.length)
    return bytes(result[: len(data)])


@given(st.integers(0, 6000), some_spans, st.sampled_from([64, 1000, 4096]))
def test_every_byte_outside_the_spans_is_the_same(size: int, spans: list[Span], piece: int) -> None:
    data = random.Random(size).randbytes(size)
    out = BytesIO()
    before, apply.PIECE = apply.PIECE, piece
    try:
        digest = write_redacted(BytesReader(data), size, spans, out, None, "x")
    finally:
        apply.PIECE = before
    assert out.getvalue() == expected(data, spans)
    assert (digest.sha256, digest.size) == (hashlib.sha256(out.getvalue()).hexdigest(), size)


@pytest.mark.parametrize("codec", CODECS)
def test_compressed_dumps_come_out_compressed(codec: str) -> None:
    data = random.Random(1).randbytes(3_000_000) + bytes(9_000_000)
    spans = [Span(100, 2_000_000, "p"), Span(11_999_990, 10, "q")]
    out = BytesIO()
    digest = write_redacted(BytesReader(data), len(data), spans, out, codec, "x")
    assert b"".join(decompress(BytesReader(out.getvalue()), codec)) == expected(data, spans)
    assert (digest.sha256, digest.size) == (hashlib.sha256(out.getvalue()).hexdigest(), len(out.getvalue()))


@pytest.mark.parametrize("codec", [None, *CODECS])
def test_an_empty_dump_is_written(codec: str | None) -> None:
    out = BytesIO()
    write_redacted(BytesReader(b""), 0, [], out, codec, "x")
    plain = b"".join(decompress(BytesReader(out.getvalue()), codec)) if codec else out.getvalue()
    assert plain == b""


def test_zeros_become_holes(tmp_path: Path) -> None:
    data = b"a" * 70_000 + bytes(50_000_000) + b"b" * 10 + bytes(3_000_000)
    path = tmp_path / "out"
    with path.open("w+b") as out:
        write_redacted(BytesReader(data), len(data), [], out, None, "x")
    assert path.read_bytes() == data
    assert path.stat().st_blocks * 512 < 1_000_000


@pytest.mark.parametrize(("codec", "size"), [("rot13", 10), (None, 11)])
def test_what_cannot_be_done_is_said(codec: str | None, size: int) -> None:
    with pytest.raises(RedactionError, match="cannot be"):
        write_redacted(BytesReader(bytes(10)), size, [], BytesIO(), codec, "x")
