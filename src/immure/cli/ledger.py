"""``immure ledger``: the issuance ledger: make one, close batches, verify, look up, export, prune."""

from __future__ import annotations

import json
from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.ledger_find import find
from immure.cli.ledger_gap import gap
from immure.cli.ledger_options import EXIT_CODES, FORMAT, KEY, LOG, PLACE, QUIET, time_words
from immure.cli.ledger_prune import prune, retention
from immure.cli.ledger_seal import seal
from immure.cli.ledger_verify import verify

_EPILOG = f"""
PLACE is a file (SQLite) or postgresql://USER@HOST/DATABASE. DIR is the directory of the ledger's log.

\b
Examples:
  immure ledger init ledger.db --log ledger-log --origin login.example/ledger --key file:log.key
  immure ledger seal ledger.db --log ledger-log --key file:log.key --every 10
  immure ledger verify ledger.db --log ledger-log --log-key log.vkey --known kept.checkpoint
  immure ledger find ledger.db token.jwt
  immure ledger export ledger.db --to segments/
  immure ledger gap ledger.db --log ledger-log --key file:log.key --reason 'disk lost, backup of 03:00'
  immure ledger retention --key-life 60 --token-life 1 --lag 365
  immure ledger prune ledger.db --config signing.toml --lag 800 --segments segments/
{EXIT_CODES}"""


_INIT_EPILOG = f"""
\b
Examples:
  immure ledger init ledger.db --log ledger-log --origin login.example/ledger --key file:log.key
  immure ledger init postgresql://ledger@db.example/immure --log /var/lib/immure/ledger-log \\
      --origin login.example/ledger --key 'pkcs11:token=ledger;object=log?module-name=softhsm2'
{EXIT_CODES}"""

_EXPORT_EPILOG = f"""
\b
Examples:
  immure ledger export ledger.db --to segments/
  immure ledger export ledger.db --to segments/ --format json
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def ledger() -> None:
    """Every token that was issued: verify the ledger, and look tokens up in it.

    An issuer writes a row before a token leaves. Batches of rows are closed by entries of a tamper-evident
    log, each with a watermark: what claims to have been issued before it and is not in the ledger was forged.
    """


@ledger.command(epilog=_INIT_EPILOG)
@PLACE
@LOG
@click.option("--origin", metavar="NAME", required=True, help="The log's name, such as login.example/ledger.")
@KEY
@FORMAT
@QUIET
def init(place: str, log_path: str, origin: str, uri: str, form: str, quiet: bool) -> int:
    """Make a ledger and its log, and print the public key of the log, for those who verify."""
    from immure.auditlog import AuditLog, NoteKey
    from immure.custody.note_signer import NoteSigner
    from immure.ledger.opening import open_ledger

    with open_key(uri, quiet) as signer:
        note_signer = NoteSigner(origin, signer)
        with open_ledger(place, create=True):
            AuditLog.create(log_path, origin=origin, signer=note_signer)
        vkey = NoteKey(origin, note_signer.public_key).to_vkey()
        if form == "json":
            click.echo(json.dumps({"log_key": vkey}))
        elif not quiet:
            click.echo(f"public key of the log: {vkey}")
    return ExitCode.CLEAN


@ledger.command(epilog=EXIT_CODES)
@PLACE
@FORMAT
def status(place: str, form: str) -> int:
    """Print how far the ledger of each issuer has come."""
    from immure.ledger.opening import open_ledger
    from immure.scanning.report.words import visible

    with open_ledger(place) as store:
        found = store.standings()
    if form == "json":
        rows = [
            {
                "issuer": one.issuer,
                "tokens": one.last,
                "closed": one.closed,
                "batches": one.batches,
                "watermark": one.watermark,
                "forgotten": one.forgotten,
            }
            for one in found
        ]
        click.echo(json.dumps({"issuers": rows}, indent=1))
        return ExitCode.CLEAN
    for one in found:
        click.echo(visible(one.issuer))
        click.echo(f"  tokens     {one.last:,}, of which {one.closed:,} are in {one.batches:,} batches")
        click.echo(f"  watermark  {time_words(one.watermark)}")
        if one.forgotten:
            click.echo(f"  pruned     rows from before {time_words(one.forgotten)}")
    if not found:
        click.echo("no token was recorded yet")
    return ExitCode.CLEAN


@ledger.command(epilog=_EXPORT_EPILOG)
@PLACE
@click.option("--to", "directory", metavar="DIR", required=True, type=click.Path(file_okay=False),
              help="Where segments are; made if it is not there.")  # fmt: skip
@FORMAT
@QUIET
def export(place: str, directory: str, form: str, quiet: bool) -> int:
    """Write closed batches as Parquet, for detection; what was written before is not written again.

    Each issuer has a folder, with segments, and ledger.json, which says up to when they are complete.
    """
    from immure.ledger.opening import open_ledger
    from immure.ledger.segments import export as write

    made = []
    with open_ledger(place) as store:
        for one in store.standings():
            for segment in write(store, one.issuer, Path(directory)):
                made.append({"path": str(segment.path), "issuer": one.issuer, "first": segment.first,
                             "last": segment.last})  # fmt: skip
                if form != "json" and not quiet:
                    click.echo(f"{segment.path}  rows {segment.first:,} to {segment.last:,}")
    if form == "json":
        click.echo(json.dumps({"segments": made}, indent=1))
    return ExitCode.CLEAN


ledger.add_command(verify)
ledger.add_command(find)
ledger.add_command(gap)
ledger.add_command(prune)
ledger.add_command(retention)
ledger.add_command(seal)
