"""``immure access mds``: what is known of models of hardware keys."""

from __future__ import annotations

import json

import click

from immure.cli.access_options import EXIT_CODES, FORMAT, KEY, LOG, QUIET, ROOM, opened, read_file
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say

_MOST_ROOT = 1 << 16
_EPILOG = f"""
The blob is to be had from https://mds3.fidoalliance.org, the root certificate from the authority that the
FIDO Alliance names there. Fetch them where there is a network, and bring them.

\b
Examples:
  immure access mds room blob.jwt --root root-r3.pem --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@ROOM
@click.argument("blob", metavar="BLOB", type=click.Path())
@click.option(
    "--root",
    "roots",
    metavar="PEM",
    type=click.Path(),
    multiple=True,
    help="It must lead to this. [default: what the policy names]",
)
@KEY
@LOG
@FORMAT
@QUIET
def mds(
    room: str, blob: str, roots: tuple[str, ...], uri: str, log_path: str | None, form: str, quiet: bool
) -> int:
    """Import the blob of the FIDO Metadata Service: its signature, its chain to a root, whose certificate it
    is, and that it is not older than the last one.

    Keys of models that it reports as revoked or compromised cannot be used from then on.
    """
    from immure.access.webauthn.chain import parse_pem
    from immure.access.webauthn.metadata import MOST_BYTES

    data = read_file(blob, MOST_BYTES)
    trusted = [parse_pem(read_file(one, _MOST_ROOT).decode("ascii", "replace")) for one in roots]
    with opened(room, log_path, uri) as door:
        metadata = door.import_metadata(data, trusted)
        today = door.time().date()
    broken = sum(bool(one.broken) for one in metadata.models.values())
    if form == "json":
        click.echo(json.dumps({"number": metadata.number, "models": len(metadata.models), "broken": broken}))
    elif not quiet:
        click.echo(f"number {metadata.number}: {len(metadata.models)} models, {broken} of them broken")
        if metadata.next_update < today:
            say(f"note: a newer one was to come on {metadata.next_update}")
    return ExitCode.CLEAN
