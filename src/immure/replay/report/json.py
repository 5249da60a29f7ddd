"""The report for machines: ``replay-1.schema.json``, which ``docs/reference/replay.md`` describes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, TextIO

from immure.replay.matrix import Played
from immure.replay.report.words import differing
from immure.scanning.report import tool

SCHEMA: Final = "https://immure.example/schemas/replay-1.json"
SCHEMA_FILE: Final = "replay-1.schema.json"


def to_json(played: Sequence[Played], stands_in: Sequence[str]) -> dict[str, Any]:
    """Worlds, and what must be said of them together."""
    scenario = played[0].outcome.scenario
    return {
        "schema": SCHEMA,
        "tool": {"name": tool.NAME, "version": tool.version()},
        "scenario": {"name": scenario.name, "title": scenario.title, "about": scenario.about},
        "controls": list(scenario.controls),
        "stands_in": list(stands_in),
        "as_expected": not differing(list(played)),
        "worlds": [{"name": one.name, **one.outcome.to_json()} for one in played],
    }


def write_json(played: Sequence[Played], stands_in: Sequence[str], stream: TextIO) -> None:
    """Write it, ended by a line feed."""
    json.dump(to_json(played, stands_in), stream, indent=1)
    stream.write("\n")


def read_schema() -> dict[str, Any]:
    """The JSON schema of the report."""
    read: dict[str, Any] = json.loads(
        files("immure.replay").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    )
    return read
