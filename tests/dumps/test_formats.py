"""Minidump, HPROF, LiME, AVML, raw: what was built is what is read."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps import Thread
from immure.dumps.limits import Limits
from immure.dumps.snappy import decompress_block
from immure.errors import ImageError
from immure.synth import CoreThread, Module, Range, build_avml, build_hprof, build_lime, build_minidump
from immure.synth.physical import snappy_block

from .helpers import MEMORY, PAGE, assert_regions_hold, opened, parse, read_all, samples


def check_places(image, built):
    for offset, address, length in built.places:
        assert image.address_of(offset) == address
        assert image.address_of(offset + length - 1) == address + length - 1


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("architecture", "machine"), [(9, "x86_64"), (0, "i386"), (12, "aarch64")])
def test_minidump(full, architecture, machine):
    memory = [(0x10000, MEMORY[:PAGE]), (0x50000, MEMORY[PAGE:])]
    built = build_minidump(
        memory,
        full=full,
        architecture=architecture,
        threads=[CoreThread(5, 0x10100, 0x50008)],
        modules=[Module(0x50000, PAGE, "C:\\app\\signer.exe")],
        pid=77,
        exception=0xC0000005,
        protections=[(0x10000, PAGE, 0x04), (0x50000, PAGE, 0x20)],
    )
    image = parse(built.data)
    assert image.format == "minidump"
    assert image.process.machine == machine
    assert image.process.pid == 77
    assert image.process.name == "signer.exe"
    assert image.process.signal == 0xC0000005
    assert image.process.threads == (Thread(5, 0x10100, 0x50008),)
    stack = image.region_at(built.offset_of(0x10000))
    assert (stack.name, stack.permissions) == ("[stack] of thread 5", "rw-p")
    code = image.region_at(built.offset_of(0x50000))
    assert (code.name, code.permissions) == ("C:\\app\\signer.exe", "r-xp")
    assert image.missing == ()
    assert ["only parts of the process's memory" in said for said in image.warnings] == [True] * (not full)
    check_places(image, built)
    assert_regions_hold(image)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"claimed_count": 2**40}, "claims 1099511627776 entries"),
        ({"claimed_count": 2**31, "full": False}, "claims 2147483648 entries"),
    ],
)
def test_minidump_with_a_count_that_lies(change, words):
    image = parse(build_minidump([(0x1000, b"x" * 99)], **change).data, Limits(max_regions=2**50))
    assert words in image.warnings[0]
    assert_regions_hold(image)


def test_minidump_with_the_same_stream_a_thousand_times():
    data = bytearray(build_minidump([(0x1000 * n, b"x") for n in range(1, 99)], full=False).data)
    directory = data[32 : 32 + 12 * 4]
    struct.pack_into("<II", data, 8, 1000, len(data))
    data += directory * 250
    image = parse(bytes(data), Limits(max_regions=500))
    assert any("the limit" in warning for warning in image.warnings)
    assert_regions_hold(image)


def test_hprof():
    built = build_hprof(["alpha", "beta"], [MEMORY[:PAGE]], [[1, 2, 0x80000001]])
    image = parse(built.data)
    names = [region.name for region in image.regions]
    assert names == ["HPROF header", "strings", "heap", "end of the heap"]
    assert image.byte_order == "big"
    offset, _, length = built.places[1]
    assert built.data[offset : offset + length] == bytes.fromhex("000000010000000280000001")
    assert image.missing == image.warnings == ()
    assert_regions_hold(image)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-300], "the end of heap"),
        (lambda data: data + b"\xee" * 20, "a record of unknown kind 0xee"),
        (lambda data: data + b"\x01\0\0", "a record is cut short"),
        (lambda data: data[:19] + b"\0\0\0\x07" + data[23:], "identifiers of 7 bytes"),
    ],
)
def test_hprof_damaged(damage, words):
    image = parse(damage(build_hprof(["a"], [MEMORY]).data))
    assert words in " ".join([*image.warnings, *(m.reason for m in image.missing)])
    assert_regions_hold(image)


def test_lime():
    built = build_lime([Range(0x1000, MEMORY[:PAGE]), Range(0x10_0000, MEMORY)])
    image = parse(built.data)
    assert [region.name for region in image.regions] == ["range header", "physical memory"] * 2
    check_places(image, built)
    assert image.missing == image.warnings == ()


@pytest.mark.parametrize(
    ("ranges", "tail", "words"),
    [
        ([Range(0, b"x" * 99, claimed_size=5000)], b"", "before the end of physical memory"),
        ([Range(0, b"x" * 99)], b"garbage", "a range header is cut short"),
        ([Range(0, b"x" * 99)], b"g" * 40, "no range header where one is due"),
        ([Range(0, b"x" * 99, claimed_size=1 << 63)], b"", "before the end of physical memory"),
    ],
)
def test_lime_damaged(ranges, tail, words):
    image = parse(build_lime(ranges).data + tail)
    assert words in " ".join([*image.warnings, *(m.reason for m in image.missing)])
    assert_regions_hold(image)


@pytest.mark.parametrize("library", [True, False], ids=["cramjam", "own decoder"])
def test_avml_is_expanded(tmp_path, monkeypatch, library):
    if library:
        pytest.importorskip("cramjam")
    else:
        monkeypatch.setattr("immure.dumps.snappy.block_decoder", lambda: decompress_block)
    memory = MEMORY + bytes(200_000)
    built = build_avml([Range(0x1000, memory), Range(0x10_0000, MEMORY[:PAGE])])
    (tmp_path / "a").write_bytes(built.data)
    [image] = opened(tmp_path / "a")
    assert image.format == "avml"
    check_places(image, built)
    content = read_all(image.reader)
    assert content[32 : 32 + len(memory)] == memory
    assert image.missing == image.warnings == ()
    assert_regions_hold(image)


@pytest.mark.parametrize(
    ("ranges", "damage", "words"),
    [
        ([Range(0, MEMORY)], lambda data: data[:-9], "cut short"),
        ([Range(0, MEMORY)], lambda data: data[:-1], "a range's length is cut short"),
        ([Range(0, MEMORY)], lambda data: data[:-1] + b"\x01", "a range's length is not"),
        ([Range(0, MEMORY)], lambda data: data + b"x" * 50, "no usable range header"),
        ([Range(0, MEMORY, claimed_size=5)], lambda data: data, "more bytes come out of a range"),
        ([Range(0, MEMORY, claimed_size=1 << 40)], lambda data: data, "snappy chunk"),
        ([Range(0, MEMORY)], lambda data: data[:50] + b"\xff" * 30 + data[80:], "snappy"),
    ],
)
def test_avml_damaged(tmp_path, ranges, damage, words):
    (tmp_path / "a").write_bytes(damage(build_avml(ranges).data))
    [image] = opened(tmp_path / "a")
    assert words in image.missing[-1].reason
    assert "compressed file" in image.missing[-1].reason
    assert_regions_hold(image)


@given(st.binary(max_size=3000), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_snappy_of_both_decoders(data, repeats):
    data = (data[:40] * repeats + data)[:65536]
    assert decompress_block(snappy_block(data)) == data
    cramjam = pytest.importorskip("cramjam")
    assert decompress_block(bytes(cramjam.snappy.compress_raw(data))) == data


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_snappy_of_noise(noise):
    with contextlib.suppress(ImageError):
        assert len(decompress_block(noise)) <= 65536


def test_snappy_copy_that_is_cut_short():
    block = snappy_block(bytes(100))
    with pytest.raises(ImageError, match="a snappy copy passes the end of its block"):
        decompress_block(block[:-1])


def test_empty_file_is_not_taken_for_a_dump(tmp_path):
    (tmp_path / "app.core").touch()
    [image] = opened(tmp_path / "app.core")
    assert (image.format, image.regions, image.missing) == ("raw", (), ())
    assert "is empty" in image.warnings[0]


def test_raw(tmp_path):
    image = parse(b"no format at all")
    assert (image.format, image.regions[0].name) == ("raw", "raw bytes")
    (tmp_path / "empty").write_bytes(b"")
    [empty] = opened(tmp_path / "empty")
    assert (empty.format, empty.regions, empty.reader.size) == ("raw", (), 0)


@pytest.mark.parametrize(
    ("head", "missing", "warning"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7-Zip archive, which is not opened", None),
        (b"KDUMP   \6\0\0\0", "is a compressed kernel dump", None),
        (b"PAGEDU64\x0f\0\0\0", None, "is a Windows kernel dump (64 bit): searched as raw bytes"),
        (b"nothing", None, None),
    ],
)
def test_what_we_cannot_open_is_called_by_its_name(head, missing, warning):
    image = parse(head)
    assert image.format == "raw"
    assert [reason.reason[: len(missing or "")] for reason in image.missing] == ([missing] if missing else [])
    assert [warning in said for said in image.warnings] == ([True] if warning else [])


def test_an_empty_image_has_no_extents():
    # found by fuzzing: (0, 0) was given as a range
    assert list(parse(b"").reader.extents(0, 0)) == []


SAMPLES = samples()


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "avml"])
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_damage_leaves_regions_that_hold(name, data):
    image = bytearray(SAMPLES[name])
    header = min(len(image), 1200)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, header - 1))
        width = data.draw(st.sampled_from([1, 2, 4, 8]))
        value = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 31, 1 << 63, (1 << 64) - 1]))
        image[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    cut = data.draw(st.integers(0, len(image)))
    if data.draw(st.booleans()):
        del image[cut:]
    assert_regions_hold(parse(bytes(image)))
