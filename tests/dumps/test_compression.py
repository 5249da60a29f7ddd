"""Compressed images: the same bytes and regions as without, whatever the codec, frames, or cut."""

from __future__ import annotations

import bz2
import gzip
import lzma

import lz4.frame
import pytest
import zstandard as zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps import open_image
from immure.dumps.compression import decompress, detect_codec
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.errors import ImageError
from immure.synth import Segment, build_elf_core, ordinary_memory

from .helpers import assert_regions_hold, opened, parse, read_all, samples

CODECS = {
    "zstd": zstd.compress,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "lz4": lz4.frame.compress,
    "bzip2": bz2.compress,
}
CORE = build_elf_core([Segment(0x7000_0000, bytes(ordinary_memory(400_000, seed=4)))]).data
SKIPPABLE = b"\x5a\x2a\x4d\x18\x04\x00\x00\x00skip"


def through(codec: str, packed: bytes) -> tuple[bytes, str | None]:
    out = b""
    try:
        for piece in decompress(BytesReader(packed), codec):
            out += piece
    except ImageError as error:
        return out, error.reason
    return out, None


@pytest.mark.parametrize("codec", CODECS)
def test_image_inside(tmp_path, codec):
    path = tmp_path / "no-suffix"
    path.write_bytes(CODECS[codec](CORE))
    with open_image(path) as image:
        assert image.format == "elf-core"
        assert read_all(image.reader) == CORE
        image.settle()
        assert image.regions == parse(CORE).regions
        assert image.missing == image.warnings == ()


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=5000), min_size=1, max_size=6),
    repeat=st.integers(1, 2000),
    data=st.data(),
)
def test_frames_and_cuts(codec, parts, repeat, data):
    parts = [part * repeat for part in parts]
    packed = b"".join(CODECS[codec](part) for part in parts)
    assert through(codec, packed) == (b"".join(parts), None)
    cut = data.draw(st.integers(0, len(packed) - 1))
    out, problem = through(codec, packed[:cut])
    assert b"".join(parts).startswith(out)
    assert problem is not None or cut == 0 or out + b"" in _prefixes(parts)


def _prefixes(parts: list[bytes]) -> list[bytes]:
    return [b"".join(parts[:count]) for count in range(len(parts) + 1)]


@pytest.fixture(scope="module")
def more():
    return bytes(ordinary_memory(3_000_000, seed=9))


@pytest.mark.parametrize("codec", CODECS)
def test_cut_image_is_searched_as_far_as_it_goes(tmp_path, codec, more):
    packed = CODECS[codec](CORE + more)
    (tmp_path / "a").write_bytes(packed[: len(packed) * 3 // 4])
    [image] = opened(tmp_path / "a")
    assert image.format == "elf-core"
    assert image.reader.size > 100_000
    fault = image.missing[-1]
    assert fault.reason.startswith(f"the {codec} stream is cut short (at 0x")
    assert fault.offset == image.reader.size
    assert_regions_hold(image)


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damage_is_never_an_exception_of_another_kind(codec, data):
    packed = bytearray(CODECS[codec](CORE[:20_000]))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    out, _ = through(codec, bytes(packed))
    assert len(out) < 1 << 24


@pytest.mark.parametrize(
    ("codec", "packed", "expected", "words"),
    [
        ("gzip", gzip.compress(b"a") + bytes(5000) + gzip.compress(b"b"), b"ab", None),
        ("xz", lzma.compress(b"a") + bytes(8) + lzma.compress(b"b"), b"ab", None),
        ("zstd", SKIPPABLE + zstd.compress(b"a") + SKIPPABLE + zstd.compress(b"b"), b"ab", None),
        ("lz4", lz4.frame.compress(b"a") + SKIPPABLE + lz4.frame.compress(b"b"), b"ab", None),
        ("gzip", gzip.compress(b"a") + b"trailing", b"a", "what follows is not gzip: not searched"),
        ("zstd", zstd.compress(b"a") + b"trailing", b"a", "what follows is not zstd: not searched"),
        ("zstd", zstd.compress(b"a") + SKIPPABLE[:-1], b"a", "the zstd stream is cut short"),
        ("zstd", zstd.compress(b"a") * 20_000, b"a" * 20_000, None),
        ("gzip", gzip.compress(b"") * 20_000, b"", None),
    ],
)
def test_between_frames(codec, packed, expected, words):
    assert through(codec, packed) == (expected, words)


def test_detection_is_by_content():
    for codec, compress in CODECS.items():
        assert detect_codec(compress(b"data")) == codec
    assert detect_codec(SKIPPABLE + zstd.compress(b"")) == "zstd"
    assert detect_codec(b"") is None
    assert detect_codec(CORE[:4096]) is None
    assert detect_codec(b"BZh9 is how this text begins") is None


def test_nested_up_to_a_depth(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(zstd.compress(CORE)))
    [image] = opened(tmp_path / "a")
    assert read_all(image.reader) == CORE
    [image] = opened(tmp_path / "a", Limits(max_compression_depth=1))
    assert image.format == "raw"
    assert "zstd inside so many others is not opened" in image.missing[0].reason


@pytest.mark.parametrize("name", samples())
def test_every_format_inside_a_stream(tmp_path, name):
    data = samples()[name]
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed").write_bytes(gzip.compress(zstd.compress(data)))
    [packed, plain] = opened(tmp_path)
    assert packed.format == plain.format
    assert packed.regions == plain.regions
    assert (packed.process, packed.word_size, packed.byte_order) == (
        plain.process,
        plain.word_size,
        plain.byte_order,
    )
    assert read_all(packed.reader) == read_all(plain.reader)


def test_what_only_begins_like_a_stream_is_raw(tmp_path):
    data = b"\x28\xb5\x2f\xfd" + b"\xff" * 5000
    (tmp_path / "a").write_bytes(data)
    [image] = opened(tmp_path / "a")
    assert image.format == "raw"
    assert read_all(image.reader) == data
    assert "begins like zstd, but the zstd stream is corrupt" in image.warnings[0]


def test_a_window_too_large_for_us_is_a_fault_not_a_gigabyte():
    parameters = zstd.ZstdCompressionParameters(window_log=27)
    huge = zstd.ZstdCompressor(compression_params=parameters).compress(b"x" * 100)
    frame = bytearray(huge)
    frame[4:6] = b"\x00\xf8"  # window of 2 GiB, no content size
    _, problem = through("zstd", bytes(frame))
    assert problem is not None


def test_empty_stream(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(b""))
    [image] = opened(tmp_path / "a")
    assert (image.reader.size, image.missing) == (0, ())
