"""What a check of a log has shown, for programs (JSON) and for people.

>>> print(verdict("log", LogError("entry 7 of 9 is missing", path="log/entries.jsonl")))
ALTERED  log: log/entries.jsonl: entry 7 of 9 is missing
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from immure.auditlog.verify import Verified
from immure.errors import LogError

SCHEMA_ID = "https://immure.example/schemas/log-verification-1.json"


def verdict(directory: str, outcome: Verified | LogError) -> str:
    """The outcome in a line."""
    if isinstance(outcome, LogError):
        return f"ALTERED  {directory}: {outcome}"
    state, known = outcome.checkpoint, outcome.known
    number = f"{state.size:,} {'entry' if state.size == 1 else 'entries'}"
    older = "" if known is None else f"; it continues the known checkpoint of {known.size:,}"
    return f"VERIFIED  {directory}: {number} of the log {state.origin}, signed by {outcome.key}{older}"


def to_json(directory: str, outcome: Verified | LogError) -> dict[str, Any]:
    """The outcome as an object; :func:`read_schema` describes it."""
    head = {"schema": SCHEMA_ID, "directory": directory}
    if isinstance(outcome, LogError):
        error = {"path": outcome.path, "offset": outcome.offset, "reason": outcome.reason}
        nothing = dict.fromkeys(("origin", "size", "root", "key", "known", "unfinished"))
        return {**head, "verified": False, **nothing, "error": error}
    state, known = outcome.checkpoint, outcome.known
    return {
        **head,
        "verified": True,
        "origin": state.origin,
        "size": state.size,
        "root": state.root.hex(),
        "key": outcome.key.to_vkey(),
        "known": None if known is None else known.size,
        "unfinished": outcome.unfinished,
        "error": None,
    }


def read_schema() -> dict[str, Any]:
    """The JSON Schema of :func:`to_json`."""
    text = files("immure.auditlog").joinpath("log-verification-1.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
