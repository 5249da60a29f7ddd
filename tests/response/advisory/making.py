"""A draft, and the validators of others."""

from __future__ import annotations

from typing import Any

from csaf.csaf.v20 import validate

from immure.response.advisory.draft import Draft, parse_draft

DRAFT = """\
version = 1
id = "EXAMPLE-2026-0001"
title = "A key of Example Login was known to others"
summary = "Tokens were signed with a key that had left the house."
tlp = "white"
published_at = "https://login.example/.well-known/csaf/white/2026"

[publisher]
name = "Example Login"
namespace = "https://login.example"
contact = "security@login.example"

[findings.dump]
entry = 0
text = "The key was in a memory image that left the room."

[[references]]
url = "https://login.example/incident"
summary = "Incident page"

[[indicators]]
kind = "ipv4"
value = "192.0.2.7"
"""


def draft(*changes: tuple[str, str]) -> Draft:
    text = DRAFT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_draft(text.encode(), "draft.toml")


def faults(document: dict[str, Any], preset: str = "extended") -> list[str]:
    """What the package csaf finds wrong in a document of CSAF 2.0: by its schema, by tests 6.1 and 6.2."""
    report = validate(document, preset=preset)
    assert len(report.results) > 30 or not report.results[0].passed
    return [
        f"{one.id} {one.title}: {error.instance_path} {error.message}"
        for one in report.results
        if not one.passed
        for error in one.errors
    ]
