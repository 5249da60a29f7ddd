"""The files that a timeline names: wherever the body of an entry has ``file`` and ``sha256`` side by side.

>>> body = {"file": "evidence/a.log", "sha256": 64 * "0", "size": 5}
>>> [one.path for one in files_in(0, body)]
['evidence/a.log']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from immure.response.errors import IncidentError
from immure.response.timeline import Entry, JsonValue

#: In which directories of an incident such files are.
ROOMS: Final = ("evidence", "work")
_PATH: Final = re.compile(rf"(?:{'|'.join(ROOMS)})(?:/[A-Za-z0-9_][A-Za-z0-9._-]{{0,200}}){{1,6}}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that an entry names.

    Attributes:
        sequence: of the entry.
        path: in the incident's directory, with slashes.
        sha256: of its bytes, in hex.
        stamped: the digest that it is a timestamp over, if it is one.
        about: the entry's word of what it is.
    """

    sequence: int
    path: str
    sha256: str
    stamped: str | None = None
    about: str = ""


def named_files(entries: Iterable[Entry]) -> dict[str, NamedFile]:
    """All of them by path.

    Raises:
        IncidentError: an entry names a file outside of ``evidence`` and ``work``, or two entries give one
            file two digests.
    """
    found: dict[str, NamedFile] = {}
    for entry in entries:
        for one in files_in(entry.sequence, entry.body):
            before = found.setdefault(one.path, one)
            if before.sha256 != one.sha256:
                raise IncidentError(
                    f"entries {before.sequence} and {entry.sequence} give {one.path} two digests"
                )
    return found


def files_in(sequence: int, value: JsonValue, *, stamped: str | None = None) -> Iterator[NamedFile]:
    """The files that a body (or a part of it) names; raises IncidentError."""
    if isinstance(value, Mapping):
        path, digest = value.get("file"), value.get("sha256")
        own = digest if isinstance(digest, str) else None
        if isinstance(path, str) and own is not None:
            if not _PATH.fullmatch(path) or not _DIGEST.fullmatch(own):
                raise IncidentError(
                    f"entry {sequence} names a file that is none of an incident: {path[:100]!a}"
                )
            yield NamedFile(sequence, path, own, stamped, str(value.get("kind", ""))[:40])
        for name, part in value.items():
            yield from files_in(sequence, part, stamped=own if name == "timestamp" else None)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from files_in(sequence, part)
