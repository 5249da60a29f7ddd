"""``immure respond role``: who does what in an incident."""

from __future__ import annotations

import json
from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, EXIT_CODES, FORMAT, INCIDENT, KEY, QUIET, say_entry, writing

_EPILOG = f"""
Roles are lead, approver, responder, communicator and observer. Only a lead gives them.

\b
Examples:
  immure respond role incident --grant approver --to bo --key file:incident.key
  immure respond role incident --revoke approver --to bo --key file:incident.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.option("--grant", metavar="ROLE", help="Give this role.")
@click.option("--revoke", metavar="ROLE", help="Take this role away.")
@click.option("--to", "person", metavar="NAME", required=True, help="To, or from, whom.")
@KEY
@BY
@FORMAT
@QUIET
def role(
    folder: Path,
    grant: str | None,
    revoke: str | None,
    person: str,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Give somebody a role, or take it away.

    The record knows people by the names that they give; that nobody gives another's name is for the machine
    on which this runs to see to.
    """
    from immure.errors import UsageError

    if (grant is None) == (revoke is None):
        raise UsageError("give either --grant or --revoke")
    with writing(folder, uri, quiet) as incident:
        entry = incident.grant_role(grant or revoke or "", person, actor=actor, granted=grant is not None)
        if form == "json":
            roles = {name: sorted(people) for name, people in incident.roles().items()}
            click.echo(json.dumps({"entry": entry.sequence, "roles": roles}))
        else:
            say_entry(incident, entry, form, quiet)
    return ExitCode.CLEAN
