"""``immure ledger seal``: close batches, once or for ever."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.ledger_options import FORMAT, KEY, LOG, PLACE, QUIET, open_log, time_words
from immure.cli.messages import say
from immure.cli.witness_options import QUORUM, WITNESSES, open_witnesses
from immure.errors import ImmureError

if TYPE_CHECKING:
    from immure.ledger.batch import Batch
    from immure.ledger.sealing import Sealer
    from immure.ledger.witnesses import Asked

_EPILOG = """
A witness that cannot be reached stops nothing: batches are closed, and the answer says NOT WITNESSED until
enough have signed. One that has seen another history is a reason to stop and look.

\b
Examples:
  immure ledger seal ledger.db --log ledger-log --key file:log.key
  immure ledger seal ledger.db --log ledger-log --key file:log.key --every 10 --witness witnesses.txt \\
      --witness-quorum 2

\b
Exit codes:
  0    batches are closed, and witnessed if witnesses are named
  1    batches are closed, but witnesses have seen another history of the log
  2    the command cannot be done as it was given
  3    it could not be carried out; or batches are closed, but too few witnesses have signed by now
  130  interrupted
"""


@click.command(epilog=_EPILOG)
@PLACE
@LOG
@KEY
@click.option("--every", metavar="SECONDS", type=click.FloatRange(0.1), help="Go on, every so many seconds.")
@click.option("--time-is-right", is_flag=True, help="You have looked at the clock, although the newest batch "
              "is old by it.")  # fmt: skip
@WITNESSES
@QUORUM
@FORMAT
@QUIET
def seal(
    place: str,
    log_path: str,
    uri: str,
    every: float | None,
    time_is_right: bool,
    witness_lines: tuple[str, ...],
    quorum: int | None,
    form: str,
    quiet: bool,
) -> int:
    """Close a batch of each issuer: the log then knows its rows, and up to when the ledger is complete.

    With --every, what fails is said and tried again; SIGTERM ends it when the batch in hand is closed. With
    --format json there is a line of JSON for each round in which something was done.
    """
    from immure.ledger.opening import open_ledger
    from immure.ledger.sealing import Sealer

    witnesses = open_witnesses(witness_lines, quorum)
    with open_key(uri, quiet) as signer, open_ledger(place) as store:
        log = open_log(log_path, signer)
        sealer = Sealer(store, log, time_is_right=time_is_right, witnesses=witnesses)
        if every is None:
            return _code(_once(sealer, form, quiet))
        _for_ever(sealer, every, form, quiet)
    return ExitCode.CLEAN


def _for_ever(sealer: Sealer, every: float, form: str, quiet: bool) -> None:
    stop = threading.Event()

    def end(*_: Any) -> None:
        stop.set()

    before = signal.signal(signal.SIGTERM, end)
    last = ""
    try:
        while not stop.is_set():
            try:
                _once(sealer, form, quiet)
                last = ""
            except ImmureError as error:
                if str(error) != last:  # once, not every second
                    say(str(error))
                last = str(error)
            stop.wait(every)
    finally:
        signal.signal(signal.SIGTERM, before)


def _once(sealer: Sealer, form: str, quiet: bool) -> Asked | None:
    made = sealer.seal_all()
    if form == "terminal" and not quiet:
        for batch in made:
            click.echo(_words(batch))
    asked = sealer.ask_witnesses()
    if form == "json":
        if made or asked is not None:
            plain = {"batches": [{**one.body(), "entry": one.entry} for one in made]}
            click.echo(json.dumps({**plain, "witnesses": _plain(asked)}))
    elif asked is not None and not (quiet and asked.enough):
        say(asked.words())
    return asked


def _code(asked: Asked | None) -> ExitCode:
    if asked is None or asked.enough:
        return ExitCode.CLEAN
    return ExitCode.FINDINGS if asked.contradicted else ExitCode.INCOMPLETE


def _plain(asked: Asked | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    return {
        "state": asked.state,
        "size": asked.checkpoint.size,
        "signed": asked.signed,
        "quorum": asked.quorum,
        "witnesses": [{"name": one.name, "kind": one.kind, "words": one.words} for one in asked.outcomes],
    }


def _words(batch: Batch) -> str:
    from immure.scanning.report.words import visible

    rows = batch.last - batch.first + 1
    mark = time_words(batch.watermark)
    return f"{visible(batch.issuer)}: batch {batch.number}, {rows:,} rows, complete before {mark}"
