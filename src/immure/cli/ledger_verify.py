"""``immure ledger verify``: hold every row against the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.ledger_options import EXIT_CODES, FORMAT, LOG, PLACE, QUIET, time_words
from immure.cli.messages import say

if TYPE_CHECKING:
    from immure.auditlog import AuditLog


@click.command(epilog=EXIT_CODES)
@PLACE
@LOG
@click.option(
    "--log-key", "log_key", metavar="KEY", required=True, help="Public key of the log; or its file."
)
@click.option("--known", metavar="CHECKPOINT", type=click.Path(), help="One kept from before.")
@click.option("--segments", metavar="DIR", type=click.Path(file_okay=False),
              help="Hold exported segments against the log, too.")  # fmt: skip
@FORMAT
@QUIET
def verify(
    place: str, log_path: str, log_key: str, known: str | None, segments: str | None, form: str, quiet: bool
) -> int:
    """Hold every row against the log, and the log against its signed checkpoint."""
    from immure.cli.log import read_key, read_known
    from immure.errors import LogError
    from immure.ledger.errors import LedgerError
    from immure.ledger.opening import open_ledger
    from immure.ledger.verify import verify_ledger
    from immure.scanning.report.words import visible

    key = read_key(log_key)
    kept = None if known is None else read_known(known, key)
    with open_ledger(place) as store:
        try:
            entries = _verified(log_path, key, kept)
            found = verify_ledger(store, entries.entries())
            exported = 0 if segments is None else _check_segments(segments, entries)
        except (LedgerError, LogError) as error:
            if _is_unreadable(error):
                raise
            if form == "json":
                click.echo(json.dumps({"verified": False, "words": str(error)}, indent=1))
            else:
                say(f"ALTERED: {error}")
            return ExitCode.FINDINGS
    rows = [
        {
            "issuer": one.issuer,
            "rows": one.rows,
            "batches": one.batches,
            "pruned": one.pruned,
            "open": one.open,
            "watermark": one.watermark,
        }
        for one in found
    ]
    if form == "json":
        click.echo(json.dumps({"verified": True, "issuers": rows, "segments": exported}, indent=1))
    elif not quiet:
        for one in found:
            click.echo(visible(one.issuer))
            click.echo(f"  {one.rows:,} rows in {one.batches:,} batches are as they were written down")
            click.echo(f"  {one.pruned:,} of them were pruned; {one.open:,} more are not in a batch yet")
            click.echo(f"  complete before {time_words(one.watermark)}")
        if segments is not None:
            click.echo(f"{exported:,} segments are as they were written")
    return ExitCode.CLEAN


def _verified(path: str, key: Any, known: Any) -> AuditLog:
    from immure.auditlog import AuditLog, verify_log

    verify_log(path, public_key=key, known=known)
    return AuditLog.open(path)


def _check_segments(directory: str, log: AuditLog) -> int:
    from immure.ledger.batch import KIND
    from immure.ledger.errors import LedgerError
    from immure.ledger.segments import check_segment

    logged = {entry.index: entry.body for entry in log.entries() if entry.kind == KIND}
    paths = sorted(Path(directory).glob("*/*.parquet"))
    for path in paths:
        for batch in check_segment(path):
            if logged.get(-1 if batch.entry is None else batch.entry) != batch.body():
                raise LedgerError(f"batch {batch.number} is not the one that the log has", path=str(path))
    return len(paths)


def _is_unreadable(error: BaseException) -> bool:
    from immure.auditlog.storage import is_unreadable

    return is_unreadable(error)
