"""ELF cores, true or lying, of either width and byte order (System V gABI; Linux ``elfcore.h``)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immure.synth.memory import Built

_SP_PC = {3: (15, 12, 17), 62: (19, 16, 27), 183: (31, 32, 34)}  # machine: places of sp and pc, registers


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of memory: ``flags`` as ``PF_X`` 1, ``PF_W`` 2, ``PF_R`` 4.

    ``memory_size`` defaults to the data's length. ``claimed_offset`` and ``claimed_size`` are what the
    program header says instead of the truth.
    """

    address: int
    data: bytes
    flags: int = 6
    memory_size: int | None = None
    claimed_offset: int | None = None
    claimed_size: int | None = None


@dataclass(frozen=True, slots=True)
class CoreThread:
    """A thread: id, stack pointer, program counter, signal."""

    tid: int
    stack_pointer: int = 0
    program_counter: int = 0
    signal: int = 6


@dataclass(frozen=True, slots=True)
class Lies:
    """Header fields to put instead of the truth; ``repeat_notes`` writes the notes so many times."""

    phentsize: int | None = None
    phnum: int | None = None
    phoff: int | None = None
    section_info: int | None = None
    repeat_notes: int = 1
    extra_notes: bytes = b""


@dataclass(frozen=True, slots=True)
class _Form:
    bits: int
    order: str

    @property
    def mark(self) -> str:
        return "<" if self.order == "little" else ">"

    def pack(self, codes: str, *values: int) -> bytes:
        """``W`` is a word of the file's width."""
        return struct.pack(self.mark + codes.replace("W", "Q" if self.bits == 64 else "I"), *values)


def build_elf_core(
    segments: Sequence[Segment],
    *,
    bits: int = 64,
    order: str = "little",
    machine: int = 62,
    threads: Sequence[CoreThread] = (),
    files: Sequence[tuple[int, int, str]] = (),
    process: tuple[int, str, str] | None = None,
    auxv: Mapping[int, int] | None = None,
    extended_count: bool = False,
    lies: Lies | None = None,
    gap: bytes = b"",
) -> Built:
    """A core file.

    Args:
        segments: memory, written in this order.
        bits, order: 32 or 64; ``little`` or ``big``.
        machine: ``e_machine``; registers are placed for 3 (i386), 62 (x86-64) and 183 (AArch64).
        threads, files, process, auxv: for the notes; files as (start, end, name), process as (pid, name,
        arguments). extended_count: count the segments in section header 0, as files with 65,535 or more must.
        lies: what the headers say instead of the truth.
        gap: bytes between notes and memory that no header claims.
    """
    form, lies = _Form(bits, order), lies or Lies()
    header_size, entry_size = (64, 56) if bits == 64 else (52, 32)
    section_size = 64 if bits == 64 else 40
    notes = _notes(form, machine, threads, files, process, auxv) * lies.repeat_notes + lies.extra_notes
    count = len(segments) + 1
    section_at = header_size + entry_size * count if extended_count else 0
    position = header_size + entry_size * count + (section_size if extended_count else 0)
    entries = [_entry(form, 4, 4, position, 0, len(notes), 0)]
    body = notes + gap
    body_at, places = position, []
    for segment in segments:
        at = body_at + len(body)
        places.append((at, segment.address, len(segment.data)))
        body += segment.data
        claimed = len(segment.data) if segment.claimed_size is None else segment.claimed_size
        in_memory = claimed if segment.memory_size is None else segment.memory_size
        said_at = at if segment.claimed_offset is None else segment.claimed_offset
        entries.append(_entry(form, 1, segment.flags, said_at, segment.address, claimed, in_memory))
    true_count = 0xFFFF if extended_count else count
    header = b"\x7fELF" + bytes([bits // 32, 1 if order == "little" else 2, 1]) + bytes(9) + form.pack(
        "HHIWWWIHHHHHH", 4, machine, 1, 0, _or(lies.phoff, header_size), section_at, 0, header_size,
        _or(lies.phentsize, entry_size), _or(lies.phnum, true_count), section_size if extended_count else 0,
        1 if extended_count else 0, 0,
    )  # fmt: skip
    section = form.pack("IIWWWWIIWW", 0, 0, 0, 0, 0, 0, 0, _or(lies.section_info, count), 0, 0)
    return Built(header + b"".join(entries) + (section if extended_count else b"") + body, tuple(places))


def _or(lie: int | None, truth: int) -> int:
    return truth if lie is None else lie


def _entry(form: _Form, kind: int, flags: int, offset: int, address: int, size: int, memory: int) -> bytes:
    if form.bits == 64:
        return form.pack("IIQQQQQQ", kind, flags, offset, address, 0, size, memory, 1)
    return form.pack("IIIIIIII", kind, offset, address, 0, size, memory, flags, 1)


def note(form: _Form, kind: int, descriptor: bytes, name: bytes = b"CORE\0") -> bytes:
    """One note, padded."""
    return form.pack("III", len(name), len(descriptor), kind) + _padded(name) + _padded(descriptor)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _notes(
    form: _Form,
    machine: int,
    threads: Sequence[CoreThread],
    files: Sequence[tuple[int, int, str]],
    process: tuple[int, str, str] | None,
    auxv: Mapping[int, int] | None,
) -> bytes:
    out = b""
    for index, thread in enumerate(threads):
        out += note(form, 1, _status(form, machine, thread))
        if index == 0 and process:
            out += note(form, 3, _process(form, *process))
    if process and not threads:
        out += note(form, 3, _process(form, *process))
    if auxv:
        pairs = b"".join(form.pack("WW", key, value) for key, value in auxv.items())
        out += note(form, 6, pairs + form.pack("WW", 0, 0))
    if files:
        table = b"".join(form.pack("WWW", start, end, 0) for start, end, _ in files)
        names = b"".join(name.encode() + b"\0" for _, _, name in files)
        out += note(form, 0x46494C45, form.pack("WW", len(files), 4096) + table + names)
    return out


def _status(form: _Form, machine: int, thread: CoreThread) -> bytes:
    stack, counter, total = _SP_PC.get(machine, (0, 1, 32))
    registers = [0] * total
    registers[stack], registers[counter] = thread.stack_pointer, thread.program_counter
    head = form.pack("iiiHxx", thread.signal, 0, 0, thread.signal) + form.pack("WW", 0, 0)
    ids = form.pack("iiii", thread.tid, 1, 1, 1)
    return head + ids + form.pack("8W", *[0] * 8) + form.pack(f"{total}W", *registers) + form.pack("ixxxx", 0)


def _process(form: _Form, pid: int, name: str, arguments: str) -> bytes:
    text = name.encode()[:15].ljust(16, b"\0") + arguments.encode()[:79].ljust(80, b"\0")
    if form.bits == 64:
        return form.pack("bbbbxxxxQIIiiii", 0, 82, 0, 0, 0, 1000, 1000, pid, 1, 1, 1) + text
    return form.pack("bbbbIHHiiii", 0, 82, 0, 0, 0, 1000, 1000, pid, 1, 1, 1) + text
