"""Findings as text: the key, the proof, and where its numbers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from immure.scanning.finding import Finding, ImageReport, Occurrence
from immure.scanning.report.key_facts import found_words, scope_words, source_words
from immure.scanning.report.words import (
    count_words,
    hex_words,
    key_words,
    kind_words,
    secret_words,
    shortened,
    visible,
)

_FINDINGS_SHOWN = 20
_OCCURRENCES_SHOWN = 5
_ALIASES_SHOWN = 5
_INDENT = 5
#: Columns of the table of occurrences, and how wide each may get; the region takes what is left.
_COLUMNS = {"offset": 18, "address": 18, "number": 16, "as": 14, "bytes": 16, "where": 0}
_NARROWEST_REGION = 12


def findings_section(image: ImageReport, show_all: bool, width: int) -> Iterator[RenderableType]:
    """All findings of an image, or the first of them with a count of the rest."""
    if not image.findings:
        return
    yield Text("\nFindings", style="bold")
    shown = image.findings if show_all else image.findings[:_FINDINGS_SHOWN]
    for number, finding in enumerate(shown, start=1):
        if number > 1:
            yield Text()
        yield from _finding(number, finding, show_all, width)
    rest = len(image.findings) - len(shown)
    if rest:
        yield Text(f"\n  … and {count_words(rest, 'more key')} (--all)")


def _finding(number: int, finding: Finding, show_all: bool, width: int) -> Iterator[RenderableType]:
    yield Text.assemble(f"  {number}. ", (key_words(finding.key), "bold red"))
    yield Padding(_facts(finding, show_all), (0, 0, 0, _INDENT))
    shown = sorted(finding.occurrences, key=lambda occurrence: (not occurrence.whole, occurrence.offset))
    if not show_all:
        shown = shown[:_OCCURRENCES_SHOWN]
    if shown:
        yield Text()
        yield from _places(finding.key.kty, shown, width)
    rest = len(finding.occurrences) - len(shown)
    if rest:
        yield Text(f"{' ' * _INDENT}… and {rest:,} more (--all)")


def _facts(finding: Finding, show_all: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, words in _fact_words(finding, show_all):
        table.add_row(Text(label), Text(words))
    return table


def _fact_words(finding: Finding, show_all: bool) -> Iterator[tuple[str, str]]:
    key = finding.key
    yield "proof", visible(finding.proof)
    yield "fingerprint", key.thumbprint
    if key.origin.kid and visible(key.origin.kid) not in key_words(key):
        yield "kid", visible(key.origin.kid)
    if key.kty != "oct":
        yield "key scope", scope_words(key)
    yield "learned", f"{kind_words(finding.kind)} ({source_words(key)})"
    aliases = finding.also_known_as if show_all else finding.also_known_as[:_ALIASES_SHOWN]
    for alias in aliases:
        yield "also", f"{key_words(alias)} of {scope_words(alias)} in {source_words(alias)}"
    if len(aliases) < len(finding.also_known_as):
        yield "", f"… and {count_words(len(finding.also_known_as) - len(aliases), 'more place')} (--all)"
    yield "found", found_words(finding)


def _places(kty: str, occurrences: Sequence[Occurrence], width: int) -> Iterator[str]:
    """The table of occurrences as finished lines: a table of rich takes a minute for 100,000 rows."""
    headings = list(_COLUMNS)
    widths = [len(heading) for heading in headings[:-1]]
    for occurrence in occurrences:
        widths = [max(pair) for pair in zip(widths, map(len, _cells(kty, occurrence)), strict=True)]
    left = max(_NARROWEST_REGION, width - _INDENT - sum(widths) - 2 * len(widths))
    yield _row(headings[:-1], widths, headings[-1])
    for occurrence in occurrences:
        yield _row(_cells(kty, occurrence), widths, _where(occurrence, left))


def _row(cells: Sequence[str], widths: Sequence[int], where: str) -> str:
    padded = "  ".join(cell.ljust(wide) for cell, wide in zip(cells, widths, strict=True))
    return f"{' ' * _INDENT}{padded}  {where}\n"


def _cells(kty: str, occurrence: Occurrence) -> list[str]:
    cells = [
        hex_words(occurrence.offset),
        hex_words(occurrence.virtual_address),
        _short_secret(kty, occurrence.secret),
        occurrence.encoding,
        f"{occurrence.length:,}{'' if occurrence.whole else ' (part)'}",
    ]
    return [shortened(cell, limit) for cell, limit in zip(cells, _COLUMNS.values(), strict=False)]


def _where(occurrence: Occurrence, width: int) -> str:
    permissions = f" {shortened(occurrence.permissions, 8)}" if occurrence.permissions else ""
    return f"{shortened(occurrence.region or 'anonymous', width - len(permissions))}{permissions}"


def _short_secret(kty: str, secret: str) -> str:
    """The column is narrow: the plain name of an RSA number, words for the others."""
    words = secret_words(kty, secret)
    for prefix in ("CRT exponent ", "CRT coefficient ", "private exponent "):
        words = words.removeprefix(prefix)
    return words
