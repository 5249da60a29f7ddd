"""The list of loaded libraries in a core, true and broken."""

from __future__ import annotations

import random
import struct

import pytest

from immure.dumps.detect import parse_image
from immure.dumps.dump import Image
from immure.dumps.limits import Limits
from immure.dumps.linkmap import link_map_places
from immure.dumps.readers import BytesReader
from immure.synth import Segment, build_elf_core

PROGRAM, LINKER, MAPS = 0x5555_0000_0000, 0x7F00_0000_0000, 0x7F10_0000_0000
NAMES = [b"", b"/lib/libc.so.6", b"/lib/libm.so.6"]


def memory(following: int | None = None) -> list[Segment]:
    """A program with a dynamic section, a linker's r_debug, and a chain of three maps; ``following`` is where
    the last one points."""
    program = bytearray(4096)
    headers = [(6, 4, 64, 64), (2, 6, 1024, 1024)]  # PT_PHDR, PT_DYNAMIC: type, flags, offset, address
    for index, (kind, flags, offset, address) in enumerate(headers):
        struct.pack_into("<IIQQQQQQ", program, 64 + 56 * index, kind, flags, offset, address, 0, 112, 112, 8)
    struct.pack_into("<QQQQQQ", program, 1024, 1, 5, 21, LINKER + 256, 0, 0)
    linker = bytearray(4096)
    struct.pack_into("<QQQ", linker, 256, 1, MAPS + 128, 0)
    maps = bytearray(4096)
    for index, name in enumerate(NAMES):
        at, text = 128 + 512 * index, 2048 + 100 * index
        last = index == len(NAMES) - 1
        after = (following or 0) if last else MAPS + at + 512
        struct.pack_into("<QQQQQ", maps, at, 0, MAPS + text if name else 0, 0, after, 0)
        maps[text : text + len(name)] = name
    return [Segment(PROGRAM, bytes(program), 5), Segment(LINKER, bytes(linker)), Segment(MAPS, bytes(maps))]


AUXV = {3: PROGRAM + 64, 4: 56, 5: 2}


def image(segments: list[Segment], auxv: dict[int, int]) -> tuple[bytes, Image]:
    data = build_elf_core(segments, auxv=auxv, process=(7, "p", "p")).data
    return data, parse_image("core", BytesReader(data), Limits())


def test_everything_that_a_debugger_reads_is_named() -> None:
    data, core = image(memory(), AUXV)
    found = [data[offset : offset + length] for offset, length in link_map_places(core)]
    for name in NAMES[1:]:
        assert name + b"\0" in found
    maps = memory()[2].data
    for index in range(3):
        assert maps[128 + 512 * index : 168 + 512 * index] in found
    assert struct.pack("<QQ", 21, LINKER + 256) in found
    assert sum(map(len, found)) < 1000


@pytest.mark.parametrize(
    ("segments", "auxv"),
    [
        (memory(), {}),
        (memory(), {3: 0x10, 4: 56, 5: 2}),
        (memory(), {3: PROGRAM + 64, 4: 56, 5: 1 << 60}),
        (memory(), {3: PROGRAM + 64, 4: 1 << 60, 5: 2}),
        (memory()[:1], AUXV),
        (memory(following=0xDEAD_BEEF), AUXV),
    ],
    ids=["no auxv", "wild table", "many headers", "long headers", "no linker", "wild chain"],
)
def test_what_is_broken_names_nothing(segments: list[Segment], auxv: dict[int, int]) -> None:
    _, core = image(segments, auxv)
    assert link_map_places(core) == []


def test_a_chain_without_an_end_ends() -> None:
    _, core = image(memory(following=MAPS + 128), AUXV)
    assert len(link_map_places(core)) < 50_000


def test_other_images_have_none() -> None:
    assert link_map_places(parse_image("raw", BytesReader(bytes(5000)), Limits())) == []


@pytest.mark.parametrize("seed", range(50))
def test_damaged_cores_raise_nothing(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(image(memory(), AUXV)[0])
    for _ in range(20):
        data[chance.randrange(64, len(data))] = chance.randrange(256)
    core = parse_image("core", BytesReader(bytes(data)), Limits())
    assert all(offset >= 0 and length >= 0 for offset, length in link_map_places(core))
