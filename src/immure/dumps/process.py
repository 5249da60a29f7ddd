"""A live process on Linux, through ``/proc/PID/maps``, ``mem`` and ``pagemap`` (proc(5)).

Offsets in the image are virtual addresses; regions do not cover what lies between mappings. The process
goes on while it is read: what it unmaps meanwhile, or all of it if it exits, is reported as missing by
whoever reads.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from immure.dumps.dump import Image, Process, Reader, Region, Thread
from immure.dumps.limits import Limits
from immure.dumps.tables import printable
from immure.errors import ImageError

#: mappings of hardware or of the kernel: reading them is useless, or has side effects
_SKIPPED = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "/dev/")
_KEPT_DEVICES = ("/dev/shm/", "/dev/zero")  # noqa: S108 - memory in spite of their names
_PAGE = os.sysconf("SC_PAGESIZE")
_GROUP = 16  # pages that are looked at together
_STEP = 512 * _GROUP  # pages whose state is read at a time
#: bits 62 (swapped) and 63 (present) of each page's word
_IN_USE = int.from_bytes((b"\0" * 7 + b"\xc0") * _GROUP, "little")


@dataclass(frozen=True, slots=True)
class _Mapping:
    start: int
    stop: int
    permissions: str
    name: str
    inode: int


def open_process(target: str, limits: Limits | None = None) -> Image:
    """The memory of a running process; ``target`` is ``pid:N``.

    Raises:
        ImageError: there is no such process, or we may not read its memory.
    """
    limits = limits or Limits()
    number = target.removeprefix("pid:")
    if not (number.isascii() and number.isdigit() and 0 < len(number) < 11):
        raise ImageError("is not of the form pid:N", path=target)
    pid = int(number)
    mappings = _mappings(target, pid)
    warnings: list[str] = []
    if len(mappings) > limits.max_regions:
        raise ImageError(f"has more than {limits.max_regions} mappings: the limit", path=target)
    read = [mapping for mapping in mappings if not _is_skipped(mapping)]
    for mapping in mappings:
        if mapping.name.startswith("/dev/") and _is_skipped(mapping):
            length = mapping.stop - mapping.start
            warnings.append(f"{target}: at {mapping.start:#x}: {mapping.name} ({length} bytes) is not read")
    reader = ProcessReader(target, pid, read)
    process = _process(pid)
    regions = tuple(_region(mapping, pid) for mapping in read)
    return Image(
        target, "process", reader, regions, (), process, _word_size(pid),
        "little" if struct.pack("=H", 1) == b"\1\0" else "big", tuple(warnings),
    )  # fmt: skip


def _is_skipped(mapping: _Mapping) -> bool:
    return mapping.name.startswith(_SKIPPED) and not mapping.name.startswith(_KEPT_DEVICES)


def _region(mapping: _Mapping, pid: int) -> Region:
    name = mapping.name or "anonymous"
    if name == "[stack]":
        name = f"[stack] of thread {pid}"
    length = mapping.stop - mapping.start
    return Region(mapping.start, length, mapping.start, name, mapping.permissions)


def _mappings(target: str, pid: int) -> list[_Mapping]:
    try:
        with open(f"/proc/{pid}/maps", "rb") as stream:
            lines = stream.read().splitlines()
    except OSError as error:
        raise ImageError(_reason(error, pid), path=target) from error
    found = []
    for line in lines:
        addresses, permissions, _, _, inode, *name = line.split(None, 5)
        start, stop = (int(address, 16) for address in addresses.split(b"-"))
        found.append(
            _Mapping(start, stop, permissions.decode(), printable(b"".join(name).strip()), int(inode))
        )
    if not found:
        raise ImageError("has no memory (a kernel thread, or it has just exited)", path=target)
    return found


def _reason(error: OSError, pid: int) -> str:
    if isinstance(error, FileNotFoundError | ProcessLookupError):
        return f"there is no process {pid}"
    if isinstance(error, PermissionError):
        return (
            f"no permission to read the memory of process {pid}: it takes the same user and ptrace rights,"
            " or CAP_SYS_PTRACE"
        )
    return f"the memory of process {pid} cannot be read: {error.strerror or error}"


def _process(pid: int) -> Process:
    threads = tuple(Thread(int(tid)) for tid in sorted(_list(f"/proc/{pid}/task"), key=int))
    command_line = _small(f"/proc/{pid}/cmdline").rstrip(b"\0").replace(b"\0", b" ")
    return Process(
        pid, printable(_small(f"/proc/{pid}/comm").strip()), printable(command_line), None, threads,
        os.uname().machine,
    )  # fmt: skip


def _word_size(pid: int) -> Literal[4, 8]:
    return 4 if _small(f"/proc/{pid}/exe")[4:5] == b"\1" else 8


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:  # it has exited meanwhile: what is only told, not needed, stays empty
        return []


def _small(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(1 << 16)
    except OSError:  # as above
        return b""


class ProcessReader(Reader):
    """Reads ``/proc/PID/mem``; offsets are addresses. ``size`` is the end of the last mapping."""

    def __init__(self, target: str, pid: int, mappings: Sequence[_Mapping]) -> None:
        self.path = target
        self._mappings = mappings
        self.size: int | None = max((mapping.stop for mapping in mappings), default=0)
        self._memory = -1
        self._pagemap = -1
        try:
            self._memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
            probe = mappings[0].start if mappings else 0
            os.pread(self._memory, 1, probe)
        except PermissionError as error:
            self.close()
            raise ImageError(_reason(error, pid), path=target) from error
        except OSError as error:
            if self._memory < 0:
                raise ImageError(_reason(error, pid), path=target) from error
        self._pagemap = self._open_pagemap(pid)

    @staticmethod
    def _open_pagemap(pid: int) -> int:
        try:
            return os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # without it nothing is skipped, only more zeros are read
            return -1

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`: fewer bytes where a mapping ends or is gone."""
        if self._memory < 0:
            raise ImageError("read after close", path=self.path, offset=offset)
        filled = 0
        while filled < len(view):
            try:
                count = os.preadv(self._memory, [view[filled:]], offset + filled)
            except (OSError, OverflowError):
                break  # unmapped, or not readable even for a tracer: a short read by contract
            if count == 0:
                break
            filled += count
        return filled

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The mappings; of anonymous private ones only what was ever touched (the rest reads as zeros)."""
        for mapping in self._mappings:
            first, last = max(start, mapping.start), min(stop, mapping.stop)
            if first >= last:
                continue
            if mapping.inode or self._pagemap < 0 or "s" in mapping.permissions:
                yield first, last
            else:
                yield from self._touched(first, last)

    def _touched(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        begun: int | None = None
        page, end = first // _PAGE, -(-last // _PAGE)
        while page < end:
            raw = os.pread(self._pagemap, 8 * min(_STEP, end - page), 8 * page)
            if not raw:  # the process is gone, or the kernel will not say: read everything
                begun = page if begun is None else begun
                break
            for at in range(0, len(raw), 8 * _GROUP):
                used = int.from_bytes(raw[at : at + 8 * _GROUP], "little") & _IN_USE
                here = page + at // 8
                if used and begun is None:
                    begun = here
                elif not used and begun is not None:
                    yield max(first, begun * _PAGE), here * _PAGE
                    begun = None
            page += len(raw) // 8
        if begun is not None:
            yield max(first, begun * _PAGE), last

    def close(self) -> None:
        """See :meth:`Reader.close`."""
        for descriptor in (self._memory, self._pagemap):
            if descriptor >= 0:
                os.close(descriptor)
        self._memory = self._pagemap = -1

    def __del__(self) -> None:
        if getattr(self, "_memory", -1) >= 0:
            self.close()
