"""``immure respond verify``: whether a bundle, or an incident, is what it was."""

from __future__ import annotations

import json
from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import FORMAT, QUIET

_EPILOG = """
Nothing is fetched. Get the public key of the log, and the certificate of the timestamp authority, from
elsewhere than the bundle.

\b
Examples:
  immure respond verify incident.tar --log-key incident.vkey
  immure respond verify incident.tar --log-key incident.vkey --known kept.checkpoint --tsa-ca tsa.pem
  immure respond verify incident/ --log-key 'immure.incident/2026-11-30-1f2e3d4c+…'

\b
Exit codes:
  0  everything was checked, and holds
  1  something was altered or is missing
  2  the command cannot be done as it was given
  3  what could be checked holds, and not everything could; or it cannot be read
"""

_WORDS = {"holds": "HOLDS", "altered": "ALTERED", "incomplete": "NOT ALL CHECKED"}
_CODES = {"holds": ExitCode.CLEAN, "altered": ExitCode.FINDINGS, "incomplete": ExitCode.INCOMPLETE}


@click.command(epilog=_EPILOG)
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--log-key", metavar="KEY", help="Public key of the log; or its file.")
@click.option("--known", metavar="FILE", type=click.Path(),
              help="A checkpoint kept from before, which the log must continue.")  # fmt: skip
@click.option("--tsa-ca", metavar="FILE", multiple=True, type=click.Path(path_type=Path),
              help="Certificates (PEM) of timestamp authorities.")  # fmt: skip
@FORMAT
@QUIET
def verify(
    bundle: Path, log_key: str | None, known: str | None, tsa_ca: tuple[Path, ...], form: str, quiet: bool
) -> int:
    """Check a bundle, or the directory of an incident, offline: the log, every file, every timestamp."""
    from immure.cli.log import read_key, read_known
    from immure.errors import UsageError
    from immure.response.bundle_verify import verify_bundle
    from immure.response.timestamp import read_roots
    from immure.scanning.report.words import visible

    key = None if log_key is None else read_key(log_key)
    if known is not None and key is None:
        raise UsageError("--known needs --log-key")
    kept = None if known is None or key is None else read_known(known, key)
    found = verify_bundle(bundle, key=key, known=kept, roots=read_roots(tsa_ca))
    if form == "json":
        click.echo(json.dumps(found.to_json(), indent=1))
    elif not quiet:
        for one in found.checks:
            click.echo(f"{one.result:<12} {visible(one.what)}: {visible(one.words)}")
        click.echo(f"{_WORDS[found.verdict]}  {visible(found.path)}")
    return _CODES[found.verdict]
