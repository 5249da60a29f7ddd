"""Which source a file is of, and its chunks.

for file in files_of(Path("/var/log/audit")):
    for chunk in read(file, positions.get(identity(file), "")):
        ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from immure.detections.records import NotUnderstood
from immure.detections.sources.acceptance_log import AcceptanceLogSource
from immure.detections.sources.adfs import AdfsAudit
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.dovecot import DovecotAccess
from immure.detections.sources.entra import EntraSignIns
from immure.detections.sources.google import GoogleWorkspace
from immure.detections.sources.ledger import LedgerLive, LedgerSegments
from immure.detections.sources.limits import Limits
from immure.detections.sources.m365 import M365Audit
from immure.detections.sources.ocsf import Ocsf
from immure.detections.sources.okta import OktaSystemLog
from immure.detections.sources.source import Source, head_of
from immure.errors import InputError, UsageError

_DEFAULT: Final = Limits()
_KINDS: Final[tuple[type[Source], ...]] = (
    AcceptanceLogSource, LedgerSegments, LedgerLive, DovecotAccess, M365Audit, EntraSignIns, AdfsAudit,
    GoogleWorkspace, OktaSystemLog, Ocsf,
)  # fmt: skip
#: Less than this is a guess, and a guess is no source.
_SURE: Final = 0.5
_OPEN: Final = ".open"
#: What lies beside logs and is none.
_BESIDE: Final = (".sha256", ".part", ".toml", "-wal", "-shm", ".checkpoint")


def names() -> tuple[str, ...]:
    """Names of the sources that are recognised."""
    return tuple(dict.fromkeys(kind.name for kind in _KINDS))


def source_named(name: str) -> Source:
    """A source by its name.

    Raises:
        UsageError: there is none.
    """
    for kind in _KINDS:
        if kind.name == name:
            return kind()
    raise UsageError(f"a source is one of {', '.join(names())}, not {name[:64]!r}")


def recognise(path: Path) -> Source | None:
    """The source that is surest of a file; None if none is.

    Raises:
        InputError: the file cannot be read.
    """
    head = head_of(path)
    sure, best = max(
        ((kind().detect(head, path.name), place) for place, kind in enumerate(_KINDS)),
        key=lambda found: (found[0], -found[1]),
    )
    return _KINDS[best]() if sure >= _SURE else None


def read(
    path: Path,
    position: str = "",
    *,
    source: Source | None = None,
    limits: Limits = _DEFAULT,
    ended: bool = True,
) -> Iterator[Chunk]:
    """The chunks of a file.

    Args:
        position: of the chunk that was read last; "" for the beginning.
        source: which it is; recognised if it is not given. A file that no source knows makes one chunk that
            says so.
        ended: whether the file grows no more; otherwise a record that is not whole is left for the next time.

    Raises:
        InputError: it cannot be read, or is not the file of which the position is.
    """
    if source is None and _is_empty(path):
        return
    source = source or recognise(path)
    if source is None:
        yield unknown(path)
        return
    yield from source.read(path, position, limits=limits, ended=ended)


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", path=str(path)) from error


def unknown(path: Path) -> Chunk:
    """What there is to say of a file that no source knows."""
    odd = NotUnderstood(source="", file=str(path), offset=0, line=0, reason="file", what=path.name[:128])
    return Chunk("", str(path), {}, 1, (odd,))


def files_of(path: Path) -> list[Path]:
    """The logs in a directory, however deep, by name; a file is the only one.

    Raises:
        InputError: it is not there, or cannot be read.
    """
    if path.is_file():
        return [path]
    made: list[Path] = []
    failed: list[OSError] = []
    for folder, folders, found in os.walk(path, onerror=failed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        made += [Path(folder, name) for name in sorted(found) if _is_log(name)]
    if failed:
        raise InputError(failed[0].strerror or "cannot be read", path=str(failed[0].filename or path))
    return made


def _is_log(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_BESIDE) and name != "lock"


def identity(path: Path) -> str:
    """By what the position of a file is kept; that of a segment stays when it is sealed."""
    return str(path).removesuffix(_OPEN)


def read_all(paths: Sequence[Path], *, limits: Limits = _DEFAULT) -> Iterator[Chunk]:
    """All chunks of files and directories, from their beginnings."""
    for given in paths:
        for path in files_of(given):
            yield from read(path, limits=limits)
