"""The notes of an ELF core: threads, process, mapped files, auxiliary vector.

A note is three 32-bit words (name size, descriptor size, type), the name, the descriptor, each padded to
4 bytes (gABI chapter 5; Linux cores use 4 also in 64-bit files). Descriptors are the kernel's ``struct
elf_prstatus`` and ``elf_prpsinfo`` (``include/linux/elfcore.h``), and ``NT_FILE`` (``fs/binfmt_elf.c``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from immure.dumps.dump import Process, Reader, Thread
from immure.dumps.tables import FAR, Window, printable

if TYPE_CHECKING:
    from immure.dumps.elfheader import Header, Segment
    from immure.dumps.limits import Limits

NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_FILE = 1, 3, 6, 0x46494C45
_MAX_DESCRIPTOR = 16 << 20  # the kernel writes at most 4 MiB of NT_FILE
_NOTE = 12

#: machine (``e_machine``): its name, index of the stack pointer and of the program counter in ``pr_reg``
_MACHINES: dict[int, tuple[str, int, int]] = {
    3: ("i386", 15, 12),
    20: ("ppc", 1, 32),
    21: ("ppc64", 1, 32),
    22: ("s390x", 17, 1),
    40: ("arm", 13, 15),
    62: ("x86_64", 19, 16),
    183: ("aarch64", 31, 32),
    243: ("riscv", 2, 0),
    258: ("loongarch", 3, 33),
}


@dataclass(frozen=True, slots=True)
class MappedFile:
    """An entry of ``NT_FILE``: addresses [start, end) held the file ``name``."""

    start: int
    end: int
    name: str


@dataclass
class CoreNotes:
    """What the notes say."""

    threads: list[Thread] = field(default_factory=list)
    files: list[MappedFile] = field(default_factory=list)
    auxv: dict[int, int] = field(default_factory=dict)
    signal: int | None = None
    pid: int | None = None
    name: str | None = None
    command_line: str | None = None
    warnings: list[str] = field(default_factory=list)

    def process(self, machine: int) -> Process:
        """The process as :class:`Image` wants it."""
        known = _MACHINES.get(machine)
        pid = self.pid if self.pid is not None else (self.threads[0].tid if self.threads else None)
        return Process(
            pid, self.name, self.command_line, self.signal, tuple(self.threads),
            known[0] if known else f"machine {machine}",
        )  # fmt: skip


def read_notes(
    path: str, reader: Reader, segments: Sequence[Segment], header: Header, limits: Limits
) -> CoreNotes:
    """Read all ``PT_NOTE`` segments, as far as the limits go; what is broken becomes a warning."""
    notes = CoreNotes()
    budget = limits.max_note_bytes
    count = limits.max_notes
    for segment in segments:
        length = min(segment.file_size, budget, max(0, FAR - segment.offset))
        if length < segment.file_size:
            notes.warnings.append(
                f"{path}: at offset {segment.offset:#x}: only {length} of {segment.file_size} bytes of notes"
                " are read: the limit"
            )
        budget -= length
        window = Window(reader, segment.offset, segment.offset + length)
        count = _read_segment(path, window, segment.offset + length, header, notes, count, limits)
        if count <= 0:
            notes.warnings.append(f"{path}: more than {limits.max_notes} notes: the rest is not read")
            break
    return notes


def _read_segment(
    path: str, window: Window, stop: int, header: Header, notes: CoreNotes, count: int, limits: Limits
) -> int:
    layout = struct.Struct(header.prefix + "III")
    handlers = _handlers(header, notes, limits)
    while count > 0 and window.position + _NOTE <= stop:
        start = window.position
        head = window.unpack(layout)
        if head is None:
            break
        name_size, size, kind = head
        end = start + _NOTE + _padded(name_size) + _padded(size)
        if end > stop + 3:  # the last one's padding may be left out
            notes.warnings.append(f"{path}: at offset {start:#x}: a note passes the end of its segment")
            break
        handler = handlers.get(kind) if window.peek(min(name_size, 4)) == b"CORE" else None
        if handler and size <= _MAX_DESCRIPTOR:
            window.position += _padded(name_size)
            handler(window.take(size))
        window.position = end
        count -= 1
    return count


def _padded(size: int) -> int:
    return (size + 3) & ~3


def _handlers(header: Header, notes: CoreNotes, limits: Limits) -> dict[int, Callable[[bytes], None]]:
    def status(descriptor: bytes) -> None:
        if len(notes.threads) < limits.max_threads:
            _status(descriptor, header, notes)

    return {
        NT_PRSTATUS: status,
        NT_PRPSINFO: lambda descriptor: _process_info(descriptor, header, notes),
        NT_AUXV: lambda descriptor: _auxv(descriptor, header, notes),
        NT_FILE: lambda descriptor: _files(descriptor, header, notes, limits),
    }


def _status(descriptor: bytes, header: Header, notes: CoreNotes) -> None:
    """``struct elf_prstatus``: siginfo (12 bytes), cursig, two signal sets, four ids, four times,
    registers."""
    word = header.word_size
    pid_at, registers_at = (32, 112) if word == 8 else (24, 72)
    if len(descriptor) < registers_at:
        return
    if notes.signal is None:
        notes.signal = struct.unpack_from(header.prefix + "h", descriptor, 12)[0] or None
    (tid,) = struct.unpack_from(header.prefix + "i", descriptor, pid_at)

    def register(index: int) -> int | None:
        at = registers_at + index * word
        raw = descriptor[at : at + word]
        return int.from_bytes(raw, header.byte_order) if len(raw) == word else None

    known = _MACHINES.get(header.machine)
    if header.machine == 62 and word == 4:  # x32: 64-bit registers in a 32-bit file
        known = None
    stack_pointer, counter = (register(known[1]), register(known[2])) if known else (None, None)
    notes.threads.append(Thread(tid, stack_pointer, counter))


def _process_info(descriptor: bytes, header: Header, notes: CoreNotes) -> None:
    """``struct elf_prpsinfo``; user ids are 16 bits wide in 32-bit x86 and ARM files (124 bytes), else 32."""
    if header.word_size == 8:
        pid_at, name_at = 24, 40
    else:
        pid_at, name_at = (12, 28) if len(descriptor) <= 124 else (16, 32)
    if len(descriptor) < name_at + 96:
        return
    (notes.pid,) = struct.unpack_from(header.prefix + "i", descriptor, pid_at)
    notes.name = printable(descriptor[name_at : name_at + 16].split(b"\0")[0])
    arguments = descriptor[name_at + 16 : name_at + 96].split(b"\0")[0]
    notes.command_line = printable(arguments.rstrip(b" "))


def _auxv(descriptor: bytes, header: Header, notes: CoreNotes) -> None:
    layout = struct.Struct(header.prefix + ("QQ" if header.word_size == 8 else "II"))
    whole = min(len(descriptor) // layout.size, 256)
    for key, value in layout.iter_unpack(descriptor[: whole * layout.size]):
        notes.auxv.setdefault(key, value)


def _files(descriptor: bytes, header: Header, notes: CoreNotes, limits: Limits) -> None:
    """Count, page size, (start, end, page offset) each, then as many zero-terminated names."""
    letter = "Q" if header.word_size == 8 else "I"
    head, entry = struct.Struct(header.prefix + letter * 2), struct.Struct(header.prefix + letter * 3)
    if len(descriptor) < head.size:
        return
    count = head.unpack_from(descriptor)[0]
    room = min((len(descriptor) - head.size) // entry.size, limits.max_regions - len(notes.files))
    if count > room:
        notes.warnings.append(f"the table of mapped files claims {count} entries and has room for {room}")
        return
    names_at = head.size + count * entry.size
    names = descriptor[names_at:].split(b"\0", count)
    seen: dict[bytes, str] = {}
    for (start, end, _), raw in zip(entry.iter_unpack(descriptor[head.size : names_at]), names, strict=False):
        if raw not in seen:
            seen[raw] = printable(raw)
        notes.files.append(MappedFile(start, end, seen[raw]))
