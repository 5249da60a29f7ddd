"""All formats of a blast radius by their names."""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

from immure.response.radius import BlastRadius

FORMATS: Final = ("terminal", "json", "html")
SCHEMA_FILE: Final = "blast-radius-1.schema.json"


def write_radius(radius: BlastRadius, stream: TextIO, form: str) -> None:
    """Write a radius in one of :data:`FORMATS`."""
    if form == "json":
        stream.write(to_text(radius))
    elif form == "html":
        from immure.response.report.html import write_html

        write_html(radius, stream)
    else:
        from immure.response.report.terminal import write_terminal

        write_terminal(radius, stream)


def to_text(radius: BlastRadius) -> str:
    """A radius as JSON text, in ASCII."""
    return json.dumps(radius.to_json(), indent=1) + "\n"


def read_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a radius as JSON."""
    from importlib.resources import files

    text = files("immure.response").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
