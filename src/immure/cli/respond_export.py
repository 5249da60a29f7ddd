"""``immure respond export``: the whole incident as one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import EXIT_CODES, FORMAT, INCIDENT, KEY, QUIET, tsa_of, tsa_options, writing

_EPILOG = f"""
What a vault holds sealed is not in the bundle; the log in it has the digests.

\b
Examples:
  immure respond export incident -o incident.tar --key file:incident.key
  immure respond export incident -o incident.tar --tsa http://tsa.example --key file:incident.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.option("-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path),
              help="The bundle.")  # fmt: skip
@tsa_options
@KEY
@FORMAT
@QUIET
def export(folder: Path, output: Path, uri: str, form: str, quiet: bool, **tsa: Any) -> int:
    """Write the whole incident as one bundle, which anybody can check offline (immure respond verify).

    With --tsa, an authority says of the log's checkpoint that it was there now: and so all that is in it.
    """
    from immure.cli.keygen import open_key
    from immure.response.bundle import export as write

    with writing(folder, uri, quiet) as incident, open_key(uri, True) as signer:
        manifest = write(incident, output, key=signer, tsa=tsa_of(**tsa))
    if form == "json":
        click.echo(json.dumps(manifest))
    elif not quiet:
        click.echo(f"{output}: {manifest['entries']:,} entries, {manifest['files']:,} files")
        click.echo(f"public key of the log: {manifest['log_key']}")
        for one in manifest["sealed"]:
            click.echo(f"not in it, sealed in a vault: {one['id']}")
    return ExitCode.CLEAN
