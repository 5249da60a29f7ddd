"""One line of JSON for every event, for a log collector; never a secret, never a byte of a core.

>>> import io
>>> from datetime import datetime, timezone
>>> stream = io.StringIO()
>>> moment = datetime(2026, 11, 25, tzinfo=timezone.utc)
>>> Journal(stream, clock=lambda: moment).write("refused", reason="no crash")
>>> stream.getvalue()
'{"time": "2026-11-25T00:00:00Z", "event": "refused", "reason": "no crash"}\\n'
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any, TextIO

from immure.clock import Clock, now, to_rfc3339


class Journal:
    """Writes events to a stream, or nowhere."""

    def __init__(self, stream: TextIO | None = None, *, clock: Clock = now) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, event: str, **facts: Any) -> None:
        """One event. A log that cannot be written is no reason to lose a core."""
        if self._stream is None:
            return
        line = json.dumps({"time": to_rfc3339(self._clock()), "event": event, **facts})
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()
