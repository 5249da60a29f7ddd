"""``immure ledger gap``: say openly that rows were lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.ledger_options import EXIT_CODES, FORMAT, KEY, LOG, PLACE, QUIET, open_log
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.auditlog import AuditLog

_EPILOG = f"""
\b
Example:
  immure ledger gap ledger.db --log ledger-log --key file:log.key --reason 'disk lost, backup of 03:00'
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@PLACE
@LOG
@KEY
@click.option("--reason", metavar="TEXT", required=True, help="What happened; whoever verifies reads it.")
@click.option("--from", "start", metavar="TIME", help="From when on tokens may be missing (RFC 3339). "
              "[default: the watermark before what was lost]")  # fmt: skip
@click.option("--to", "end", metavar="TIME", help="Up to when. [default: now]")
@click.option("--issuer", metavar="URL", help="Only of this one. [default: all]")
@FORMAT
@QUIET
def gap(
    place: str,
    log_path: str,
    uri: str,
    reason: str,
    start: str | None,
    end: str | None,
    issuer: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Declare that rows were lost, as when a backup was put in the place of the ledger.

    The log gets an entry ledger.gap, and the ledger the batches that it lost, without their rows. Tokens that
    say they are from the gap are then "ledger gap" and not "never issued", and none can be recorded in it any
    more. Stop every front end before; nothing is issued by an older copy of a ledger.
    """
    from immure import clock
    from immure.ledger.declaring import declare_gap
    from immure.ledger.opening import open_ledger
    from immure.scanning.report.words import visible

    now = clock.now()
    begin, until = _moment("--from", start), _moment("--to", end) or now
    if until > now:
        raise UsageError("--to is in the future: nothing could be issued until then")
    with open_key(uri, quiet) as signer, open_ledger(place) as store:
        log = open_log(log_path, signer)
        names = {one.issuer for one in store.standings()} | _in_log(log)
        if issuer is not None and issuer not in names:
            raise UsageError("--issuer: neither ledger nor log knows it")
        made = [
            declare_gap(
                store,
                log,
                name,
                reason=reason,
                end=int(until.timestamp()),
                start=None if begin is None else int(begin.timestamp()),
            )
            for name in ([issuer] if issuer is not None else sorted(names))
        ]
    if form == "json":
        click.echo(json.dumps({"gaps": [{**one.body(), "entry": one.entry} for one in made]}, indent=1))
    elif not quiet:
        for one in made:
            click.echo(f"{visible(one.issuer)}: {visible(one.words())}")
    return ExitCode.CLEAN


def _in_log(log: AuditLog) -> set[str]:
    from immure.ledger.batch import KIND, Batch

    return {Batch.from_body(entry.body, entry.index).issuer for entry in log.entries() if entry.kind == KIND}


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("a time as 2026-11-25T01:02:03Z", param_hint=option) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
