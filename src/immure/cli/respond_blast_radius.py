"""``immure respond blast-radius``: whom a key reached, and what nobody knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from immure.cli.count_progress import INTERVAL
from immure.cli.detect_extra import need_extra
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output
from immure.cli.respond_options import BY, INCIDENT
from immure.cli.respond_radius_options import radius_options, radius_settings
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.detections.settings import Input, LedgerInput
    from immure.response.incident import Incident
    from immure.response.radius import BlastRadius

_EPILOG = """
A tenant is affected if something was seen, unknown if nothing was seen and the logs are not whole, and "not
seen" only if they are. A count beside an unknown interval is a lower bound. Without a ledger (--issued) every
token that was accepted under the kid counts.

\b
Examples:
  immure respond blast-radius incident --accepted accepted/ --registry keys.toml \\
      --issued segments/ --log ledger-log --log-key ledger.vkey --key file:incident.key
  immure respond blast-radius incident --accepted accepted/ --logs mailbox.jsonl --policy mail=policy.toml \\
      --probed mail=probe.json --format html -o radius.html
  immure respond blast-radius incident --state state/ --issued segments/ --unsigned --silence 1

\b
Exit codes:
  0    the logs are whole, and nothing was seen
  1    somebody is affected
  2    the command cannot be done as it was given
  3    nothing was seen, and something is unknown; or it could not be carried out
  130  interrupted
"""


@click.command("blast-radius", epilog=_EPILOG)
@INCIDENT
@radius_options
@click.option("--key", "uri", metavar="URI", envvar="IMMURE_INCIDENT_KEY", show_envvar=True,
              help="The incident's key; without it nothing is written into the incident.")  # fmt: skip
@BY
@click.option("-f", "--format", "form", type=click.Choice(["terminal", "json", "html"]), default="terminal",
              show_default=True)  # fmt: skip
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where the report goes.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the report, and no progress.")
def blast_radius(
    folder: Path, uri: str | None, actor: str, form: str, output: str | None, quiet: bool, **given: Any
) -> int:
    """Work out whom the key of an incident reached: relying parties, tenants, mailboxes; and what is unknown.

    Logs are read once and kept as Parquet in the incident's directory work/logs, so that the next time only
    what is new is read. With --key the result is a fact of the timeline; one that says something else than
    before is a correction.
    """
    need_extra()
    from immure.response.report.formats import write_radius

    if output is not None:
        check_writable(output)
    with ExitStack() as stack:
        incident = _incident(folder, uri, stack)
        radius = _worked_out(incident, given, stack, uri is not None, quiet)
        if uri is not None:
            from immure.response.radius_record import keep_radius

            keep_radius(incident, radius, actor=actor)
    with open_output(output, utf8=form != "terminal") as stream:
        write_radius(radius, stream, form)
    if any(one.standing == "affected" for one in radius.tenants):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if radius.at_least else ExitCode.CLEAN


def _incident(folder: Path, uri: str | None, stack: ExitStack) -> Incident:
    from immure.cli.respond_options import reading, writing

    return reading(folder) if uri is None else stack.enter_context(writing(folder, uri, True))


def _worked_out(
    incident: Incident, given: dict[str, Any], stack: ExitStack, keeps: bool, quiet: bool
) -> BlastRadius:
    from immure.cli.count_progress import count_progress
    from immure.detections.settings import Settings
    from immure.response.radius_logs import read_state, state_of, take_in_logs
    from immure.response.radius_work import work_out

    settings = radius_settings(incident.opened, given, int(time.time()))
    ledger = ledger_of(given)
    inputs = inputs_of(given)
    if given["state_path"] is not None and inputs:
        raise UsageError("--state is read as it is: give logs to immure detect run, or leave it out")
    if given["state_path"] is None and not inputs:
        raise UsageError("nothing to look at: --accepted, --logs or --state")
    if keeps:
        stack.enter_context(incident.alone("blast-radius"))
    with ExitStack() as within:
        told = within.enter_context(count_progress("windows", quiet=quiet))
        if given["state_path"] is not None:
            state = within.enter_context(state_of(given["state_path"]))
            known = read_state(state, ledger)
        else:
            place = incident.work / "logs" if keeps else Path(within.enter_context(TemporaryDirectory()))
            state = within.enter_context(state_of(place))
            memory, threads = settings.memory, settings.threads
            reads = Settings(rules=(), inputs=inputs, ledger=ledger, memory=memory, threads=threads)
            known = take_in_logs(state, reads, told=_reading(quiet))
        return work_out(state, settings, known, told=lambda what, done, total: told(done, total, what))


def _reading(quiet: bool) -> Callable[[str, str, int], None]:
    """Says now and then how far the logs are read."""
    said = time.monotonic()

    def told(phase: str, name: str, count: int) -> None:
        nonlocal said
        if not quiet and time.monotonic() - said > INTERVAL:
            said = time.monotonic()
            say(f"{phase} {name}" + (f": {count:,} records" if count else ""))

    return told


def inputs_of(given: dict[str, Any]) -> list[Input]:
    """The logs that the options name; raises UsageError if one is not there."""
    from immure.detections.settings import Input

    made = [Input(path) for path in given["accepted"]]
    made += [Input(path, given["source"]) for path in given["logs"]]
    for one in made:
        if not one.path.exists():
            raise UsageError("is not there", path=str(one.path))
    return made


def ledger_of(given: dict[str, Any]) -> LedgerInput | None:
    """The ledger that the options name; raises UsageError if they do not fit together."""
    from immure.cli.log import read_key
    from immure.detections.settings import LedgerInput

    if given["issued"] is None:
        if given["log_path"] is not None:
            raise UsageError("--log needs --issued")
        return None
    if (given["log_path"] is None) != (given["log_key"] is None):
        raise UsageError("--log and --log-key are given together")
    if (given["log_path"] is None) != given["unsigned"]:
        raise UsageError("--issued needs --log and --log-key, or --unsigned")
    key = None if given["log_key"] is None else read_key(given["log_key"])
    return LedgerInput(given["issued"], given["log_path"], key)
