"""The formats of a report, by name."""

from __future__ import annotations

from typing import Final, Literal, TextIO, get_args

from immure.probe.result import ProbeReport

Format = Literal["terminal", "json", "sarif", "html"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def write_report(report: ProbeReport, stream: TextIO, form: Format) -> None:
    """Write ``report`` to ``stream``, which should take UTF-8."""
    if form == "terminal":
        from immure.probe.report.terminal import write_terminal

        write_terminal(report, stream)
    elif form == "json":
        from immure.probe.report.json import write_json

        write_json(report, stream)
    elif form == "sarif":
        from immure.probe.report.sarif import write_sarif

        write_sarif(report, stream)
    else:
        from immure.probe.report.html import write_html

        write_html(report, stream)
