"""The report for a person at a terminal.

Readable in 80 columns, without colour, and by ear: every colour has a word or a shape beside it. Everything
that comes from an image or a key set goes through :func:`~immure.scanning.report.words.visible` first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from immure.scanning.finding import ImageReport, ScanReport
from immure.scanning.report import tool
from immure.scanning.report.process import process_words
from immure.scanning.report.summary import (
    Gap,
    Verdict,
    detectors_words,
    gaps,
    headline,
    keys_words,
    lost_words,
    not_asked_for,
    overall,
    verdict,
    was_opened,
)
from immure.scanning.report.terminal_findings import findings_section
from immure.scanning.report.terminal_map import Marks, map_section, marks_for
from immure.scanning.report.words import bytes_words, count_words, hex_words, list_words, shortened, visible

_STYLES = {
    Verdict.FOUND: "bold red",
    Verdict.CLEAN: "bold green",
    Verdict.INCOMPLETE: "bold yellow",
    Verdict.UNREADABLE: "bold yellow",
    Verdict.EMPTY: "bold",
    Verdict.SKIPPED: "bold",
}
_TRAILING = re.compile(r" +$", re.MULTILINE)
_GAPS_SHOWN = 8
#: From this number of images on, images of which there is nothing to say get one line only.
_MANY_IMAGES = 4


@dataclass(frozen=True, slots=True)
class TerminalOptions:
    """How much to print, and how.

    Attributes:
        show_all: every finding, occurrence and gap instead of the first few.
        brief: the verdicts only.
        color: False for plain text; None to decide by the stream and the environment (``NO_COLOR``).
        width: columns; None for the terminal's own.
    """

    show_all: bool = False
    brief: bool = False
    color: bool | None = None
    width: int | None = None


def write_terminal(report: ScanReport, stream: TextIO, options: TerminalOptions | None = None) -> int:
    """Print ``report`` to ``stream``; the number of lines."""
    options = options or TerminalOptions()
    console = _console(stream, options)
    parts = _brief(report) if options.brief else _full(report, console, options)
    lines = 0
    for part in parts:
        text = part if isinstance(part, str) else _rendered(part, console)
        lines += text.count("\n")
        stream.write(text)
    return lines


def _rendered(part: RenderableType, console: Console) -> str:
    text = part if isinstance(part, Text) else Text()
    with console.capture() as captured:
        console.print(
            part,
            highlight=False,
            markup=False,
            emoji=False,
            no_wrap=text.no_wrap,
            soft_wrap=text.overflow == "ignore",
        )
    # tables are padded to full width: blanks that would be copied along and that differ with the width
    return _TRAILING.sub("", captured.get())


def _console(stream: TextIO, options: TerminalOptions) -> Console:
    # NO_COLOR is asked for by people who want plain text: no bold and no underline either
    plain = options.color is False or (options.color is None and bool(os.environ.get("NO_COLOR")))
    if plain:
        return Console(file=stream, width=options.width, color_system=None, force_terminal=False)
    return Console(file=stream, width=options.width)


def _full(report: ScanReport, console: Console, options: TerminalOptions) -> Iterator[RenderableType]:
    detectors = detectors_words(report.detectors)
    yield Text(f"{tool.NAME} {tool.version()}, {visible(report.mode)} mode: {detectors}")
    yield Text(keys_words(report), style="dim")
    marks = marks_for(console.encoding)
    for image in report.images:
        yield Text()
        yield from _image(image, report, marks, console.width, options)
    if len(report.images) != 1:
        yield Text()
        yield Text(f"Altogether: {overall(report)}", style="bold")


def _brief(report: ScanReport) -> Iterator[RenderableType]:
    for image in report.images:
        line = Text.assemble(_word(image), "  ", visible(image.path), ": ", headline(image))
        # one line for each image, however narrow the terminal: scripts read it
        line.overflow = "ignore"
        yield line
    if not report.images:
        yield Text(overall(report))


def _image(
    image: ImageReport, report: ScanReport, marks: Marks, width: int, options: TerminalOptions
) -> Iterator[RenderableType]:
    facts = f"  {visible(image.format)}, {bytes_words(image.size)}" if was_opened(image) else ""
    yield Text.assemble((visible(image.path), "bold"), facts)
    yield Text.assemble(_word(image), "  ", headline(image))
    if verdict(image) is Verdict.SKIPPED:
        return
    nothing_to_say = verdict(image) is Verdict.CLEAN and not image.warnings
    if nothing_to_say and len(report.images) >= _MANY_IMAGES and not options.show_all:
        return
    if image.process is not None:
        yield Text(f"process: {process_words(image.process)}")
    for warning in image.warnings:
        yield Text.assemble(("warning: ", "yellow"), visible(warning))
    yield from map_section(image, marks, width)
    yield from findings_section(image, options.show_all, width)
    yield from _not_searched(image, report, options.show_all)


def _word(image: ImageReport) -> tuple[str, str]:
    kind = verdict(image)
    return kind.name, _STYLES[kind]


def _not_searched(image: ImageReport, report: ScanReport, show_all: bool) -> Iterator[RenderableType]:
    """Always there: silence is not evidence."""
    yield Text("\nNot searched", style="bold")
    grouped = gaps(image)
    if not grouped:
        everything = f"  nothing: every byte was searched by {detectors_words(report.detectors)}"
        yield Text(everything if image.error is None else f"  {lost_words(image)}")
    else:
        yield _gap_table(grouped if show_all else grouped[:_GAPS_SHOWN])
        if not show_all and len(grouped) > _GAPS_SHOWN:
            yield Text(f"  … and {count_words(len(grouped) - _GAPS_SHOWN, 'more reason')} (--all)")
    missing = not_asked_for(report)
    if missing:
        yield Text(f"  not asked for: {list_words(missing)} (--detectors)", style="yellow")


def _gap_table(shown: list[Gap]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for gap in shown:
        where = f"at {hex_words(gap.first.offset)}"
        if gap.ranges > 1:
            where = f"{count_words(gap.ranges, 'range')}, first {where}"
        who = "by any" if gap.detector == "all" else f"by {shortened(gap.detector, 20)}"
        reason = Text(f"{visible(gap.reason)} ({where})")
        table.add_row(Text(bytes_words(gap.length)), Text(who), reason)
    return Padding(table, (0, 0, 0, 2))
