"""Good images to start from, made by immure.synth."""

from __future__ import annotations

from immure.synth import (
    CoreThread,
    Lies,
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

MEMORY = bytes(ordinary_memory(3000, seed=1))
THREADS = [CoreThread(71, 0x7000_0010, 0x5000_0000), CoreThread(72, 0x6000_0010)]
SEGMENTS = [
    Segment(0x5000_0000, MEMORY[:1000], 5),
    Segment(0x6000_0000, MEMORY[1000:2000], 6, memory_size=4096),
    Segment(0x7000_0000, MEMORY[2000:], 6),
]
FILES = [(0x5000_0000, 0x5000_1000, "/usr/bin/signer"), (0x5000_1000, 0x5000_2000, "/usr/lib/libc.so.6")]


def images(kind: str) -> list[bytes]:
    """Images of one kind: ``elf``, ``minidump``, ``hprof``, ``lime`` or ``avml``."""
    return {"elf": _elf, "minidump": _minidump, "hprof": _hprof, "lime": _lime, "avml": _avml}[kind]()


def _elf() -> list[bytes]:
    found = []
    for bits, order, machine in ((64, "little", 62), (64, "big", 22), (32, "little", 3), (32, "big", 20)):
        for extended in (False, True):
            built = build_elf_core(
                SEGMENTS,
                bits=bits,
                order=order,
                machine=machine,
                threads=THREADS,
                files=FILES,
                process=(71, "signer", "signer --port 8443"),
                auxv={3: 0x5000_0040, 33: 0x7000_0000},
                extended_count=extended,
                lies=Lies(repeat_notes=1 + extended),
                gap=b"gap",
            )
            found.append(built.data)
    return found


def _minidump() -> list[bytes]:
    memory = [(segment.address, segment.data) for segment in SEGMENTS]
    modules = [Module(0x5000_0000, 4096, "C:\\signer.exe"), Module(0x5000_2000, 4096, "ntdll.dll")]
    return [
        build_minidump(
            memory,
            full=full,
            architecture=architecture,
            threads=THREADS,
            modules=modules,
            pid=71,
            exception=0xC0000005,
            protections=[(0x5000_0000, 4096, 0x20), (0x6000_0000, 4096, 4)],
        ).data
        for full in (True, False)
        for architecture in (9, 0, 12)
    ]


def _hprof() -> list[bytes]:
    return [
        build_hprof(["key", "value"] * 5, [MEMORY[:500]] * 3, [[1, 2, 3]] * 9, segment_arrays=4).data,
        build_hprof(["a"], [MEMORY], version="1.0.1", identifier_bytes=4).data,
    ]


def _lime() -> list[bytes]:
    ranges = [Range(0x1000 * n, MEMORY[: 100 * n]) for n in range(1, 9)]
    return [build_lime(ranges).data, build_lime(ranges[:1]).data]


def _avml() -> list[bytes]:
    ranges = [Range(0x1000, MEMORY), Range(0x10_0000, bytes(5000) + MEMORY[:77])]
    return [build_avml(ranges).data, build_avml([Range(0, bytes(100_000))]).data]
