"""Deadlines in TOML: those that come with Immure, and files of others in the same form.

version = 1

[deadlines.contoso]
title = "Tell the customer"
hours = 24
source = "contract of 2025-03-01, clause 9.2"
"""

from __future__ import annotations

import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from immure.errors import UsageError
from immure.introspection.table import Table
from immure.response.deadlines.rule import MOST, Rule, days_of
from immure.response.errors import FormError

MOST_BYTES: Final = 1 << 18
_TEXTS: Final = ("to", "starts", "url", "note", "after", "calendar", "zone", "until")


def presets() -> dict[str, Rule]:
    """The deadlines that come with Immure, by their names."""
    data = files("immure.response.deadlines").joinpath("presets.toml").read_bytes()
    return parse_rules(data, "presets.toml")


def read_rules(path: str | os.PathLike[str]) -> dict[str, Rule]:
    """The deadlines in a file, by their names.

    Raises:
        FormError: it cannot be read or understood; names the file and the member.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise FormError(f"cannot be read: {words}", path=os.fspath(path)) from error
    made = parse_rules(data, os.fspath(path))
    try:
        for rule in made.values():
            rule.check_zone()
    except FormError as error:
        raise FormError(error.reason, path=os.fspath(path)) from error
    return made


def parse_rules(data: bytes, path: str) -> dict[str, Rule]:
    """The deadlines that ``data`` holds; raises as :func:`read_rules`."""
    if len(data) > MOST_BYTES:
        raise FormError(f"is longer than {MOST_BYTES} bytes", path=path)
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormError(f"is no TOML: {str(error)[:200]}", path=path) from None
    try:
        return _rules(Table(values))
    except UsageError as error:
        raise FormError(error.reason, path=path) from error


def _rules(table: Table) -> dict[str, Rule]:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    made = {name: _rule(name, one) for name, one in table.tables("deadlines")}
    table.end()
    return made


def _rule(name: str, table: Table) -> Rule:
    members: dict[str, Any] = {"title": table.text("title"), "source": table.text("source")}
    for one in _TEXTS:
        if table.has(one):
            members[one] = table.text(one)
    for span, most in MOST.items():
        members[span] = table.number(span, 0, 0, most)
    if table.has("closed"):
        members["closed"] = days_of(list(table.texts("closed")))
    table.end()
    return Rule(name, **members)
