"""``immure detect run``: hold accepted tokens against issued ones, and ask the rules."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from immure.cli.detect_extra import need_extra
from immure.cli.detect_options import run_options, settings_of
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output
from immure.errors import ImmureError, UsageError

if TYPE_CHECKING:
    from immure.detections.outcome import Outcome
    from immure.detections.settings import Settings
    from immure.detections.state import State

_EPILOG = """
A token is called forged only if the ledger of its issuer is complete for the time that the token states:
below the signed watermark, and not in a gap. All others are called not yet known, ledger gap or unknown, and
are counted.

\b
Examples:
  immure detect run --accepted accepted --issued segments --log ledger-log --log-key log.vkey
  immure detect run --accepted accepted --issued segments --log ledger-log --log-key log.vkey \\
      --registry keys.toml --state state --follow --findings findings.jsonl
  immure detect run --logs audit.jsonl --logs signins.json --format html -o report.html

\b
Exit codes:
  0    all accepted tokens were issued, and no rule found anything
  1    something was found (of severity --least or more)
  2    the command cannot be done as it was given, or a rule cannot be understood
  3    nothing was found so far, but not everything could be judged; or it could not be carried out
  130  interrupted
"""
_INTERVAL = 15.0


@click.command(epilog=_EPILOG)
@run_options
def run(**given: Any) -> int:
    """Hold accepted tokens against issued ones, and ask the rules."""
    need_extra()
    from immure.detections.state import State

    if given["state_path"] is None:
        for name in ("follow", "findings_path", "webhook", "syslog"):
            if given[name]:
                raise UsageError(f"--{name.removesuffix('_path')} needs --state")
    settings = settings_of(given)
    send = _receivers(given, settings)
    if given["output"] is not None:
        check_writable(given["output"])
    with ExitStack() as stack:
        place = given["state_path"] or Path(stack.enter_context(TemporaryDirectory(prefix="immure-detect-")))
        state = stack.enter_context(State(place))
        outcome = _outcome(state, settings, given, send)
    return _report(outcome, settings, given)


def _outcome(
    state: State, settings: Settings, given: dict[str, Any], send: Callable[[State], None]
) -> Outcome:
    from immure.detections.cycle import Cycle
    from immure.detections.follow import follow

    told = _progress(quiet=given["quiet"])
    if not given["follow"]:
        outcome = Cycle(state, settings, told=told).run()
        send(state)
        return outcome
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return follow(
        state, settings, lambda _: send(state), stop, every=given["every"], told=told,
        failed=lambda error: say(f"this turn failed, and is done again: {error}"),
    )  # fmt: skip


def _receivers(given: dict[str, Any], settings: Settings) -> Callable[[State], None]:
    """What sends new findings; a receiver that fails does not keep the others from theirs."""
    from immure.detections.deliver.lines import append_lines
    from immure.detections.deliver.receiver import Receiver, deliver
    from immure.detections.deliver.syslog import Syslog, SyslogPlace
    from immure.detections.deliver.webhook import Webhook

    receivers: list[Receiver] = []
    if given["webhook"]:
        receivers.append(
            Webhook(
                given["webhook"], {rule.id: rule for rule in settings.rules},
                authorization=_authorization(given["webhook_token_file"]),
                allow_private_hosts=given["private_hosts"], allow_loopback=given["loopback"],
                ca_file=given["webhook_ca_file"],
            )
        )  # fmt: skip
    if given["syslog"]:
        receivers.append(Syslog(SyslogPlace.parse(given["syslog"])))
    path: Path | None = given["findings_path"]

    def send(state: State) -> None:
        failed: ImmureError | None = None
        work: list[Callable[[], int]] = [lambda one=one: deliver(state, one) for one in receivers]  # type: ignore[misc]
        if path is not None:
            work.insert(0, lambda: append_lines(state, path))
        for one in work:
            try:
                one()
            except ImmureError as error:
                failed = error
        if failed is not None:
            raise failed

    return send


def _authorization(path: str | None) -> str:
    from immure.custody.secret_file import read_secret_file, wipe

    if path is None:
        return ""
    data = read_secret_file(path)
    try:
        token = bytes(data).decode("ascii").strip()
    except UnicodeDecodeError:
        raise UsageError("is not a bearer token", path=path) from None
    finally:
        wipe(data)
    if not token.isprintable():
        raise UsageError("is not a bearer token", path=path)
    return f"Bearer {token}"


def _report(outcome: Outcome, settings: Settings, given: dict[str, Any]) -> int:
    from immure.detections.report.formats import write_report
    from immure.detections.report.words import exit_code

    form, least = given["form"], given["least"]
    rules = {rule.id: rule for rule in settings.rules}
    shown = not (given["follow"] and given["output"] is None and form == "terminal" and given["quiet"])
    with open_output(given["output"], utf8=form != "terminal") if shown else nullcontext() as stream:
        if stream is not None:
            write_report(outcome, rules, stream, form, least=least)
    return ExitCode(exit_code(outcome.verdict(least), given["fail_on"]))


def _progress(*, quiet: bool) -> Callable[[str, str, int], None]:
    """A line now and then on standard error; on a terminal, one that is written over."""
    said = time.monotonic()
    terminal = sys.stderr.isatty()

    def told(phase: str, name: str, count: int) -> None:
        nonlocal said
        now = time.monotonic()
        if quiet or now - said < (0.2 if terminal else _INTERVAL):
            return
        said = now
        words = f"{phase} {name}" + (f": {count:,} records" if count else "")
        if terminal:
            from immure.scanning.report.words import shortened, visible

            click.echo(f"\r\x1b[K{shortened(visible(words), 100)}\r", nl=False, err=True)
        else:
            say(words)

    return told
