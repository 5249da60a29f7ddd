"""What is kept of each capture besides the dump: who crashed, what a scan found, what was redacted.

A file of JSON for each (schema ``capture-record-1``), named after moment and process. There is no byte of the
core in it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from immure.capture.crash import Crash
from immure.capture.keeping import Kept
from immure.errors import CaptureError
from immure.files import write_whole

SCHEMA_ID: Final = "https://immure.example/schemas/capture-record-1.json"
#: More records than this are not kept; the oldest go.
MOST_RECORDS: Final = 10_000


def record_of(crash: Crash, kept: Kept) -> dict[str, Any]:
    """The record as JSON."""
    redaction = dict(kept.redaction) if kept.redaction is not None else None
    return {"schema": SCHEMA_ID, "crash": crash.to_json(), **kept.to_json(), "redaction": redaction}


def write_record(directory: Path, crash: Crash, kept: Kept) -> Path:
    """Write the record of a capture.

    Raises:
        CaptureError: it cannot be written.
    """
    path = directory / f"{crash.name}.json"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(record_of(crash, kept), indent=1).encode() + b"\n", mode=0o600)
        _forget_oldest(directory)
    except OSError as error:
        raise CaptureError(f"the record cannot be written: {error.strerror}", path=str(path)) from error
    return path


def _forget_oldest(directory: Path) -> None:
    names = [path for path in directory.iterdir() if path.suffix == ".json"]
    excess = len(names) - MOST_RECORDS
    for path in sorted(names, key=lambda path: path.stat().st_mtime)[:excess] if excess > 0 else []:
        with suppress(FileNotFoundError):
            path.unlink()
