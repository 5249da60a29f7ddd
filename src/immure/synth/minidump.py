"""Windows minidumps (``minidumpapiset.h``)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from immure.synth.elf import CoreThread
from immure.synth.memory import Built

_CONTEXT = {9: (1232, 0x98, 0xF8, 8), 0: (716, 0xC4, 0xB8, 4), 12: (912, 0x100, 0x108, 8)}


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded module: base address, size in bytes, name."""

    base: int
    size: int
    name: str


def build_minidump(
    memory: Sequence[tuple[int, bytes]],
    *,
    full: bool = True,
    architecture: int = 9,
    threads: Sequence[CoreThread] = (),
    modules: Sequence[Module] = (),
    pid: int | None = None,
    exception: int | None = None,
    protections: Sequence[tuple[int, int, int]] = (),
    claimed_count: int | None = None,
) -> Built:
    """A minidump of ``memory``, pairs of address and bytes.

    Args:
        memory: ranges; a thread's stack is the range that its stack pointer is in.
        full: ``Memory64List`` (memory at the end of the file) instead of ``MemoryList``.
        architecture: 9 (AMD64), 0 (x86) or 12 (ARM64).
        threads, modules: for ThreadList and ModuleList.
        pid, exception: for MiscInfo and Exception streams.
        protections: (address, length, ``PAGE_*`` constant) for MemoryInfoList.
        claimed_count: what the memory list says that it holds, instead of the truth.
    """
    optional = (pid is not None) + (exception is not None) + bool(protections)
    writer = _Writer(bytearray(32 + 12 * (4 + optional)))
    if not full:
        writer.put_memory(memory)
    writer.stream(7, struct.pack("<HHHBBIIII24x", architecture, 6, 0, 4, 1, 10, 0, 19045, 2))
    writer.stream(3, _threads(writer.out, threads, memory, writer.blobs, architecture))
    writer.stream(4, _modules(writer.out, modules))
    if pid is not None:
        writer.stream(15, struct.pack("<III12x", 24, 1, pid))
    if exception is not None:
        writer.stream(6, struct.pack("<IIII152x", 1, 0, exception, 0))
    if protections:
        writer.stream(16, _protections(protections))
    count = len(memory) if claimed_count is None else claimed_count
    if full:
        at = len(writer.out) + 16 + 16 * len(memory)
        ranges = (struct.pack("<QQ", address, len(data)) for address, data in memory)
        writer.stream(9, struct.pack("<QQ", count, at) + b"".join(ranges))
        writer.put_memory(memory)
    else:
        ranges = (
            struct.pack("<QII", address, len(data), at)
            for (address, data), at in zip(memory, writer.blobs, strict=True)
        )
        writer.stream(5, struct.pack("<I", count) + b"".join(ranges))
    return writer.finish(2 if full else 0, memory)


@dataclass
class _Writer:
    """The file while it is written: room for header and directory comes first."""

    out: bytearray
    directory: list[tuple[int, int, int]] = field(default_factory=list)
    blobs: list[int] = field(default_factory=list)

    def stream(self, kind: int, data: bytes) -> None:
        self.directory.append((kind, len(data), len(self.out)))
        self.out += data

    def put_memory(self, memory: Sequence[tuple[int, bytes]]) -> None:
        for _, data in memory:
            self.blobs.append(len(self.out))
            self.out += data

    def finish(self, flags: int, memory: Sequence[tuple[int, bytes]]) -> Built:
        header = (b"MDMP", 0xA793, len(self.directory), 32, 0, 0, flags)
        struct.pack_into("<4sIIIIIQ", self.out, 0, *header)
        for index, entry in enumerate(self.directory):
            struct.pack_into("<III", self.out, 32 + 12 * index, *entry)
        places = [(at, address, len(data)) for (address, data), at in zip(memory, self.blobs, strict=True)]
        return Built(bytes(self.out), tuple(places))


def _protections(protections: Sequence[tuple[int, int, int]]) -> bytes:
    infos = (
        struct.pack("<QQIIQIIII", at, at, protection, 0, length, 0x1000, protection, 0x20000, 0)
        for at, length, protection in protections
    )
    return struct.pack("<IIQ", 16, 48, len(protections)) + b"".join(infos)


def _threads(
    out: bytearray,
    threads: Sequence[CoreThread],
    memory: Sequence[tuple[int, bytes]],
    blobs: Sequence[int],
    architecture: int,
) -> bytes:
    """ThreadList; contexts go to the end of ``out``; full dumps do not repeat where the stacks are."""
    size, stack_at, counter_at, word = _CONTEXT[architecture]
    entries = b""
    for thread in threads:
        context = bytearray(size)
        context[stack_at : stack_at + word] = thread.stack_pointer.to_bytes(word, "little")
        context[counter_at : counter_at + word] = thread.program_counter.to_bytes(word, "little")
        context_at = len(out)
        out += context
        stack, length, place = 0, 0, 0
        for index, (address, data) in enumerate(memory):
            if address <= thread.stack_pointer < address + len(data):
                stack = address
                length, place = (len(data), blobs[index]) if blobs else (0, 0)
        entries += struct.pack("<IIIIQQIIII", thread.tid, 0, 0, 0, 0, stack, length, place, size, context_at)
    return struct.pack("<I", len(threads)) + entries


def _modules(out: bytearray, modules: Sequence[Module]) -> bytes:
    entries = b""
    for module in modules:
        name = module.name.encode("utf-16-le")
        at = len(out)
        out += struct.pack("<I", len(name)) + name + b"\0\0"
        entries += struct.pack("<QIIII", module.base, module.size, 0, 0, at) + bytes(52 + 8 + 8 + 16)
    return struct.pack("<I", len(modules)) + entries
