"""Windows minidumps (also those that Breakpad and Crashpad write on other systems).

A header, a directory of typed streams, memory ranges anywhere. Format: ``minidumpapiset.h``
(MINIDUMP_HEADER and the structures named below); layouts of thread contexts: ``winnt.h``. All little-endian.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from immure.dumps.dump import Image, Process, Reader, Region, Thread
from immure.dumps.limits import Limits
from immure.dumps.tables import Window, beyond_end, cover, printable
from immure.errors import ImageError

_HEADER = struct.Struct("<4sIIIIIQ")
_DIRECTORY = struct.Struct("<III")
_THREAD = struct.Struct("<IIIIQQIIII")
_MODULE = struct.Struct("<QIIII52xIIII16x")
_MEMORY = struct.Struct("<QII")
_MEMORY64 = struct.Struct("<QQ")
_INFO = struct.Struct("<QQIIQIIII")
_VERSION = 0xA793
_MAX_STREAMS = 4096
_WITH_FULL_MEMORY = 2  # MiniDumpWithFullMemory
_MEMORY64_LIST = 9
_MAX_NAME = 2048

#: ProcessorArchitecture: name, word size, places of stack pointer and program counter in the thread's context
_MACHINES: dict[int, tuple[str, Literal[4, 8], int, int]] = {
    0: ("i386", 4, 0xC4, 0xB8),
    5: ("arm", 4, 0x38, 0x40),
    9: ("x86_64", 8, 0x98, 0xF8),
    12: ("aarch64", 8, 0x100, 0x108),
}
_PROTECTIONS = {
    0x01: "---p", 0x02: "r--p", 0x04: "rw-p", 0x08: "rw-p", 0x10: "--xp", 0x20: "r-xp", 0x40: "rwxp", 0x80:
    "rwxp",
}  # fmt: skip


@dataclass
class _Contents:
    """What the streams said."""

    claims: list[Region] = field(default_factory=list)
    memory: list[Region] = field(default_factory=list)
    threads: list[tuple[int, int, int]] = field(default_factory=list)  # id, context length and offset
    stacks: list[tuple[int, int]] = field(default_factory=list)  # an address in it, thread id
    modules: list[tuple[int, int, str]] = field(default_factory=list)
    protections: list[tuple[int, int, str]] = field(default_factory=list)
    machine: int | None = None
    pid: int | None = None
    exception: int | None = None
    is_full: bool = False
    warnings: list[str] = field(default_factory=list)


def detect(head: bytes) -> bool:
    """Whether a file begins with a minidump header."""
    return head[:4] == b"MDMP" and head[4:6] == _VERSION.to_bytes(2, "little")


def parse_minidump(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """The image in a minidump.

    Raises:
        ImageError: the header cannot be used.
    """
    limits = limits or Limits()
    head = reader.read(0, _HEADER.size)
    if len(head) < _HEADER.size or not detect(head):
        raise ImageError("no minidump header", path=path, offset=0)
    _, _, count, directory_at, _, _, flags = _HEADER.unpack(head)
    contents = _Contents()
    contents.claims.append(Region(0, _HEADER.size, name="minidump header", kind="header"))
    if count > _MAX_STREAMS:
        contents.warnings.append(f"{path}: {count} streams, of which {_MAX_STREAMS} are read: the limit")
    taken = min(count, _MAX_STREAMS)
    directory = Region(directory_at, taken * _DIRECTORY.size, name="stream directory", kind="header")
    contents.claims.append(directory)
    raw = reader.read(directory_at, directory.length)
    for kind, length, offset in _DIRECTORY.iter_unpack(raw[: len(raw) // 12 * 12]):
        _read_stream(path, reader, kind, length, offset, contents, limits)
        contents.is_full |= kind == _MEMORY64_LIST
    if not contents.is_full and not flags & _WITH_FULL_MEMORY:
        contents.warnings.append(
            f"{path}: holds only parts of the process's memory, mostly stacks, as its writer was told:"
            " the rest is not in the image"
        )
    return _image(path, reader, contents, limits)


def _read_stream(
    path: str, reader: Reader, kind: int, length: int, offset: int, contents: _Contents, limits: Limits
) -> None:
    name = _STREAMS.get(kind)
    if kind == 0 or not length:
        return
    title = f"{name[0]} stream" if name else f"stream of type {kind}"
    contents.claims.append(Region(offset, length, name=title, kind="header"))
    if name is None:
        return
    room = limits.max_regions - len(contents.memory) - len(contents.modules) - len(contents.protections)
    stream = _Stream(
        Window(reader, offset, offset + length),
        reader,
        max(0, room),
        limits.max_threads - len(contents.threads),
    )
    name[1](stream, contents)
    if stream.problem:
        contents.warnings.append(f"{path}: at offset {offset:#x}: {title}: {stream.problem}")


@dataclass
class _Stream:
    """One stream while it is read. ``room`` bounds the entries that are believed."""

    window: Window
    reader: Reader
    room: int
    thread_room: int
    problem: str | None = None

    def number(self, layout: str) -> int:
        fields = self.window.unpack(struct.Struct(layout))
        if fields is None:
            self.problem = "cut short"
            return 0
        return fields[0]

    def entries(self, count: int, layout: struct.Struct, most: int) -> Iterator[tuple[int, ...]]:
        """At most ``count`` entries, as many as there are."""
        if count > most:
            self.problem = f"{count} entries, of which {most} are read: the limit"
        for _ in range(min(count, most)):
            fields = self.window.unpack(layout)
            if fields is None:
                self.problem = f"claims {count} entries and has not as many"
                return
            yield fields

    def text(self, offset: int) -> str:
        """A MINIDUMP_STRING: length in bytes, UTF-16."""
        head = self.reader.read(offset, 4)
        length = min(int.from_bytes(head, "little"), _MAX_NAME)
        raw = self.reader.read(offset + 4, length)
        return printable(raw.decode("utf-16-le", "replace").encode("utf-8", "backslashreplace"))


def _memory_list(stream: _Stream, contents: _Contents) -> None:
    count = stream.number("<I")
    for address, length, offset in stream.entries(count, _MEMORY, stream.room):
        contents.memory.append(Region(offset, length, address))


def _memory64_list(stream: _Stream, contents: _Contents) -> None:
    count, offset = stream.number("<Q"), stream.number("<Q")
    for address, length in stream.entries(count, _MEMORY64, stream.room):
        contents.memory.append(Region(offset, length, address))
        offset += length


def _thread_list(stream: _Stream, contents: _Contents) -> None:
    count = stream.number("<I")
    for fields in stream.entries(count, _THREAD, stream.thread_room):
        tid, stack, length, offset = fields[0], fields[5], fields[6], fields[7]
        contents.threads.append((tid, fields[8], fields[9]))
        contents.claims.append(Region(fields[9], fields[8], name=f"registers of thread {tid}", kind="notes"))
        contents.stacks.append((stack, tid))
        contents.memory.append(Region(offset, length, stack))


def _module_list(stream: _Stream, contents: _Contents) -> None:
    count = stream.number("<I")
    for fields in stream.entries(count, _MODULE, stream.room):
        base, size, name_at = fields[0], fields[1], fields[4]
        contents.modules.append((base, base + size, stream.text(name_at)))


def _memory_info(stream: _Stream, contents: _Contents) -> None:
    head, entry, count = stream.number("<I"), stream.number("<I"), stream.number("<Q")
    if head != 16 or entry != _INFO.size:
        stream.problem = "entries of an unknown size"
        return
    for fields in stream.entries(count, _INFO, stream.room):
        permissions = _PROTECTIONS.get(fields[6] & 0xFF)
        if permissions:
            contents.protections.append((fields[0], fields[0] + fields[4], permissions))


def _system_info(stream: _Stream, contents: _Contents) -> None:
    contents.machine = stream.number("<H")


def _exception(stream: _Stream, contents: _Contents) -> None:
    stream.number("<Q")
    contents.exception = stream.number("<I")


def _misc_info(stream: _Stream, contents: _Contents) -> None:
    stream.number("<I")
    if stream.number("<I") & 1:  # MINIDUMP_MISC1_PROCESS_ID
        contents.pid = stream.number("<I")


_STREAMS: dict[int, tuple[str, Callable[[_Stream, _Contents], None]]] = {
    3: ("thread list", _thread_list),
    4: ("module list", _module_list),
    5: ("memory list", _memory_list),
    6: ("exception", _exception),
    7: ("system information", _system_info),
    9: ("64-bit memory list", _memory64_list),
    15: ("miscellaneous information", _misc_info),
    16: ("memory information", _memory_info),
}


def _image(path: str, reader: Reader, contents: _Contents, limits: Limits) -> Image:
    machine = _MACHINES.get(contents.machine if contents.machine is not None else -1)
    threads = tuple(_thread(reader, entry, machine) for entry in contents.threads)
    pointers = ((thread.stack_pointer, thread.tid) for thread in threads)
    stacks = sorted({*contents.stacks, *((at, tid) for at, tid in pointers if at is not None)})
    names = _Ranges([*contents.modules])
    protections = _Ranges(contents.protections)
    for memory in contents.memory:
        address = memory.address or 0
        index = bisect_left(stacks, (address, 0))
        if index < len(stacks) and stacks[index][0] < address + memory.length:
            name = f"[stack] of thread {stacks[index][1]}"
        else:
            name = names.at(address) or "memory"
        permissions = protections.at(address)
        contents.claims.append(Region(memory.offset, memory.length, memory.address, name, permissions))
    size = reader.size or 0
    # Breakpad and Crashpad write paths of other systems
    command = contents.modules[0][2].replace("\\", "/").rsplit("/", 1)[-1] if contents.modules else None
    process = Process(
        contents.pid, command, None, contents.exception, threads, machine[0] if machine else None
    )
    return Image(
        path, "minidump", reader, cover(contents.claims, size, "streams and unclaimed bytes"),
        beyond_end(contents.claims, size, limits.max_missing), process, machine[1] if machine else 8,
        warnings=tuple(contents.warnings),
    )  # fmt: skip


def _thread(
    reader: Reader, entry: tuple[int, int, int], machine: tuple[str, Literal[4, 8], int, int] | None
) -> Thread:
    tid, length, offset = entry
    if machine is None:
        return Thread(tid)
    _, word, stack_at, counter_at = machine
    context = reader.read(offset, min(length, max(stack_at, counter_at) + word))

    def register(at: int) -> int | None:
        raw = context[at : at + word]
        return int.from_bytes(raw, "little") if len(raw) == word else None

    return Thread(tid, register(stack_at), register(counter_at))


class _Ranges:
    """Names of address ranges."""

    def __init__(self, ranges: list[tuple[int, int, str]]) -> None:
        self._ranges = sorted(ranges)
        self._starts = [start for start, _, _ in self._ranges]

    def at(self, address: int) -> str | None:
        """The name of the range that begins last before ``address``, if it reaches so far."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._ranges[index][1]:
            return None
        return self._ranges[index][2]
