"""``immure ledger verify``: hold every row against the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.count_progress import count_progress
from immure.cli.exit_codes import ExitCode
from immure.cli.ledger_options import EXIT_CODES, FORMAT, LOG, PLACE, QUIET, time_words
from immure.cli.messages import say
from immure.cli.witness_options import QUORUM, WITHIN, WITNESS_KEYS, ask_now, require_witnessed

if TYPE_CHECKING:
    from immure.auditlog import AuditLog
    from immure.auditlog.witnessed import Witnessed
    from immure.ledger.verify import Checked


_EPILOG = f"""
\b
Examples:
  immure ledger verify ledger.db --log ledger-log --log-key log.vkey --known kept.checkpoint
  immure ledger verify ledger.db --log ledger-log --log-key log.vkey --segments segments/
  immure ledger verify ledger.db --log ledger-log --log-key log.vkey --witness witnesses.txt \\
      --witness-quorum 2 --witnessed-within 3600
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@PLACE
@LOG
@click.option(
    "--log-key", "log_key", metavar="KEY", required=True, help="Public key of the log; or its file."
)
@click.option("--known", metavar="CHECKPOINT", type=click.Path(), help="One kept from before.")
@click.option("--segments", metavar="DIR", type=click.Path(file_okay=False),
              help="Hold exported segments against the log, too.")  # fmt: skip
@WITNESS_KEYS
@QUORUM
@WITHIN
@FORMAT
@QUIET
def verify(
    place: str,
    log_path: str,
    log_key: str,
    known: str | None,
    segments: str | None,
    witness_lines: tuple[str, ...],
    quorum: int | None,
    within: int | None,
    form: str,
    quiet: bool,
) -> int:
    """Hold every row against the log, and the log against its signed checkpoint.

    Who holds the database and the key of the log can write both anew, or put older copies of both in place.
    A checkpoint that you kept (--known) or witnesses (--witness) tell. An older copy that has what witnesses
    signed with it is told by --witnessed-within, or by a witness that is asked now.
    """
    from immure.cli.log import read_key, read_known
    from immure.errors import LogError
    from immure.ledger.errors import LedgerError
    from immure.ledger.opening import open_ledger
    from immure.ledger.verify import verify_ledger

    key = read_key(log_key)
    kept = None if known is None else read_known(known, key)
    with open_ledger(place) as store, count_progress("rows", quiet=quiet) as told:
        try:
            seen = require_witnessed(log_path, key, witness_lines, quorum, within)
            entries = _verified(log_path, key, kept, seen)
            asked = ask_now(entries, witness_lines, quorum)
            found = verify_ledger(store, entries.entries(), told=told)
            exported = 0 if segments is None else _check_segments(segments, entries)
        except (LedgerError, LogError) as error:
            if _is_unreadable(error):
                raise
            if form == "json":
                click.echo(json.dumps({"verified": False, "words": str(error)}, indent=1))
            else:
                say(f"ALTERED: {error}")
            return ExitCode.FINDINGS
    if form == "json":
        plain = {"verified": True, "issuers": [_plain(one) for one in found], "segments": exported}
        now = None if asked is None else asked.state
        click.echo(json.dumps({**plain, "witnessed": _plain_witnessed(seen), "asked": now}, indent=1))
    elif not quiet:
        for one in found:
            _print(one)
        if segments is not None:
            click.echo(f"{exported:,} segments are as they were written")
        if seen is not None:
            words = f"{len(seen.seen)} witnesses, the last at {time_words(seen.time)}"
            click.echo(
                f"{seen.checkpoint.size:,} of {len(entries):,} entries of the log were seen by {words}"
            )
        if asked is not None:
            click.echo(f"asked now: {asked.words()}")
    return ExitCode.CLEAN


def _plain(one: Checked) -> dict[str, Any]:
    return {
        "issuer": one.issuer,
        "rows": one.rows,
        "batches": one.batches,
        "pruned": one.pruned,
        "lost": one.lost,
        "unproven": one.unproven,
        "open": one.open,
        "watermark": one.watermark,
        "gaps": [{**gap.body(), "entry": gap.entry} for gap in one.gaps],
    }


def _plain_witnessed(seen: Witnessed | None) -> dict[str, Any] | None:
    return None if seen is None else {"size": seen.checkpoint.size, "by": dict(seen.seen)}


def _print(one: Checked) -> None:
    from immure.scanning.report.words import visible

    click.echo(visible(one.issuer))
    proven = one.rows - one.lost - one.unproven
    click.echo(f"  {proven:,} rows in {one.batches:,} batches are as they were written down")
    click.echo(f"  {one.pruned:,} of them were pruned; {one.open:,} more are not in a batch yet")
    for gap in one.gaps:
        click.echo(f"  GAP: {visible(gap.words())}")
    if one.lost or one.unproven:
        click.echo(f"  {one.lost:,} rows were lost in gaps, and of {one.unproven:,} nothing can be proved")
    click.echo(f"  complete before {time_words(one.watermark)}{' but for the gaps' if one.gaps else ''}")


def _verified(path: str, key: Any, known: Any, seen: Witnessed | None) -> AuditLog:
    """The log, which continues the checkpoints that somebody kept and that witnesses have signed."""
    from immure.auditlog import AuditLog, verify_log

    verify_log(path, public_key=key, known=known)
    return AuditLog.open(path, known=None if seen is None else seen.checkpoint)


def _check_segments(directory: str, log: AuditLog) -> int:
    """How many there are; each is as the log says, none is missing between others."""
    from immure.ledger.batch import KIND, Batch
    from immure.ledger.errors import LedgerError
    from immure.ledger.gap import gaps
    from immure.ledger.manifest import NAME, check_manifest, read_manifest
    from immure.ledger.segments import check_segment, folder_of
    from immure.ledger.segments import segments as those_of

    logged = {
        entry.index: Batch.from_body(entry.body, entry.index) for entry in log.entries() if entry.kind == KIND
    }
    declared = list(gaps(log.entries()))
    paths = set(Path(directory).glob("*/*.parquet"))
    count = len(paths)
    for name in sorted({batch.issuer for batch in logged.values()}):
        folder = folder_of(Path(directory), name)
        lost = [one for one in declared if one.issuer == name]
        found = those_of(Path(directory), name, gaps=lost)
        for segment in found:
            for batch in check_segment(segment.path):
                if logged.get(-1 if batch.entry is None else batch.entry) != batch:
                    words = f"batch {batch.number} is not the one that the log has"
                    raise LedgerError(words, path=str(segment.path))
            paths.discard(folder / segment.path.name)
        manifest = read_manifest(folder)
        if manifest is not None:
            path = str(folder / NAME)
            if manifest.issuer != name or manifest.last > (found[-1].last if found else 0):
                raise LedgerError("is of another issuer, or of more segments than there are", path=path)
            check_manifest(manifest, logged, lost, path)
    if paths:
        raise LedgerError("is no segment of an issuer that the log has", path=str(min(paths)))
    return count


def _is_unreadable(error: BaseException) -> bool:
    from immure.auditlog.storage import is_unreadable

    return is_unreadable(error)
