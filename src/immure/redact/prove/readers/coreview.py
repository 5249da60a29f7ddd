"""The little of an ELF core that has to be known to compare what a debugger says of two of them.

A parser of its own, apart from :mod:`immure.dumps`: where the registers of each thread stand in the file,
which addresses are code, and which file was executed. What is broken is left out. Format: System V ABI (gABI)
chapters 4 and 5; the kernel's ``fs/binfmt_elf.c`` and ``struct user_regs_struct`` of each machine.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.dumps.dump import Reader

_PT_LOAD, _PT_NOTE = 1, 4
_PF_X = 1
_NT_PRSTATUS, _NT_AUXV, _NT_FILE = 1, 6, 0x46494C45
_AT_ENTRY = 9
_MOST_SEGMENTS: Final = 1 << 20
_MOST_NOTE_BYTES: Final = 64 << 20
_MOST_NOTES: Final = 1 << 20

#: By machine and word size: where pr_pid and pr_reg begin in the note, and the registers in order.
_REGISTERS: Final[dict[tuple[int, int], tuple[int, int, tuple[str, ...]]]] = {
    (62, 8): (32, 112, (
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
        "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
    )),
    (183, 8): (32, 112, (*(f"x{number}" for number in range(31)), "sp", "pc", "cpsr")),
}  # fmt: skip


@dataclass
class CoreView:
    """What was read of a core.

    Attributes:
        code: (start, stop) of addresses that could be executed, sorted.
        notes: (start, stop) of notes in the file.
        registers: by thread id, where each register stands in the file; empty if the machine's order is not
            known.
        executable: path of the file that was executed.
    """

    code: list[tuple[int, int]] = field(default_factory=list)
    notes: list[tuple[int, int]] = field(default_factory=list)
    registers: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    executable: str | None = None

    def is_code(self, address: int) -> bool:
        """Whether it could be executed; of a core that does not say so, every address."""
        index = bisect_right(self.code, (address, 1 << 64)) - 1
        return not self.code or (index >= 0 and address < self.code[index][1])

    def comparable(self, thread: int, spans: Sequence[tuple[int, int]]) -> set[str] | None:
        """The registers of a thread no byte of which was erased; None for all, whatever they are called."""
        if not any(_touches(note, spans) for note in self.notes):
            return None
        places = self.registers.get(thread, {})
        return {name for name, place in places.items() if not _touches(place, spans)}


def _touches(place: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether sorted spans that do not overlap have a byte in common with it."""
    index = max(0, bisect_right(spans, (place[0], 1 << 64)) - 1)
    return any(start < place[1] and stop > place[0] for start, stop in spans[index : index + 2])


@dataclass(frozen=True, slots=True)
class _Layout:
    prefix: str
    word: int
    machine: int

    def unpack(self, letters: str, data: bytes, at: int = 0) -> tuple[int, ...] | None:
        """Fields of the file's byte order, ``W`` being a word; None if they are not all there."""
        layout = struct.Struct(self.prefix + letters.replace("W", "Q" if self.word == 8 else "I"))
        return layout.unpack_from(data, at) if 0 <= at <= len(data) - layout.size else None


def view_core(reader: Reader) -> CoreView:
    """What can be read of a core; never raises for its contents."""
    view = CoreView()
    head = reader.read(0, 64)
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return view
    prefix, word = "<" if head[5] == 1 else ">", 4 * head[4]
    layout = _Layout(prefix, word, int.from_bytes(head[18:20], "little" if prefix == "<" else "big"))
    auxv: dict[int, int] = {}
    files: list[tuple[int, int, str]] = []
    for kind, flags, offset, address, file_size, memory_size in _segments(reader, head, layout):
        if kind == _PT_LOAD and flags & _PF_X:
            view.code.append((address, address + memory_size))
        elif kind == _PT_NOTE:
            view.notes.append((offset, offset + file_size))
            _read_notes(reader, offset, min(file_size, _MOST_NOTE_BYTES), layout, view, auxv, files)
    view.code.sort()
    entry = auxv.get(_AT_ENTRY, -1)
    view.executable = next((name for start, stop, name in files if start <= entry < stop), None)
    return view


def _segments(reader: Reader, head: bytes, layout: _Layout) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Type, flags, offset, virtual address, size in the file, size in memory."""
    wide = layout.word == 8
    fields = layout.unpack("WWIHHH", head, 32 if wide else 28)
    if fields is None:
        return
    table, sections, _, _, entry, count = fields
    if count == 0xFFFF:  # PN_XNUM: the number stands in the first section header
        info = layout.unpack("I", reader.read(sections + (44 if wide else 28), 4))
        count = info[0] if info else 0
    for index in range(min(count, _MOST_SEGMENTS)):
        values = layout.unpack("IIWWWWW" if wide else "IWWWWWI", reader.read(table + index * entry, 56))
        if values is None:
            return
        if wide:
            kind, flags, offset, address, _, file_size, memory_size = values
        else:
            kind, offset, address, _, file_size, memory_size, flags = values
        yield kind, flags, offset, address, file_size, memory_size


def _read_notes(
    reader: Reader,
    base: int,
    length: int,
    layout: _Layout,
    view: CoreView,
    auxv: dict[int, int],
    files: list[tuple[int, int, str]],
) -> None:
    data, at = reader.read(base, length), 0
    for _ in range(_MOST_NOTES):
        header = layout.unpack("III", data, at)
        if header is None:
            return
        name_size, size, kind = header
        start = at + 12 + (name_size + 3) // 4 * 4
        body = data[start : start + size]
        if kind == _NT_PRSTATUS:
            _take_registers(body, base + start, layout, view)
        elif kind == _NT_AUXV:
            for place in range(0, min(len(body), 4096), 2 * layout.word):
                auxv.update([pair] if (pair := layout.unpack("WW", body, place)) else [])  # type: ignore[list-item]
        elif kind == _NT_FILE:
            files.extend(_mapped_files(body, layout))
        at = start + (size + 3) // 4 * 4


def _take_registers(body: bytes, base: int, layout: _Layout, view: CoreView) -> None:
    known = _REGISTERS.get((layout.machine, layout.word))
    pid = layout.unpack("I", body, known[0]) if known else None
    if known is None or pid is None:
        return
    _, first, names = known
    places = {name: base + first + layout.word * index for index, name in enumerate(names)}
    view.registers[pid[0]] = {name: (place, place + layout.word) for name, place in places.items()}


def _mapped_files(body: bytes, layout: _Layout) -> Iterator[tuple[int, int, str]]:
    """Count, page size; (start, end, page) each; then as many names that end in a zero."""
    head = layout.unpack("WW", body)
    if head is None or head[0] > len(body) // (3 * layout.word):
        return
    names = body[(2 + 3 * head[0]) * layout.word :].split(b"\0")
    for index, name in zip(range(head[0]), names, strict=False):
        start, stop = layout.unpack("WW", body, (2 + 3 * index) * layout.word) or (0, 0)
        yield start, stop, name.decode(errors="replace")
