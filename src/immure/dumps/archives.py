"""Images inside tar and zip archives. Nothing is ever written under a member's name: names are only shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from immure.dumps import tar, zips
from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import PiecesReader, SharedReader
from immure.dumps.spool import SpoolReader
from immure.dumps.unreadable import Unreadable


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: ``archive.tar!name`` and its bytes. The receiver closes the reader."""

    path: str
    reader: Reader


def detect(head: bytes) -> str | None:
    """``tar`` or ``zip``; None if a file that begins so is neither."""
    if tar.detect(head):
        return "tar"
    return "zip" if zips.detect(head) else None


def members(path: str, shared: SharedReader, kind: str, limits: Limits) -> Iterator[Member | Unreadable]:
    """The files in an archive, in its order; what cannot be opened, or is no file, as :class:`Unreadable`.

    Raises:
        ImageError: the archive's own structure is broken at its very beginning.
    """
    opened = tar_members(path, shared, limits) if kind == "tar" else zip_members(path, shared, limits)
    total = stored = 0
    for count, member in enumerate(opened, 1):
        if count > limits.max_members:
            if isinstance(member, Member):
                member.reader.close()
            yield Unreadable(path, f"holds more than {limits.max_members} members: the rest is not opened")
            return
        yield member
        if isinstance(member, Member):
            total += member.reader.size or 0
        if isinstance(member, Member) and isinstance(member.reader, SpoolReader):
            stored += member.reader.stored_bytes
        problem = _too_much(total, stored, shared.reader.size or 0, limits)
        if problem:
            yield Unreadable(path, f"{problem}: the rest is not opened")
            return


def _too_much(total: int, stored: int, size: int, limits: Limits) -> str | None:
    """Members may overlap, so that a small archive has no end of them."""
    if total > limits.max_apparent_bytes:
        return f"holds more than {limits.max_apparent_bytes} bytes"
    if stored > max(limits.max_stored_bytes, limits.max_archive_ratio * size):
        return f"holds {stored} non-zero bytes, more than {limits.max_archive_ratio} times its own size"
    return None


def tar_members(path: str, shared: SharedReader, limits: Limits) -> Iterator[Member | Unreadable]:
    """The files of a tar archive, one after the other, also while the archive is still being decompressed."""
    for entry in tar.walk(path, shared.reader):
        name = f"{path}!{entry.name}"
        if entry.problem:
            yield Unreadable(name, entry.problem, skipped=entry.skipped)
            continue
        reader = shared.reader
        if entry.stored:
            reader.read(entry.offset + entry.stored - 1, 1)  # wait for a stream to come so far, or to its end
        held = entry.stored if reader.size is None else max(0, min(entry.stored, reader.size - entry.offset))
        lost = entry.stored - held
        fault = f"the archive ends {lost} bytes before the end of this member" if lost else None
        pieces = [
            (here, there, min(length, max(0, entry.offset + held - there)))
            for here, there, length in entry.pieces
        ]
        size = entry.size if not lost else max((here + length for here, _, length in pieces), default=0)
        yield Member(name, PiecesReader(shared, pieces, size, fault))
    for fault_of_stream in shared.reader.faults():
        yield Unreadable(path, f"the archive breaks off: {fault_of_stream.reason}")


def zip_members(path: str, shared: SharedReader, limits: Limits) -> Iterator[Member | Unreadable]:
    """The files of a zip archive, in the order of its central directory."""
    shared.reader.wait()
    for entry in zips.entries(path, shared.reader):
        name = f"{path}!{entry.name}"
        if entry.problem:
            yield Unreadable(name, entry.problem, skipped=entry.skipped)
        else:
            yield Member(name, zips.open_entry(name, shared, entry, limits))
