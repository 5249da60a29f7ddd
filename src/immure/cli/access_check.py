"""``immure access check``: ask as a gate does."""

from __future__ import annotations

import json

import click

from immure.cli.access_options import EXIT_CODES, FORMAT, LOG, QUIET, ROOM, opened
from immure.cli.exit_codes import ExitCode

_EPILOG = f"""
\b
Examples:
  immure access check room room:debug enter --as prd-ada
  immure access check room dump:9f86d081 release -q && ship-it
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@ROOM
@click.argument("resource", metavar="RESOURCE")
@click.argument("action", metavar="ACTION")
@click.option("--as", "account", metavar="ACCOUNT", help="Whose grant it must be. [default: anybody's]")
@LOG
@FORMAT
@QUIET
def check(
    room: str, resource: str, action: str, account: str | None, log_path: str | None, form: str, quiet: bool
) -> int:
    """See whether somebody may do this now. Exit code 0: there is a live grant; 1: there is none, and why.

    What is let happen by it is not noted by this command: adapters do that, by the library.
    """
    from immure.access.records import to_plain

    with opened(room, log_path, None) as door:
        grant = door.live_grant(resource, action, account=account)
    if form == "json":
        click.echo(json.dumps(to_plain(grant), ensure_ascii=False))
    elif not quiet:
        plain = to_plain(grant)
        click.echo(f"{grant.id}: {grant.account} may {action} {grant.resource} until {plain['ends']}")
    return ExitCode.CLEAN
