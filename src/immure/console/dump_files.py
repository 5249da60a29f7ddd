"""What the index of dumps reads of directories and logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from immure.auditlog import Entry
from immure.console.dump_rows import Captured, captured, digest, seconds, table, words
from immure.errors import ImmureError, InputError
from immure.vault.places import Places

#: Files of one directory; what is beyond is not read.
MOST_FILES: Final = 200_000
#: Files that are read in one transaction.
_BATCH: Final = 500
_KINDS: Final = ("release.allowed", "release.denied", "release.failed", "release.done")


def captured_row(name: str, path: Path, stamp: int) -> Captured:
    """The row of a record; of one that tells no time, when the file was written."""
    row = captured(name, path)
    return row if row.at else row._replace(at=stamp // 10**9)


def sealed_row(_: str, path: Path, stamp: int) -> tuple[Any, ...]:
    """The row of a dump in a vault. What cannot be read is listed by its name: the vault's own commands say
    what is wrong."""
    try:
        sealed = Places(path.parent.parent).find(f"sha256:{path.stem}")
    except ImmureError as error:
        return path.stem, f"? {error.reason}", stamp // 10**9, 0
    if sealed is None:  # destroyed since the directory was listed
        return path.stem, "", 0, 0
    return sealed.digest, sealed.name, int(sealed.sealed_at.timestamp()), sealed.size


def decided(entry: Entry) -> tuple[Any, ...]:
    """The row of an entry of the gate's log; of another kind of entry one without a kind."""
    body = entry.body
    denied = [table(one) for one in _list(body.get("rules")) if table(one).get("allowed") is False]
    rule = words(body.get("rule")) or (words(denied[0].get("rule")) if denied else "")
    reason = words(body.get("reason")) or (words(denied[0].get("reason")) if denied else "")
    kind = entry.kind if entry.kind in _KINDS else ""
    where = f"{words(body.get('destination'))}/{words(body.get('name'))}" if kind else ""
    at = int(entry.time.timestamp()) or seconds(body.get("decided"))
    return entry.index, digest(table(body.get("dump")).get("sha256")), kind, at, rule, reason, where


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def files_in(directory: Path, suffix: str) -> dict[str, int]:
    """Files of a directory by name, with the times of their last change; none if it is not there.

    Raises:
        InputError: it cannot be read.
    """
    found: dict[str, int] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(suffix) and len(found) < MOST_FILES and _is_name(entry.name):
                    found[entry.name] = entry.stat(follow_symlinks=False).st_mtime_ns
    except FileNotFoundError:  # nothing was ever kept there
        return {}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=str(directory)) from error
    return found


def _is_name(name: str) -> bool:
    """Whether it is text: a name of other bytes is none that our programs give."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def batches(names: list[str]) -> Iterator[list[str]]:
    """The names, some hundred at a time."""
    for begin in range(0, len(names), _BATCH):
        yield names[begin : begin + _BATCH]


def checkpoint(directory: Path | None) -> Path | None:
    """The file that changes with every entry of a log."""
    return None if directory is None else directory / "checkpoint"


def mtime(path: Path | None) -> int:
    """When a file was changed last; -1 if it is not there, 0 if none is meant."""
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return -1
