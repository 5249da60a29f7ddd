"""The formats of a report, by name."""

from __future__ import annotations

from typing import Final, Literal, TextIO, get_args

from immure.detections.finding import Severity
from immure.detections.outcome import Outcome
from immure.detections.rule import Rule

Format = Literal["terminal", "json", "ocsf", "sarif", "html"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def write_report(
    outcome: Outcome, rules: dict[str, Rule], stream: TextIO, form: Format, *, least: Severity = "medium"
) -> None:
    """Write what was found to ``stream``, which should take UTF-8.

    Args:
        rules: by id, for what is said of them.
        least: severity from which on a finding makes the verdict ``found``.
    """
    if form == "terminal":
        from immure.detections.report.terminal import write_terminal

        write_terminal(outcome, stream, least=least)
    elif form == "json":
        from immure.detections.report.json import write_json

        write_json(outcome, stream, least=least)
    elif form == "ocsf":
        from immure.detections.report.ocsf import write_ocsf

        write_ocsf(outcome, rules, stream)
    elif form == "sarif":
        from immure.detections.report.sarif import write_sarif

        write_sarif(outcome, rules, stream, least=least)
    else:
        from immure.detections.report.html import write_html

        write_html(outcome, stream, least=least)
