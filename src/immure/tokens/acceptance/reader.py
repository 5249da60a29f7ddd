"""Read the log of acceptances, row by row, however long it is.

    for row in read_decisions("/var/lib/immure/accepted", notice=print):
        ...

Segments come in the order in which they were begun, sealed ones and the open one; rows in the order in which
they were written. A sealed segment that has other bytes than when it was sealed is an error, said when its
last row has been read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceLogError, AcceptanceRowError, TornRowError
from immure.tokens.acceptance.rows import MOST_BYTES, from_members
from immure.tokens.acceptance.segment import OPEN, SCHEMA, SEAL, SUFFIX
from immure.tokens.errors import TokenError
from immure.tokens.strict import decode_object

#: Is told of a last line that is not whole.
Notice = Callable[[TornRowError], None]
_MOST_SEAL: Final = 1 << 10


def read_decisions(path: str | os.PathLike[str], *, notice: Notice | None = None) -> Iterator[Decision]:
    """All rows of a directory of segments, or of one segment.

    Args:
        path: the directory, or the file.
        notice: is told of a torn line at the end of a segment that was never sealed; such a line was never
            acknowledged. Without it, a torn line is raised when all before it have been read.

    Raises:
        AcceptanceLogError: something cannot be read.
        AcceptanceRowError: a segment holds what is no row, or was changed after it was sealed.
        TornRowError: see ``notice``.
    """
    for segment in segments(path):
        yield from _read(segment, notice)


def segments(path: str | os.PathLike[str]) -> list[Path]:
    """The segments in a directory, oldest first; a file is the only one.

    Raises:
        AcceptanceLogError: there is neither.
    """
    given = Path(path)
    if given.is_file():
        return [given]
    try:
        names = [name for name in os.listdir(given) if name.endswith((SUFFIX, OPEN)) and name[0] != "."]
    except OSError as error:
        raise AcceptanceLogError(f"cannot be read: {error.strerror}", path=str(given)) from error
    return [given / name for name in sorted(names)]


def _read(path: Path, notice: Notice | None) -> Iterator[Decision]:
    name, sha, offset = str(path), hashlib.sha256(), 0
    try:
        with _opened(path) as stream:
            while line := stream.readline(MOST_BYTES + 1):
                sha.update(line)
                if not line.endswith(b"\n"):
                    _torn(path, offset, line, notice)
                    return
                if offset == 0:
                    _check_head(line, name)
                else:
                    yield _row(line, name, offset)
                offset += len(line)
    except OSError as error:
        raise AcceptanceLogError(f"cannot be read: {error.strerror}", path=name) from error
    _check_seal(path, sha.hexdigest())


def _opened(path: Path) -> BinaryIO:
    """The segment; if it was sealed since its name was read, by its last name."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        if not path.name.endswith(OPEN):
            raise
        return path.with_name(path.name.removesuffix(OPEN) + SUFFIX).open("rb")


def _row(line: bytes, name: str, offset: int) -> Decision:
    try:
        return from_members(decode_object(line))
    except TokenError as error:
        raise AcceptanceRowError(f"a row {error.reason}", path=name, offset=offset) from None
    except AcceptanceRowError as error:
        raise AcceptanceRowError(error.reason, path=name, offset=offset) from None


def _check_head(line: bytes, name: str) -> None:
    try:
        schema = decode_object(line).get("schema")
    except TokenError as error:
        raise AcceptanceRowError(f"its first line {error.reason}", path=name, offset=0) from None
    if schema != SCHEMA:
        raise AcceptanceRowError(f"its first line does not name {SCHEMA}", path=name, offset=0)


def _torn(path: Path, offset: int, line: bytes, notice: Notice | None) -> None:
    if len(line) > MOST_BYTES:
        raise AcceptanceRowError(f"a line of more than {MOST_BYTES} bytes", path=str(path), offset=offset)
    error = TornRowError(f"{len(line)} bytes of a row that is not whole", path=str(path), offset=offset)
    if notice is None or not path.name.endswith(OPEN):
        raise error
    notice(error)


def _check_seal(path: Path, digest: str) -> None:
    if path.name.endswith(OPEN):
        return
    try:
        with path.with_name(path.name + SEAL).open("rb") as stream:
            seal = stream.read(_MOST_SEAL)
    except FileNotFoundError:
        raise AcceptanceRowError("is sealed, and its digest is not there", path=str(path)) from None
    if seal.split(b" ")[0] != digest.encode():
        raise AcceptanceRowError("is not what it was when it was sealed", path=str(path))
