"""Deadlines in TOML: those that come with Immure, and files of others in the same form.

version = 1

[deadlines.contoso]
title = "Tell the customer"
hours = 24
source = "contract of 2025-03-01, clause 9.2"
"""

from __future__ import annotations

import os
from importlib.resources import files
from typing import Any, Final

from immure.errors import UsageError
from immure.introspection.table import Table
from immure.response.deadlines.rule import MOST, Rule, days_of
from immure.response.errors import FormError
from immure.toml_file import parse_toml, read_bounded

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
    name, data = read_bounded(path, MOST_BYTES, FormError)
    made = parse_rules(data, name)
    try:
        for rule in made.values():
            rule.check_zone()
    except FormError as error:
        raise FormError(error.reason, path=name) from error
    return made


def parse_rules(data: bytes, path: str) -> dict[str, Rule]:
    """The deadlines that ``data`` holds; raises as :func:`read_rules`."""
    values = parse_toml(data, path, MOST_BYTES, FormError)
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
