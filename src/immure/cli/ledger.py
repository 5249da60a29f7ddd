"""``immure ledger``: the issuance ledger: make one, close batches, verify, look up, export, prune."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.ledger_find import find
from immure.cli.ledger_gap import gap
from immure.cli.ledger_options import EXIT_CODES, FORMAT, KEY, LOG, PLACE, QUIET, time_words
from immure.cli.ledger_progress import row_progress
from immure.cli.ledger_seal import seal
from immure.cli.ledger_verify import verify

if TYPE_CHECKING:
    from immure.ledger.store import LedgerStore

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
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def ledger() -> None:
    """Every token that was issued: verify the ledger, and look tokens up in it.

    An issuer writes a row before a token leaves. Batches of rows are closed by entries of a tamper-evident
    log, each with a watermark: what claims to have been issued before it and is not in the ledger was forged.
    """


@ledger.command(epilog=EXIT_CODES)
@PLACE
@LOG
@click.option("--origin", metavar="NAME", required=True, help="The log's name, such as login.example/ledger.")
@KEY
@QUIET
def init(place: str, log_path: str, origin: str, uri: str, quiet: bool) -> int:
    """Make a ledger and its log."""
    from immure.auditlog import AuditLog, NoteKey
    from immure.custody.note_signer import NoteSigner
    from immure.ledger.opening import open_ledger

    with open_key(uri, quiet) as signer:
        note_signer = NoteSigner(origin, signer)
        with open_ledger(place, create=True):
            AuditLog.create(log_path, origin=origin, signer=note_signer)
        if not quiet:
            click.echo(f"public key of the log: {NoteKey(origin, note_signer.public_key).to_vkey()}")
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


@ledger.command(epilog=EXIT_CODES)
@PLACE
@click.option("--to", "directory", metavar="DIR", required=True, type=click.Path(file_okay=False))
@QUIET
def export(place: str, directory: str, quiet: bool) -> int:
    """Write closed batches as Parquet, for detection; what was written before is not written again."""
    from immure.ledger.opening import open_ledger
    from immure.ledger.segments import export as write

    with open_ledger(place) as store:
        for one in store.standings():
            for segment in write(store, one.issuer, Path(directory)):
                if not quiet:
                    click.echo(f"{segment.path}  rows {segment.first:,} to {segment.last:,}")
    return ExitCode.CLEAN


@ledger.command(epilog=EXIT_CODES)
@PLACE
@click.option("--keep", metavar="DAYS", type=click.FloatRange(0), required=True,
              help="How many days of rows stay; immure ledger retention says how many must.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say how many rows would go.")
@QUIET
@click.option("--segments", metavar="DIR", type=click.Path(file_okay=False),
              help="Only rows that were exported to there.")  # fmt: skip
def prune(place: str, keep: float, dry_run: bool, segments: str | None, quiet: bool) -> int:
    """Forget old rows, in whole batches. The log still has their roots, and exported segments their rows.

    Tokens from that time are then "forgotten", as nobody can tell any more whether they were issued.
    """
    from datetime import timedelta

    from immure import clock
    from immure.ledger.opening import open_ledger
    from immure.ledger.retention import prunable
    from immure.ledger.retention import prune as forget
    from immure.scanning.report.words import visible

    before = clock.now() - timedelta(days=keep)
    with open_ledger(place) as store:
        for one in store.standings():
            last = prunable(store, one.issuer, before)
            if segments is not None:
                last = min(last, _exported(store, one.issuer, segments))
            with row_progress(quiet=quiet) as told:
                count = 0 if dry_run else forget(store, one.issuer, last, told=told)
            if not quiet:
                done = f"rows up to {last:,} would go" if dry_run else f"{count:,} rows are gone"
                click.echo(f"{visible(one.issuer)}: {done}")
    return ExitCode.CLEAN


@ledger.command(epilog=EXIT_CODES)
@click.option("--key-life", metavar="DAYS", type=click.FloatRange(0), required=True,
              help="From a key's making until nobody accepts it any more.")  # fmt: skip
@click.option("--token-life", metavar="DAYS", type=click.FloatRange(0), required=True, help="Of the longest.")
@click.option("--lag", metavar="DAYS", type=click.FloatRange(0), required=True,
              help="After how long a theft may still be found out.")  # fmt: skip
@FORMAT
def retention(key_life: float, token_life: float, lag: float, form: str) -> int:
    """Compute for how long rows must be kept."""
    from datetime import timedelta

    from immure.ledger.retention import needed

    days = needed(
        key_life=timedelta(days=key_life), token_life=timedelta(days=token_life), lag=timedelta(days=lag)
    ) / timedelta(days=1)
    if form == "json":
        click.echo(json.dumps({"days": days}))
    else:
        click.echo(f"keep rows for {days:g} days")
    return ExitCode.CLEAN


def _exported(store: LedgerStore, issuer: str, directory: str) -> int:
    """Up to which row of an issuer everything is in segments."""
    from immure.ledger.segments import segments

    found = segments(Path(directory), issuer, gaps=store.gaps(issuer))
    return found[-1].last if found else 0


ledger.add_command(verify)
ledger.add_command(find)
ledger.add_command(gap)
ledger.add_command(seal)
