"""``immure mail log``: from Dovecot's events to the mail-access log."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

_EPILOG = """
EVENTS is the file that the settings of "immure mail setup" name. It may be renamed at any time, if "doveadm
stats reopen" follows. The log is described in docs/reference/mail-access-log.md.

A checkpoint beside the log (LOG.checkpoint) remembers how far it has read. A run that was interrupted is made
up for by the next one: nothing is lost, and nothing is there twice.

\b
Examples:
  immure mail log dovecot-events.jsonl --output access.jsonl
  immure mail log dovecot-events.jsonl --output access.jsonl --follow

\b
Exit codes:
  0    all that is there was read (--follow: stopped when asked to)
  1    the same, and evidence is missing: the log has a new gap
  2    the command cannot be done as it was given
  3    a file cannot be read or written, or another process writes the log
"""


@click.command(epilog=_EPILOG)
@click.argument("events", metavar="EVENTS", type=click.Path(dir_okay=False))
@click.option("-o", "--output", metavar="LOG", required=True, type=click.Path(dir_okay=False),
              help="The log, to which records are appended.")  # fmt: skip
@click.option("--checkpoint", metavar="FILE", type=click.Path(dir_okay=False),
              help="Instead of LOG.checkpoint.")  # fmt: skip
@click.option("--follow", is_flag=True, help="Go on with what comes, until SIGTERM or SIGINT.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def log(events: str, output: str, checkpoint: str | None, follow: bool, quiet: bool) -> int:
    """Write one record for each access to a mailbox: who, which message, when, from where, by which token."""
    from immure.mail.follow import Follower

    if Path(events).absolute() == Path(output).absolute():
        raise UsageError("the log would be written into the events", path=output)
    place = None if checkpoint is None else Path(checkpoint)
    with Follower(Path(events), Path(output), place) as follower:
        if follow:
            follower.follow(_asked_to_stop())
        else:
            follower.catch_up()
        if not quiet:
            passed = f", {follower.passed} events are of another kind" if follower.passed else ""
            gaps = f", {follower.gaps} of them gaps" if follower.gaps else ""
            say(f"{output}: {follower.written} new records{gaps}{passed}")
        return ExitCode.FINDINGS if follower.gaps and not follow else ExitCode.CLEAN


def _asked_to_stop() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
