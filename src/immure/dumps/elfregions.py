"""What the segments of an ELF core were in the process: heap, stacks, mapped files.

A core does not say "heap" or "stack": only mapped files have names in it (``NT_FILE``). The rest is
inferred as a debugger's user would: a stack is where a thread's stack pointer points; the heap is the
first private writable mapping without a file behind the program's own mappings, where ``brk`` begins (the
kernel shifts it by at most 1 GiB, ``arch_randomize_brk``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from immure.dumps.dump import Region

if TYPE_CHECKING:
    from immure.dumps.elfheader import Segment
    from immure.dumps.elfnotes import CoreNotes, MappedFile

PF_X, PF_W, PF_R = 1, 2, 4
_BRK_SHIFT = 1 << 30
_VSYSCALL = 0xFFFFFFFFFF600000  # fixed on x86-64


@dataclass
class NamedSegments:
    """Regions made of segments, and what was to be said of them."""

    regions: list[Region] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Omitted:
    """Memory that the writer of the core left out on purpose."""

    count: int = 0
    length: int = 0

    def add(self, length: int) -> None:
        self.count += 1
        self.length += length


def name_segments(segments: Sequence[Segment], notes: CoreNotes, word_size: Literal[4, 8]) -> NamedSegments:
    """A region for every ``PT_LOAD`` segment with bytes in the file, named as far as can be told."""
    result = NamedSegments()
    names = _Names(segments, notes)
    of_files, private = _Omitted(), _Omitted()
    top = 1 << (8 * word_size)
    wrapped = 0
    for segment in segments:
        mapped = names.file_at(segment.address)
        if segment.file_size < segment.memory_size:
            (of_files if mapped and not segment.flags & PF_W else private).add(
                segment.memory_size - segment.file_size
            )
        address: int | None = segment.address
        if segment.address + segment.file_size > top:
            address, wrapped = None, wrapped + 1
        if segment.file_size:
            name, allowed = names.name(segment, mapped), permissions(segment.flags)
            result.regions.append(Region(segment.offset, segment.file_size, address, name, allowed))
    _report(result.warnings, of_files, private, wrapped)
    return result


def _report(warnings: list[str], of_files: _Omitted, private: _Omitted, wrapped: int) -> None:
    if of_files.count:
        warnings.append(
            f"{_mappings(of_files)} of files ({of_files.length} bytes) left out when the core was written, as"
            " is usual: not in the image"
        )
    if private.count:
        warnings.append(
            f"{_mappings(private)} of private or writable memory ({private.length} bytes) left out when the"
            " core was written (by coredump_filter, MADV_DONTDUMP or protection): not in the image"
        )
    if wrapped:
        warnings.append(f"{wrapped} segments pass the end of the address space: their addresses are ignored")


def _mappings(omitted: _Omitted) -> str:
    return "1 mapping" if omitted.count == 1 else f"{omitted.count} mappings"


def permissions(flags: int) -> str:
    """``rw-p`` style. A core does not say what was shared: all is called private."""
    return (
        "".join(letter if flags & bit else "-" for letter, bit in (("r", PF_R), ("w", PF_W), ("x", PF_X)))
        + "p"
    )


class _Names:
    """Finds the name of a segment: by stack pointer, mapped file, place behind the program."""

    def __init__(self, segments: Sequence[Segment], notes: CoreNotes) -> None:
        self._files = sorted(notes.files, key=lambda mapped: mapped.start)
        self._file_starts = [mapped.start for mapped in self._files]
        self._vdso = notes.auxv.get(33)  # AT_SYSINFO_EHDR
        loads = sorted((s for s in segments if s.memory_size), key=lambda s: s.address)
        self._stacks = _stacks(loads, notes)
        self._program = self._own(loads, notes)

    def file_at(self, address: int) -> MappedFile | None:
        """The file mapped at ``address``, or None."""
        index = bisect_right(self._file_starts, address) - 1
        return self._files[index] if index >= 0 and address < self._files[index].end else None

    def name(self, segment: Segment, mapped: MappedFile | None) -> str:
        """As :attr:`Region.name` has it; an anonymous mapping is ``anonymous``."""
        if mapped:
            return mapped.name
        if segment.address in self._stacks:
            return f"[stack] of thread {self._stacks[segment.address]}"
        if segment.address == self._vdso:
            return "[vdso]"
        if segment.address == _VSYSCALL:
            return "[vsyscall]"
        return self._program.get(segment.address, "anonymous")

    def _own(self, loads: Sequence[Segment], notes: CoreNotes) -> dict[int, str]:
        """Names for the program's zero-initialised data and for the heap, by address."""
        entry = self.file_at(notes.auxv.get(3) or notes.auxv.get(9) or 0)  # AT_PHDR, AT_ENTRY
        if entry is None:
            return {}
        end = max(mapped.end for mapped in self._files if mapped.name == entry.name)
        found: dict[int, str] = {}
        for segment in loads:
            if segment.address < end:
                continue
            if self.file_at(segment.address) or segment.address > end + _BRK_SHIFT:
                break
            if segment.address in self._stacks or not segment.flags & PF_W:
                continue
            if segment.address == end and not found:
                found[segment.address] = f"{entry.name} (bss)"
            else:
                found[segment.address] = "[heap]"
                break
        return found


def _stacks(loads: Sequence[Segment], notes: CoreNotes) -> dict[int, int]:
    """Thread id by address of the segment that its stack pointer points into; the first thread wins."""
    starts = [segment.address for segment in loads]
    found: dict[int, int] = {}
    for thread in notes.threads:
        pointer = thread.stack_pointer
        if not pointer:
            continue
        index = bisect_right(starts, pointer) - 1
        if index >= 0 and pointer < loads[index].address + loads[index].memory_size:
            found.setdefault(loads[index].address, thread.tid)
    return found
