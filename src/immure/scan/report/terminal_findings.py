"""Findings as text: the key, the proof, and where its numbers are."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from immure.scan.finding import Finding, ImageReport, Occurrence
from immure.scan.report.key_facts import found_words, scope_words, source_words
from immure.scan.report.words import (
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


def findings_section(image: ImageReport, show_all: bool) -> Iterator[RenderableType]:
    """All findings of an image, or the first of them with a count of the rest."""
    if not image.findings:
        return
    yield Text("\nFindings", style="bold")
    shown = image.findings if show_all else image.findings[:_FINDINGS_SHOWN]
    for number, finding in enumerate(shown, start=1):
        if number > 1:
            yield Text()
        yield _finding(number, finding, show_all)
    rest = len(image.findings) - len(shown)
    if rest:
        yield Text(f"\n  … and {count_words(rest, 'more key')} (--all)")


def _finding(number: int, finding: Finding, show_all: bool) -> RenderableType:
    title = Text.assemble(f"  {number}. ", (key_words(finding.key), "bold red"))
    shown = sorted(finding.occurrences, key=lambda occurrence: (not occurrence.whole, occurrence.offset))
    if not show_all:
        shown = shown[:_OCCURRENCES_SHOWN]
    rest = len(finding.occurrences) - len(shown)
    parts: list[RenderableType] = [title, Padding(_facts(finding, show_all), (0, 0, 0, 5))]
    if shown:
        parts += [Text(), Padding(_places(finding.key.kty, shown), (0, 0, 0, 5))]
    if rest:
        parts.append(Text(f"     … and {rest:,} more (--all)"))
    return Group(*parts)


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
    yield "key scope", scope_words(key)
    yield "learned", f"{kind_words(finding.kind)} ({source_words(key)})"
    aliases = finding.also_known_as if show_all else finding.also_known_as[:_ALIASES_SHOWN]
    for alias in aliases:
        yield "also", f"{key_words(alias)} of {scope_words(alias)} in {source_words(alias)}"
    if len(aliases) < len(finding.also_known_as):
        yield "", f"… and {count_words(len(finding.also_known_as) - len(aliases), 'more place')} (--all)"
    yield "found", found_words(finding)


def _places(kty: str, occurrences: list[Occurrence]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("offset", "address"):
        table.add_column(heading, no_wrap=True, overflow="fold")
    table.add_column("number", overflow="fold", max_width=16)
    table.add_column("as", overflow="fold", max_width=14)
    table.add_column("bytes", justify="right", overflow="fold")
    table.add_column("where", overflow="fold", ratio=1)
    for occurrence in occurrences:
        where = f"{shortened(occurrence.region or 'anonymous', 60)} {visible(occurrence.permissions or '')}"
        table.add_row(
            Text(hex_words(occurrence.offset)),
            Text(hex_words(occurrence.virtual_address)),
            Text(_short_secret(kty, occurrence.secret)),
            Text(visible(occurrence.encoding)),
            Text(f"{occurrence.length:,}{'' if occurrence.whole else ' (part)'}"),
            Text(where.rstrip()),
        )
    return table


def _short_secret(kty: str, secret: str) -> str:
    """The column is narrow: the plain name of an RSA number, words for the others."""
    words = secret_words(kty, secret)
    return (
        words.removeprefix("CRT exponent ").removeprefix("CRT coefficient ").removeprefix("private exponent ")
    )
