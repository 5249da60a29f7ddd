"""``immure access report``: who could enter, who did, and what left."""

from __future__ import annotations

import json

import click

from immure.cli.access_options import EXIT_CODES, KNOWN, LOG, QUIET, ROOM, a_time, opened
from immure.cli.access_verify import verified
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import open_output

_EPILOG = f"""
\b
Examples:
  immure access report room
  immure access report room --since 2026-11-01 --format html -o november.html
  immure access report room --format json --known kept.checkpoint
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@ROOM
@click.option("--since", metavar="TIME", help="Only from this time (RFC 3339) or day on.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["terminal", "json", "html"]),
    default="terminal",
    show_default=True,
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="[default: standard output]"
)
@LOG
@KNOWN
@click.option("--quick", is_flag=True, help="Do not verify the whole log first.")
@QUIET
def report(
    room: str, since: str | None, form: str, output: str | None, log_path: str | None, known: str | None,
    quick: bool, quiet: bool,
) -> int:  # fmt: skip
    """Report on a room: people, keys, grants with who approved them, sessions, uses, what left, refusals,
    broken glass. The log is verified first, with every signature of a hardware key in it.
    """
    from immure.access.report import make_report, to_json

    begin = None if since is None else a_time(since, "--since")
    with opened(room, log_path, None, known=known) as door:
        if not quick:
            verified(door, quiet)
        made = make_report(door, begin)
    with open_output(output, utf8=form != "terminal") as stream:
        if form == "json":
            stream.write(json.dumps(to_json(made), indent=1, ensure_ascii=False) + "\n")
        elif form == "html":
            from immure.cli.access_report_page import to_html

            stream.write(to_html(made))
        else:
            from immure.cli.access_report_text import to_lines

            stream.write("\n".join(to_lines(made)) + "\n")
    if known is None and not quiet:
        say("note: without --known, a room that was put back as a whole to an older state is not noticed")
    return ExitCode.CLEAN
