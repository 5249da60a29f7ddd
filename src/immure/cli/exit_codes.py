"""Exit codes: what a script may conclude from a run.

0 is said only of what was looked at completely; a script that treats every other code as "do not release" is
safe.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from immure.scanning.finding import ScanReport

FailOn = Literal["findings", "incomplete", "never"]
FAIL_ON: tuple[FailOn, ...] = ("findings", "incomplete", "never")


class ExitCode(IntEnum):
    """What ``immure`` ends with."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERRUPTED = 130
    """128 + SIGINT, as shells have it."""
    BROKEN_PIPE = 141
    """128 + SIGPIPE: the reader of our output went away before there was a verdict."""


_WORDS = {
    ExitCode.CLEAN: "no private key found, everything was searched",
    ExitCode.FINDINGS: "private keys found",
    ExitCode.INCOMPLETE: "no private key found so far, but not everything was searched",
}


def exit_code(report: ScanReport, fail_on: FailOn = "incomplete") -> ExitCode:
    """The exit code for ``report``; findings outweigh incompleteness."""
    if fail_on == "never":
        return ExitCode.CLEAN
    if report.findings:
        return ExitCode.FINDINGS
    if report.complete or fail_on == "findings":
        return ExitCode.CLEAN
    return ExitCode.INCOMPLETE


def describe(report: ScanReport) -> str:
    """The verdict on ``report`` in words, whatever ``--fail-on`` makes of it."""
    return _WORDS[exit_code(report)]
