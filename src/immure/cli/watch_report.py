"""What ``immure watch`` writes, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal, TextIO

import click

from immure.cli.exit_codes import ExitCode, FailOn
from immure.cli.messages import say, silence_stdout
from immure.cli.output import open_output

if TYPE_CHECKING:
    from immure.watching.result import Result

Format = Literal["terminal", "json", "sarif"]
_SUFFIXES: Final[dict[str, Format]] = {".json": "json", ".sarif": "sarif", ".txt": "terminal"}


@dataclass(frozen=True, slots=True)
class Presentation:
    """How the result is to be shown."""

    format: Format
    output: str | None
    fail_on: FailOn
    show_all: bool
    quiet: bool


def present(result: Result, presentation: Presentation) -> int:
    """Write the report, say on standard error what went wrong, and tell the exit code."""
    code = _exit_code(result, presentation.fail_on)
    for run in result.runs:
        if not run.whole and run.troubles:
            say(f"{run.target}: {run.troubles[-1].reason}")
    try:
        with open_output(presentation.output, utf8=presentation.format != "terminal") as stream:
            _write(result, stream, presentation, code)
    except BrokenPipeError:
        silence_stdout()
    else:
        if presentation.output is not None and not presentation.quiet:
            from immure.watching.report.words import verdict_words

            say(f"{verdict_words(result)}; the report is in {presentation.output}")
    return code


def _write(result: Result, stream: TextIO, presentation: Presentation, code: ExitCode) -> None:
    if presentation.format == "json":
        from immure.watching.report.json import write_json

        write_json(result, stream)
    elif presentation.format == "sarif":
        from immure.watching.report.sarif import write_sarif
        from immure.watching.report.words import verdict_words

        write_sarif(result, stream, int(code), verdict_words(result))
    else:
        from immure.watching.report.terminal import write_terminal

        write_terminal(result, stream, show_all=presentation.show_all, brief=presentation.quiet)


def _exit_code(result: Result, fail_on: FailOn) -> ExitCode:
    if fail_on == "never":
        return ExitCode.CLEAN
    if result.is_open:
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if result.complete or fail_on == "findings" else ExitCode.INCOMPLETE


def guess(output: str | None) -> Format:
    """The format that a file's name asks for.

    Raises:
        click.UsageError: it asks for none.
    """
    if output is None:
        return "terminal"
    found = _SUFFIXES.get(PurePath(output).suffix.lower())
    if found is None:
        raise click.UsageError(f"--format is needed: the name '{PurePath(output).name}' does not tell it")
    return found
