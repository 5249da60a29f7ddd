"""``immure ledger seal``: close batches, once or for ever."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.ledger_options import EXIT_CODES, KEY, LOG, PLACE, QUIET, open_log, time_words
from immure.cli.messages import say
from immure.cli.witness_options import QUORUM, WITNESSES, open_witnesses
from immure.errors import ImmureError

if TYPE_CHECKING:
    from immure.ledger.batch import Batch
    from immure.ledger.sealing import Sealer


@click.command(epilog=EXIT_CODES)
@PLACE
@LOG
@KEY
@click.option("--every", metavar="SECONDS", type=click.FloatRange(0.1), help="Go on, every so many seconds.")
@click.option("--time-is-right", is_flag=True, help="You have looked at the clock, although the newest batch "
              "is old by it.")  # fmt: skip
@WITNESSES
@QUORUM
@QUIET
def seal(
    place: str,
    log_path: str,
    uri: str,
    every: float | None,
    time_is_right: bool,
    witness_lines: tuple[str, ...],
    quorum: int | None,
    quiet: bool,
) -> int:
    """Close a batch of each issuer: the log then knows its rows, and up to when the ledger is complete.

    With --every, what fails is said and tried again; SIGTERM ends it when the batch in hand is closed.
    """
    from immure.ledger.opening import open_ledger
    from immure.ledger.sealing import Sealer

    witnesses = open_witnesses(witness_lines, quorum)
    with open_key(uri, quiet) as signer, open_ledger(place) as store:
        log = open_log(log_path, signer)
        sealer = Sealer(store, log, time_is_right=time_is_right, witnesses=witnesses)
        if every is None:
            _once(sealer, quiet)
        else:
            _for_ever(sealer, every, quiet)
    return ExitCode.CLEAN


def _for_ever(sealer: Sealer, every: float, quiet: bool) -> None:
    stop = threading.Event()

    def end(*_: Any) -> None:
        stop.set()

    before = signal.signal(signal.SIGTERM, end)
    last = ""
    try:
        while not stop.is_set():
            try:
                _once(sealer, quiet)
                last = ""
            except ImmureError as error:
                if str(error) != last:  # once, not every second
                    say(str(error))
                last = str(error)
            stop.wait(every)
    finally:
        signal.signal(signal.SIGTERM, before)


def _once(sealer: Sealer, quiet: bool) -> None:
    for batch in sealer.seal_all():
        if not quiet:
            click.echo(_words(batch))
    asked = sealer.ask_witnesses()
    if asked is not None and not (quiet and asked.enough):
        say(asked.words())


def _words(batch: Batch) -> str:
    from immure.scanning.report.words import visible

    rows = batch.last - batch.first + 1
    mark = time_words(batch.watermark)
    return f"{visible(batch.issuer)}: batch {batch.number}, {rows:,} rows, complete before {mark}"
