"""The reference page says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from immure.capture.counters import REASONS
from immure.capture.drill.ways import WAYS
from immure.capture.install import PIPE_LIMIT
from immure.capture.line import Bounds
from immure.capture.records import MOST_RECORDS
from immure.capture.settings import Settings
from immure.cli.drill import drill

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "capture.md").read_text(encoding="utf-8")


def rows(first: str) -> dict[str, str]:
    """First and second column of the table whose head begins with that word."""
    table = PAGE[PAGE.index(f"| {first} |") :].split("\n\n", 1)[0]
    cells = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return {row[0].strip().strip("`"): row[1].strip() for row in cells}


def test_reasons() -> None:
    assert rows("reason").keys() == REASONS.keys()


def test_bounds() -> None:
    stated = rows("setting")
    for name in ("reading", "in_hand", "waiting", "patience"):
        assert float(stated[name]) == getattr(Bounds(), name) == getattr(Settings(), name)
    assert stated["workers"] == str(Settings().workers)
    assert stated["max_size"] == f"{Settings().max_size >> 30} GiB"
    assert stated["margin"] == f"{Settings().margin >> 30} GiB"
    assert f"latest {MOST_RECORDS:,}" in PAGE
    assert f"`core_pipe_limit` is {PIPE_LIMIT}" in PAGE


def test_every_setting_is_there() -> None:
    named = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, flags=re.MULTILINE))
    assert {field.name for field in fields(Settings)} <= named


def test_help_names_every_way() -> None:
    assert drill.epilog is not None
    for way in WAYS:
        assert re.search(rf"^  {way.name} ", drill.epilog, flags=re.MULTILINE), way.name
