"""``immure retention``: whether logs are kept for as long as it can take to notice a theft."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.ledger.retention import Keeping
    from immure.response.retention import Judged, LogSource
    from immure.response.retention_file import Place

_EPILOG = """
A key that was taken signs until nobody accepts it any more, its last token then lives on, and somebody must
notice. In the incident of 2021 to 2023 that took 26 months. Days are key life + longest token + lag.

\b
Examples:
  immure retention retention.toml
  immure retention --key-life 62 --token-life 1 --lag 800 --keeps mail=180 --keeps acceptances=900
  immure retention --signing signing.toml --lag 800 --ledger issued=ledger.db --log mail=/var/log/mail-access

\b
Exit codes:
  0  every log is kept for long enough
  1  one is not: a gap
  2  the command cannot be done as it was given
  3  of one nobody can tell, or it cannot be read; of the others none has a gap
"""


@click.command(epilog=_EPILOG)
@click.argument("plan", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--signing", metavar="FILE", type=click.Path(),
              help="Take key life and token life from the settings of the signing service.")  # fmt: skip
@click.option("--key-life", metavar="DAYS", type=click.FloatRange(0), help="From a key's making to its end.")
@click.option("--token-life", metavar="DAYS", type=click.FloatRange(0), help="Of the longest-lived token.")
@click.option("--lag", metavar="DAYS", type=click.FloatRange(0),
              help="After how long a theft may still be found out.")  # fmt: skip
@click.option("--keeps", metavar="NAME=DAYS", multiple=True, help="A log, and for how long it is kept.")
@click.option("--log", "logs", metavar="NAME=PATH", multiple=True, help="A log, and where it is.")
@click.option("--ledger", "ledgers", metavar="NAME=PLACE", multiple=True, help="A ledger of issued tokens.")
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def retention(
    plan: Path | None,
    signing: str | None,
    key_life: float | None,
    token_life: float | None,
    lag: float | None,
    keeps: tuple[str, ...],
    logs: tuple[str, ...],
    ledgers: tuple[str, ...],
    form: str,
) -> int:
    """Hold every log against what is needed to tell, after a theft, what was done. A gap is a finding.

    Asked before an incident: what was not kept cannot be kept afterwards.
    """
    from immure import clock
    from immure.response.retention import judge
    from immure.response.retention_file import Plan, read_plan

    read = Plan(None, ()) if plan is None else read_plan(plan)
    need = _need(read.need, signing, key_life, token_life, lag)
    sources = [*read.logs, *_named(keeps, logs, ledgers)]
    if not sources:
        raise UsageError("no log is named: FILE, --keeps, --log or --ledger")
    now = clock.now()
    found, unread = [], []
    for source, place in sources:
        looked, words = _looked(source, place)
        unread += [words] if words else []
        found.append(judge(looked, need, now))
    _print(found, unread, need, form)
    if any(one.verdict == "gap" for one in found):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if unread or any(one.verdict == "unknown" for one in found) else ExitCode.CLEAN


def _need(
    said: Keeping | None,
    signing: str | None,
    key_life: float | None,
    token_life: float | None,
    lag: float | None,
) -> Keeping:
    """What must be kept: the longest of what is said."""
    from immure.ledger.retention import Keeping

    found = [] if said is None else [said]
    late = lag if lag is not None else None if said is None else said.lag / timedelta(days=1)
    if signing is not None:
        if late is None:
            raise UsageError("--signing needs --lag")
        found += _of_service(signing, timedelta(days=late))
    if key_life is not None or token_life is not None or lag is not None:
        if late is None or (not found and (key_life is None or token_life is None)):
            raise UsageError("give --key-life, --token-life and --lag")
        found.append(
            Keeping(timedelta(days=key_life or 0), timedelta(days=token_life or 0), timedelta(days=late))
        )
    if not found:
        raise UsageError("give --key-life, --token-life and --lag, or --signing, or a FILE that has them")
    most = found[0]
    for one in found[1:]:
        most = most.at_least(one)
    return most


def _of_service(path: str, lag: timedelta) -> list[Keeping]:
    from immure.ledger.retention import Keeping
    from immure.signing.settings_file import read_settings

    made = []
    for one in read_settings(path).issuers.values():
        life = one.plan.announce + one.plan.lifetime + one.plan.overlap
        made.append(Keeping(life, timedelta(seconds=max(one.access_seconds, one.id_seconds)), lag))
    return made


def _named(
    keeps: tuple[str, ...], logs: tuple[str, ...], ledgers: tuple[str, ...]
) -> list[tuple[LogSource, Place]]:
    """Logs that options name; one may be named by several of them."""
    from immure.response.retention import LogSource
    from immure.response.retention_file import Place

    held = {name: _days(text) for name, text in (_pair(one, "--keeps NAME=DAYS") for one in keeps)}
    places = {name: Place(path=Path(text)) for name, text in (_pair(one, "--log NAME=PATH") for one in logs)}
    places |= {
        name: Place(ledger=text) for name, text in (_pair(one, "--ledger NAME=PLACE") for one in ledgers)
    }
    return [
        (LogSource(name, held.get(name)), places.get(name, Place()))
        for name in dict.fromkeys([*held, *places])
    ]


def _pair(text: str, form: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise UsageError(f"not {form}: {text[:80]!a}")
    return name, value


def _days(text: str) -> timedelta:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 36_500:
        raise UsageError(f"a number of days, not {text[:40]!a}")
    return timedelta(days=number)


def _looked(source: LogSource, place: Place) -> tuple[LogSource, str]:
    """A log with its oldest record, or why that cannot be read."""
    from immure.cli.messages import say
    from immure.response.errors import ResponseError
    from immure.response.retention_file import checked

    try:
        return checked(source, place), ""
    except ResponseError as error:
        say(str(error))
        return source, str(error)


def _print(found: list[Judged], unread: list[str], need: Keeping, form: str) -> None:
    from immure.response.retention import days
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps({"needed_days": float(days(need.total)), "logs": list(map(_plain, found)),
                               "unread": unread}, indent=1))  # fmt: skip
        return
    parts = f"key life {days(need.key_life)}, longest token {days(need.token_life)}, lag {days(need.lag)}"
    click.echo(f"needed: {days(need.total)} days ({parts})")
    for one in found:
        click.echo(f"{one.verdict.upper():<8} {visible(one.source.name)}: {one.words}")


def _plain(one: Judged) -> dict[str, Any]:
    from immure.response.retention import days

    source = one.source
    return {
        "name": source.name,
        "verdict": one.verdict,
        "gap_days": float(days(one.gap)),
        "keeps_days": None if source.keeps is None else float(days(source.keeps)),
        "oldest": None if source.oldest is None else source.oldest.isoformat(),
        "words": one.words,
    }
