"""A baseline: what was known when it was written, so that only what is new counts.

It names keys and paths, not machines, so that one that was written on one machine holds on another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from immure.clock import to_rfc3339
from immure.files import write_whole
from immure.watching.errors import RulesError
from immure.watching.finding import Sighting
from immure.watching.rules.owners import read_text

SCHEMA: Final = "immure-watch-baseline-1"
_MOST_BYTES: Final = 256 << 20

#: Thumbprint, and path with what is inside.
Known = frozenset[tuple[str, str]]


def name_of(sighting: Sighting) -> tuple[str, str]:
    """By what a baseline knows a sighting."""
    return sighting.hit.key.thumbprint, sighting.full_path


def write_baseline(path: str | os.PathLike[str], sightings: Iterable[Sighting], moment: datetime) -> int:
    """Write a baseline of these; how many there are.

    Raises:
        RulesError: it cannot be written.
    """
    known = sorted({name_of(sighting) for sighting in sightings})
    head = json.dumps({"schema": SCHEMA, "written": to_rfc3339(moment.replace(microsecond=0))})
    lines = [json.dumps({"key": key, "path": name}) for key, name in known]
    text = f'{head[:-1]}, "known": [\n' + ",\n".join(lines) + "\n]}\n"
    try:
        write_whole(Path(path), text.encode("ascii"))
    except OSError as error:
        raise RulesError(f"cannot be written: {error.strerror}", path=os.fspath(path)) from error
    return len(known)


def parse_baseline(text: str, path: str | None = None) -> Known:
    """What a baseline knows.

    Raises:
        RulesError: it is none.
    """
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise RulesError(f"is no baseline of the format {SCHEMA}", path=path)
        known = frozenset((entry["key"], entry["path"]) for entry in document["known"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RulesError(f"is no baseline of the format {SCHEMA}", path=path) from error
    if not all(isinstance(word, str) for name in known for word in name):
        raise RulesError(f"is no baseline of the format {SCHEMA}", path=path)
    return known


def read_baseline(path: str | os.PathLike[str]) -> Known:
    """As :func:`parse_baseline`, of a file."""
    return parse_baseline(read_text(path, _MOST_BYTES), os.fspath(path))
