"""One line of JSON for every event, for a log collector: names, codes and digests; never a token."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from contextlib import suppress
from typing import Any, TextIO

from immure.clock import Clock, now, to_rfc3339


class Journal:
    """Writes events to a stream, or nowhere. Called by any thread."""

    def __init__(self, stream: TextIO | None = None, *, time: Clock = now) -> None:
        self._stream, self._time = stream, time
        self._lock = threading.Lock()

    def write(self, event: str, **facts: Any) -> None:
        """One event. That nobody reads the journal is no reason not to answer."""
        if self._stream is None:
            return
        line = json.dumps({"time": to_rfc3339(self._time()), "event": event, **facts})
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class JsonFormatter(logging.Formatter):
    """Lines of the HTTP server in the same form. Of an exception, its kind and where it was raised: its words
    might quote what was sent."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        facts: dict[str, Any] = {"time": to_rfc3339(now()), "event": "server", "level": record.levelname}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            facts |= {"error": type(error).__name__, "at": places(error)}
            facts["message"] = "an error that was not foreseen"
        else:
            facts["message"] = record.getMessage()
        return json.dumps(facts)


def places(error: BaseException) -> list[str]:
    """Where an error was raised: files and lines, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return [f"{one.filename}:{one.lineno}" for one in frames]


def logging_config() -> dict[str, Any]:
    """For the HTTP server: what it has to say goes to standard error; it writes no access log."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.JsonFormatter"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
        },
        "loggers": {"uvicorn.error": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
    }
