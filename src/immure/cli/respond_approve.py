"""``immure respond approve``: a person says that something may leave the house."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, FORMAT, INCIDENT, KEY, QUIET, entry_json, writing
from immure.errors import UsageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_EPILOG = """
DIGEST is what "immure respond letters" has printed: the SHA-256 of the manifest, in which every recipient and
the digest of every letter stand. Before an approval is written down, all of these files are held against it.

Only people who have the role approver count (immure respond role), each once. The record knows people by the
names that they give: whoever can use the incident's key on this machine could give another's.

\b
Examples:
  immure respond role incident --grant approver --to bo --by ann --key file:incident.key
  immure respond approve incident 4f0c…9e21 --by bo --key file:incident.key
  immure respond approve incident 9be1…77aa --what 'statement to the press' --by cleo --key file:incident.key

\b
Exit codes:
  0  it is written down
  2  it cannot be: no approver, no such letters, or newer ones took their place
  3  the letters are not what was written down, or the record cannot be read or written
"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.argument("digest", metavar="DIGEST")
@click.option(
    "--what", metavar="TEXT", help="What it is, if it is no set of letters: then only the digest counts."
)
@KEY
@BY
@FORMAT
@QUIET
def approve(folder: Path, digest: str, what: str | None, uri: str, actor: str, form: str, quiet: bool) -> int:
    """Approve what has that digest."""
    from immure.response.notification.status import APPROVALS, newest_letters

    if not _DIGEST.fullmatch(digest):
        raise UsageError("a digest is 64 hexadecimal digits, in lower case")
    with writing(folder, uri, quiet) as incident:
        if what is None:
            letters = newest_letters(incident)
            if letters.digest != digest:
                raise UsageError(
                    f"the newest letters are letters {letters.number}, of the digest {letters.digest}; "
                    "older ones are not sent any more"
                )
            letters.check()
            what = f"letters {letters.number}"
        if actor in incident.approvals(digest):
            raise UsageError("is approved by this person already, and two times one is not two people")
        entry = incident.approve(digest, actor=actor, what=what)
        who = sorted(incident.approvals(digest) & incident.roles()["approver"])
    if form == "json":
        click.echo(json.dumps({**entry_json(entry), "approved_by": who, "needed": APPROVALS}, indent=1))
    elif not quiet:
        from immure.scanning.report.words import visible

        click.echo(f"{visible(what)}: approved by {visible(', '.join(who))} ({len(who)} of {APPROVALS})")
    return ExitCode.CLEAN
