"""What people write of an advisory, in TOML; ``docs/reference/advisory.md`` has every member.

version = 1
id = "EXAMPLE-2026-0001"
title = "A signing key of Example Login was known to others"
summary = "Tokens were signed with a key that had left the house."

[publisher]
name = "Example Login"
namespace = "https://login.example"

[findings.dump]
entry = 2
text = "The key was in a memory image that left the signing environment."

[[references]]
url = "https://login.example/incident"
summary = "Incident page"
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from immure.errors import ImmureError, UsageError
from immure.introspection.table import Table
from immure.response.advisory.errors import DraftError
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
MOST_LINE: Final = 300
MOST_TEXT: Final = 2000
#: How many findings, references and indicators there may be of each.
MOST: Final = 50
STATUSES: Final = ("draft", "interim", "final")
LABELS: Final = ("white", "green", "amber", "red")
CATEGORIES: Final = ("coordinator", "discoverer", "other", "translator", "user", "vendor")
KINDS: Final = ("kid", "ipv4", "ipv6", "domain", "user-agent")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,79}(?<! )")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes: ``namespace`` is a URL that is his (CSAF 2.0, section 3.2.1.8)."""

    name: str
    namespace: str
    category: str = "vendor"
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is said to be so, and the entry of the timeline that it rests on."""

    name: str
    text: str
    entry: int


@dataclass(frozen=True, slots=True)
class Reference:
    """Where there is more."""

    url: str
    summary: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """By what others may see that they were reached: one of :data:`KINDS`."""

    kind: str
    value: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An advisory as people write it.

    Attributes:
        id: of the advisory, the same in all versions.
        title, summary: of the whole.
        publisher: who says it.
        claims: what is so, in their order.
        references: where there is more; at least one.
        indicators: by what it is seen.
        language: of the texts.
        tlp: to whom it may be shown (FIRST, Traffic Light Protocol 1, as CSAF 2.0 has it).
        status: of the advisory.
        published_at: the URL of the folder in which its file will be; empty if that is not known.
    """

    id: str
    title: str
    summary: str
    publisher: Publisher
    claims: tuple[Claim, ...]
    references: tuple[Reference, ...]
    indicators: tuple[Indicator, ...] = ()
    language: str = "en"
    tlp: str = "white"
    status: str = "interim"
    published_at: str = ""

    @property
    def file_name(self) -> str:
        """The name of its file, without suffix (CSAF 2.0, section 5.1)."""
        return re.sub(r"[^+\-a-z0-9]+", "_", self.id.lower())


def read_draft(path: str | os.PathLike[str]) -> Draft:
    """The draft in a file.

    Raises:
        DraftError: it cannot be read or understood; names the file and the member.
    """
    name, data = read_bounded(path, MOST_BYTES, DraftError)
    return parse_draft(data, name)


def parse_draft(data: bytes, path: str) -> Draft:
    """The draft that ``data`` holds; raises as :func:`read_draft`."""
    values = parse_toml(data, path, MOST_BYTES, DraftError)
    try:
        lists = {name: _list(name, values.pop(name, [])) for name in ("references", "indicators")}
        return _draft(Table(values), **lists)
    except ImmureError as error:
        raise DraftError(error.reason, path=path) from error


def _draft(table: Table, references: list[Table], indicators: list[Table]) -> Draft:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    made = Draft(
        _fitting(table, "id", _ID, "a name of up to 80 letters, digits, and . _ : + -"),
        _text(table, "title", MOST_LINE),
        _text(table, "summary", MOST_TEXT),
        _publisher(table.table("publisher")),
        tuple(_claim(name, one) for name, one in table.tables("findings")),
        tuple(_reference(one) for one in references),
        tuple(_indicator(one) for one in indicators),
        _fitting(table, "language", _LANGUAGE, "a tag such as en or pt-BR", "en"),
        table.choice("tlp", LABELS, "white"),
        table.choice("status", STATUSES, "interim"),
        _url(table, "published_at") if table.has("published_at") else "",
    )
    table.end()
    if not made.claims or len(made.claims) > MOST:
        raise UsageError(f"findings: an advisory says 1 to {MOST} things")
    if not made.references:
        raise UsageError("references: an advisory of this kind has at least one (CSAF 2.0, section 4.2)")
    return made


def _publisher(table: Table) -> Publisher:
    made = Publisher(
        _text(table, "name", MOST_LINE),
        _url(table, "namespace"),
        table.choice("category", CATEGORIES, "vendor"),
        _text(table, "contact", MOST_LINE) if table.has("contact") else "",
    )
    table.end()
    return made


def _claim(name: str, table: Table) -> Claim:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{table.name[:80]}: the name of a finding is small letters, digits and hyphens")
    if not table.has("entry"):
        raise UsageError(f"{table.name}.entry is missing: a finding rests on an entry of the timeline")
    made = Claim(name, _text(table, "text", MOST_TEXT), table.number("entry", 0, 0, 1 << 40))
    table.end()
    return made


def _reference(table: Table) -> Reference:
    made = Reference(_url(table, "url"), _text(table, "summary", MOST_LINE))
    table.end()
    return made


def _indicator(table: Table) -> Indicator:
    kind = table.choice("kind", KINDS)
    description = _text(table, "description", MOST_TEXT) if table.has("description") else ""
    made = Indicator(kind, _text(table, "value", MOST_LINE), description)
    table.end()
    return made


def _list(name: str, values: object) -> list[Table]:
    """The tables of a list; a table knows of lists of texts only."""
    if not isinstance(values, list) or len(values) > MOST:
        raise UsageError(f"{name} is not a list of up to {MOST} tables")
    return [Table(one, f"{name}.{number}") for number, one in enumerate(values)]


def _text(table: Table, name: str, most: int) -> str:
    text = " ".join(table.text(name).split())
    if not text or len(text) > most or not text.isprintable():
        raise UsageError(f"{table.name + '.' if table.name else ''}{name} is text of up to {most} characters")
    return text


def _fitting(table: Table, name: str, form: re.Pattern[str], words: str, usual: str | None = None) -> str:
    text = table.text(name, usual)
    if not form.fullmatch(text):
        raise UsageError(f"{name} is {words}")
    return text


def _url(table: Table, name: str) -> str:
    text: Any = table.text(name)
    try:
        parts = urlsplit(text)
        fits = parts.scheme == "https" and parts.hostname and all("!" <= sign <= "~" for sign in text)
    except ValueError:
        fits = False
    if not fits or len(text) > MOST_TEXT or any(sign in text for sign in '"<>\\^`{|}'):
        raise UsageError(f"{table.name + '.' if table.name else ''}{name} is no https URL")
    return str(text)
