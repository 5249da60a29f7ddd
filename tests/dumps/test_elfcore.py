"""ELF cores: what was built is what is read; headers that lie do no harm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps import Missing, Region, Thread
from immure.dumps.limits import Limits
from immure.errors import ImageError
from immure.synth import CoreThread, Lies, Segment, build_elf_core

from .helpers import PAGE, assert_regions_hold, parse, samples

HUGE = (1 << 64) - 1


def named(image, name: str) -> list[Region]:
    return [region for region in image.regions if region.name == name]


@pytest.mark.parametrize(
    ("sample", "machine", "word_size", "byte_order"),
    [
        ("elf64", "x86_64", 8, "little"),
        ("elf64-big", "s390x", 8, "big"),
        ("elf32", "i386", 4, "little"),
        ("elf32-big", "ppc", 4, "big"),
        ("elf-xnum", "x86_64", 8, "little"),
    ],
)
def test_every_width_and_byte_order(sample, machine, word_size, byte_order):
    image = parse(samples()[sample])
    assert (image.format, image.word_size, image.byte_order) == ("elf-core", word_size, byte_order)
    assert image.process.machine == machine
    assert image.process.pid == 71
    assert image.process.name == "signer"
    assert image.process.command_line == "signer --port 8443"
    assert image.process.signal == 6
    assert [thread.tid for thread in image.process.threads] == [71, 72]
    assert named(image, "/usr/bin/signer")[0].address == 0x5000_0000
    assert named(image, "/usr/bin/signer")[0].permissions == "r-xp"
    assert image.missing == ()
    assert image.warnings == ()
    assert_regions_hold(image)


@pytest.mark.parametrize(("machine", "bits"), [(62, 64), (183, 64), (3, 32)])
def test_registers(machine, bits):
    thread = CoreThread(9, 0x7000_0010, 0x5000_0004, signal=11)
    built = build_elf_core([Segment(0x7000_0000, bytes(64))], machine=machine, bits=bits, threads=[thread])
    image = parse(built.data)
    assert image.process.threads == (Thread(9, 0x7000_0010, 0x5000_0004),)
    assert image.process.signal == 11
    assert named(image, "[stack] of thread 9")


def test_heap_and_zero_data_of_the_program():
    segments = [
        Segment(0x5000_0000, b"x" * PAGE, 5),
        Segment(0x5000_1000, b"b" * PAGE),
        Segment(0x5100_0000, b"h" * PAGE),
        Segment(0x7F00_0000_0000, b"a" * PAGE),
    ]
    built = build_elf_core(segments, files=[(0x5000_0000, 0x5000_1000, "/bin/app")], auxv={3: 0x5000_0040})
    names = [region.name for region in parse(built.data).regions if region.kind == "memory"]
    assert names == ["/bin/app", "/bin/app (bss)", "[heap]", "anonymous"]


def test_what_the_kernel_left_out_is_a_warning_not_a_loss():
    segments = [Segment(0x1000, b"", 5, memory_size=PAGE), Segment(0x9000, b"", 6, memory_size=PAGE)]
    image = parse(build_elf_core(segments, files=[(0x1000, 0x2000, "/lib/libc.so")]).data)
    assert image.missing == ()
    assert "1 mapping of files (4096 bytes) left out" in image.warnings[0]
    assert "1 mapping of private or writable memory (4096 bytes)" in image.warnings[1]


def test_what_was_cut_off_is_missing():
    built = build_elf_core([Segment(0x1000, b"x" * PAGE), Segment(0x9000, b"y" * PAGE)])
    image = parse(built.data[: -PAGE - 100])
    size = image.reader.size
    assert image.missing == (
        Missing(100, f"the file ends at {size:#x}, before the end of anonymous", size, 0x1000 + PAGE - 100),
        Missing(PAGE, f"the file ends at {size:#x}, before the end of anonymous", size + 100, 0x9000),
    )
    assert_regions_hold(image)


def test_names_cannot_steer_a_terminal():
    built = build_elf_core([Segment(0x1000, b"x")], files=[(0x1000, 0x2000, "/tmp/\x1b[2J\u202eevil")])
    assert named(parse(built.data), "/tmp/\\x1b[2J\\u202eevil")


def test_gap_and_tail_are_covered():
    built = build_elf_core([Segment(0x1000, b"x" * 9)], gap=b"g" * 33)
    image = parse(built.data + b"tail")
    assert [(r.length, r.kind) for r in named(image, "unclaimed bytes")] == [(33, "data"), (4, "data")]
    assert_regions_hold(image)


ONE = [Segment(0x1000, b"x" * PAGE)]
LIARS = [
    # what lies, the core, words that a warning or a missing range must have
    ("segment elsewhere", build_elf_core([Segment(0, b"x", claimed_offset=1 << 40)]), "the file ends at"),
    ("offset near 2^64", build_elf_core([Segment(0, b"x", claimed_offset=HUGE - 1)]), "the file ends at"),
    ("size of 2^64-1", build_elf_core([Segment(0, b"x", claimed_size=HUGE)]), "the file ends at"),
    ("address wraps", build_elf_core([Segment(HUGE - 10, b"x" * 100)]), "pass the end of the address space"),
    ("more headers than file", build_elf_core(ONE, lies=Lies(phnum=60000)), "the end of program headers"),
    ("headers elsewhere", build_elf_core(ONE, lies=Lies(phoff=1 << 63)), "the end of program headers"),
    ("no section header", build_elf_core(ONE, lies=Lies(phnum=0xFFFF)), "counts the segments"),
    (
        "four billion segments",
        build_elf_core(ONE, extended_count=True, lies=Lies(section_info=(1 << 32) - 1)),
        "of which 262144 are read",
    ),
    ("a note too long", build_elf_core(ONE, lies=Lies(extra_notes=b"\xff" * 12)), "a note passes the end"),
    (
        "a file table too long",
        build_elf_core(ONE, lies=Lies(extra_notes=bytes.fromhex("05000000100000004c49464543415245")[:8]
        + b"ELIF" + b"CORE\0\0\0\0" + (1 << 60).to_bytes(8, "little") + bytes(8))),
        "claims 1152921504606846976 entries",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "built", "words"), LIARS, ids=[row[0] for row in LIARS])
def test_headers_that_lie(what, built, words):
    image = parse(built.data)
    said = " ".join([*image.warnings, *(missing.reason for missing in image.missing)])
    assert words in said
    assert_regions_hold(image)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:40], "cut short"),
        (lambda data: data[:54] + b"\x07\x00" + data[56:], "program headers of 7 bytes where 56 are due"),
    ],
)
def test_a_header_that_cannot_be_used_leaves_raw_bytes(damage, words):
    image = parse(damage(build_elf_core(ONE).data))
    assert image.format == "raw"
    assert words in image.warnings[0]
    assert image.warnings[0].startswith("test: at offset 0x")
    assert_regions_hold(image)


def test_overlapping_segments_keep_the_first():
    segments = [Segment(0x1000, b"x" * PAGE), Segment(0x9000, b"y" * PAGE, claimed_offset=300)]
    image = parse(build_elf_core(segments).data)
    assert_regions_hold(image)


def test_notes_are_bounded():
    thread = [CoreThread(tid) for tid in range(1, 4)]
    data = build_elf_core(ONE, threads=thread, lies=Lies(repeat_notes=50)).data
    assert "more than 20 notes" in parse(data, Limits(max_notes=20)).warnings[0]
    assert "only 1000 of" in parse(data, Limits(max_note_bytes=1000)).warnings[0]
    assert len(parse(data, Limits(max_threads=10)).process.threads) == 10


def test_many_missing_ranges_become_one():
    segments = [Segment(n << 20, b"", claimed_offset=1 << 40, claimed_size=8) for n in range(1, 30)]
    image = parse(build_elf_core(segments).data, Limits(max_missing=5))
    assert len(image.missing) == 6
    assert image.missing[-1].reason.endswith("24 further regions")


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3 * PAGE), min_size=0, max_size=12),
    bits=st.sampled_from([32, 64]),
    order=st.sampled_from(["little", "big"]),
    extended=st.booleans(),
    gap=st.binary(max_size=40),
)
def test_what_is_built_is_read(sizes, bits, order, extended, gap):
    segments = [Segment(0x10_0000 * (n + 1), bytes([n + 1]) * size) for n, size in enumerate(sizes)]
    built = build_elf_core(segments, bits=bits, order=order, extended_count=extended, gap=gap)
    image = parse(built.data)
    assert_regions_hold(image)
    assert image.missing == ()
    for offset, address, length in built.places:
        if length:
            assert image.address_of(offset) == address
            assert image.address_of(offset + length - 1) == address + length - 1
            assert image.region_at(offset).permissions == "rw-p"


def test_an_image_error_names_file_and_offset():
    from immure.dumps.elfcore import parse_elf_core
    from immure.dumps.readers import BytesReader

    with pytest.raises(ImageError, match=r"^app.core: at offset 0x0: no ELF core header$"):
        parse_elf_core("app.core", BytesReader(b"nothing"))
