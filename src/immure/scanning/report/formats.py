"""The formats of a report, by name. What a format needs is imported when it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO, get_args

if TYPE_CHECKING:
    from immure.scanning.finding import ScanReport

Format = Literal["terminal", "json", "sarif", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

_SUFFIXES: dict[str, Format] = {
    ".json": "json",
    ".sarif": "sarif",
    ".sarif.json": "sarif",
    ".html": "html",
    ".htm": "html",
    ".txt": "terminal",
}


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How a report is written; a format ignores what does not concern it.

    Attributes:
        show_all: nothing is left out for brevity (terminal).
        brief: the verdicts only (terminal).
        color: False for plain text, None to decide by the stream (terminal).
        exit_code: what the program will end with, if it is known (SARIF).
        exit_words: the same in words.
    """

    show_all: bool = False
    brief: bool = False
    color: bool | None = None
    exit_code: int | None = None
    exit_words: str | None = None


def format_of(path: str) -> Format | None:
    """The format that a file's name asks for, or None if it does not say."""
    name = path.lower()
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return _SUFFIXES[suffix]
    return None


def write_report(
    report: ScanReport, stream: TextIO, form: Format, options: ReportOptions | None = None
) -> int:
    """Write ``report`` to ``stream``, which should take UTF-8; the number of lines if for a terminal."""
    options = options or ReportOptions()
    if form == "terminal":
        from immure.scanning.report.terminal import TerminalOptions, write_terminal

        chosen = TerminalOptions(options.show_all, options.brief, options.color)
        return write_terminal(report, stream, chosen)
    if form == "json":
        from immure.scanning.report.json import write_json

        write_json(report, stream)
    elif form == "sarif":
        from immure.scanning.report.sarif import write_sarif

        write_sarif(report, stream, options.exit_code, options.exit_words)
    else:
        from immure.scanning.report.html import write_html

        write_html(report, stream)
    return 0
