"""``immure access verify``: everything again, from the first entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from immure.cli.access_options import EXIT_CODES, FORMAT, KNOWN, LOG, QUIET, ROOM, opened
from immure.cli.count_progress import count_progress
from immure.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from immure.access import Door

_EPILOG = f"""
\b
Examples:
  immure access verify room --known kept.checkpoint
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@ROOM
@LOG
@KNOWN
@FORMAT
@QUIET
def verify(room: str, log_path: str | None, known: str | None, form: str, quiet: bool) -> int:
    """Let everything in the log happen again, every signature of a hardware key verified, and compare that
    with the database.

    That the log itself is what was signed is what immure log verify checks. Without --known, a log and a
    database that were put back together look like ones that never went on.
    """
    with opened(room, log_path, None, known=known) as door:
        count = verified(door, quiet)
    if form == "json":
        click.echo(json.dumps({"entries": count}))
    elif not quiet:
        click.echo(f"{count} entries: the database follows from the log, and every signature holds")
    return ExitCode.CLEAN


def verified(door: Door, quiet: bool) -> int:
    """How many entries the log has, after all were verified; says how far it is."""
    total = len(door.log)
    with count_progress("entries", quiet=quiet) as told:
        return door.verify(lambda done: told(done, total))
