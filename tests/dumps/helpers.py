"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

from immure.dumps import Image, Reader, Unreadable, open_images
from immure.dumps.detect import parse_image
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.synth import (
    CoreThread,
    Module,
    Range,
    Segment,
    build_avml,
    build_elf_core,
    build_hprof,
    build_lime,
    build_minidump,
    ordinary_memory,
)

PAGE = 4096
MEMORY = bytes(ordinary_memory(5 * PAGE, seed=1))


def samples() -> dict[str, bytes]:
    """A good image of every format."""
    threads = [CoreThread(71, 0x7000_0010, 0x5000_0000), CoreThread(72, 0x7100_0010)]
    segments = [
        Segment(0x5000_0000, MEMORY[:PAGE], 5),
        Segment(0x6000_0000, MEMORY[PAGE : 2 * PAGE]),
        Segment(0x7000_0000, MEMORY[2 * PAGE : 3 * PAGE]),
        Segment(0x7100_0000, b"stack" * 100),
    ]
    files = [(0x5000_0000, 0x5000_1000, "/usr/bin/signer")]
    memory = [(s.address, s.data) for s in segments]
    modules = [Module(0x5000_0000, PAGE, "C:\\Program Files\\signer.exe")]
    details = {"threads": threads, "files": files, "process": (71, "signer", "signer --port 8443")}
    ranges = [Range(0x1000, MEMORY[:PAGE]), Range(0x10_0000, MEMORY[PAGE:])]
    return {
        "elf64": build_elf_core(segments, auxv={9: 0x5000_0000}, **details).data,
        "elf64-big": build_elf_core(segments, order="big", machine=22, **details).data,
        "elf32": build_elf_core(segments, bits=32, machine=3, **details).data,
        "elf32-big": build_elf_core(segments, bits=32, order="big", machine=20, **details).data,
        "elf-xnum": build_elf_core(segments, extended_count=True, **details).data,
        "minidump": build_minidump(
            memory,
            threads=threads,
            modules=modules,
            pid=71,
            exception=5,
            protections=[(0x6000_0000, PAGE, 4)],
        ).data,
        "minidump-small": build_minidump(memory, full=False, threads=threads, modules=modules).data,
        "hprof": build_hprof(["key", "value"] * 9, [MEMORY[:PAGE]] * 3, [[1, 2, 3]] * 30).data,
        "hprof-old": build_hprof(["a"], [MEMORY], version="1.0.1", identifier_bytes=4).data,
        "lime": build_lime(ranges).data,
        "avml": build_avml(ranges).data,
    }


def parse(data: bytes, limits: Limits | None = None, path: str = "test") -> Image:
    """The image in ``data``; must not be compressed."""
    return parse_image(path, BytesReader(data), limits or Limits())


def read_all(reader: Reader) -> bytes:
    """All bytes, until a short read."""
    out = b""
    while piece := reader.read(len(out), 1 << 20):
        out += piece
    return out


def opened(path: Path, limits: Limits | None = None) -> list[Image | Unreadable]:
    """All that ``open_images`` yields, settled."""
    found = list(open_images(path, limits=limits))
    for image in found:
        if isinstance(image, Image):
            image.settle()
    return found


def assert_regions_hold(image: Image) -> None:
    """The promise of :class:`Image`: sorted, not overlapping, covering, and all values in range."""
    position = 0
    for region in image.regions:
        assert region.offset == position
        assert region.length > 0
        position = region.end
        assert region.address is None or 0 <= region.address <= region.address + region.length <= 1 << 65
    assert position == image.reader.size
    for missing in image.missing:
        assert missing.length >= 0
        assert missing.offset is None or 0 <= missing.offset < 1 << 63
        assert missing.reason
