"""A file with a finding in each line, to which is only appended."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from typing import Final

from immure.detections.errors import DetectionError
from immure.detections.finding import Finding
from immure.detections.state import State

_MOST: Final = 1000


def append_lines(state: State, path: Path) -> int:
    """Append what the file does not have yet; returns how many findings that was.

    How long the file was when the last findings were noted is part of the state: what a killed run wrote
    behind that is cut off, and written again.

    Raises:
        DetectionError: the file cannot be written.
    """
    name = f"file:{path.resolve()}"
    total = 0
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            end = min(int(state.get(name) or "0"), os.fstat(handle).st_size)
            os.ftruncate(handle, end)
            while page := list(islice(state.findings(state.sent(name)), _MOST)):
                data = b"".join(_line(finding) for _, finding in page)
                end += _write(handle, data, end)
                os.fsync(handle)
                with state.transaction():
                    state.mark_sent(name, page[-1][0])
                    state.put(name, str(end))
                total += len(page)
        finally:
            os.close(handle)
    except OSError as error:
        raise DetectionError(f"cannot be written: {error.strerror}", path=str(path)) from error
    return total


def _line(finding: Finding) -> bytes:
    return json.dumps(finding.plain(), separators=(",", ":")).encode() + b"\n"


def _write(handle: int, data: bytes, offset: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(handle, data[done:], offset + done)
    return done
