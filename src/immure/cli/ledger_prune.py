"""``immure ledger retention`` and ``prune``: how long rows must stay, and forgetting those that need not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.count_progress import count_progress
from immure.cli.exit_codes import ExitCode
from immure.cli.ledger_options import EXIT_CODES, FORMAT, PLACE, QUIET
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.ledger.retention import Keeping
    from immure.ledger.store import LedgerStore

_DAY = timedelta(days=1)
_RETENTION_EPILOG = f"""
\b
Examples:
  immure ledger retention --key-life 60 --token-life 1 --lag 365
  immure ledger retention --config signing.toml --lag 800
  immure ledger retention --config signing.toml --ledger ledger.db --lag 800 --format json
{EXIT_CODES}"""
_PRUNE_EPILOG = f"""
\b
Examples:
  immure ledger prune ledger.db --config signing.toml --lag 800 --segments segments/ --dry-run
  immure ledger prune ledger.db --key-life 60 --token-life 1 --lag 365 --keep 500
{EXIT_CODES}"""

_LIVES: list[Callable[[Any], Any]] = [
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(),
        help="Settings of immure serve signing: they say how long keys and tokens live.",
    ),
    click.option(
        "--key-life",
        metavar="DAYS",
        type=click.FloatRange(0),
        help="From a key's making until nobody accepts it any more.",
    ),
    click.option(
        "--token-life",
        metavar="DAYS",
        type=click.FloatRange(0),
        help="Of the longest. [default: that of the longest in the ledger]",
    ),
    click.option(
        "--lag",
        metavar="DAYS",
        type=click.FloatRange(0),
        required=True,
        help="After how long a theft may still be found out.",
    ),
]


def _with_lives(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_LIVES):
        command = option(command)
    return command


@click.command(epilog=_RETENTION_EPILOG)
@_with_lives
@click.option("--ledger", "place", metavar="PLACE", help="Count the longest token in it, too.")
@FORMAT
def retention(
    config: str | None,
    key_life: float | None,
    token_life: float | None,
    lag: float,
    place: str | None,
    form: str,
) -> int:
    """Compute for how long rows must be kept: key life + longest token life + detection lag.

    A stolen key can sign as long as somebody accepts it, and its last token then lives on. Until that is
    noticed the rows must be there, or nobody can say what was never issued.
    """
    from immure.ledger.opening import open_ledger
    from immure.scanning.report.words import visible

    if place is None and config is None and token_life is None:
        raise UsageError("give --token-life, --config, or --ledger with tokens in it")
    keeps = _keeps(config, key_life, token_life, lag)
    found: dict[str, Keeping] = dict(keeps.named)
    if place is not None:
        with open_ledger(place) as store:
            found |= {one.issuer: keeps.of(store, one.issuer) for one in store.standings()}
    elif not found:
        found[""] = keeps.other
    days = max(one.total for one in found.values()) / _DAY if found else 0
    if form == "json":
        plain = [{"issuer": name or None, **_plain(one)} for name, one in sorted(found.items())]
        click.echo(json.dumps({"days": days, "issuers": plain}, indent=1))
        return ExitCode.CLEAN
    for name, one in sorted(found.items()):
        if name:
            click.echo(f"{visible(name)}: {_words(one)}")
    click.echo(f"keep rows for {days:g} days")
    return ExitCode.CLEAN


@click.command(epilog=_PRUNE_EPILOG)
@PLACE
@_with_lives
@click.option("--keep", metavar="DAYS", type=click.FloatRange(0),
              help="Keep more than is needed. Less is refused.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say how many rows would go.")
@click.option("--segments", metavar="DIR", type=click.Path(file_okay=False),
              help="Only rows that were exported to there.")  # fmt: skip
@FORMAT
@QUIET
def prune(
    place: str,
    config: str | None,
    key_life: float | None,
    token_life: float | None,
    lag: float,
    keep: float | None,
    dry_run: bool,
    segments: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Forget old rows, in whole batches. The log still has their roots, and exported segments their rows.

    Only such as are not needed any more: older than key life, longest token life and detection lag together
    (immure ledger retention). Tokens from that time are then "forgotten", as nobody can tell any more whether
    they were issued.
    """
    from immure import clock
    from immure.ledger.opening import open_ledger
    from immure.ledger.retention import prunable
    from immure.ledger.retention import prune as forget
    from immure.scanning.report.words import visible

    keeps, done = _keeps(config, key_life, token_life, lag), []
    with open_ledger(place) as store:
        kept = {one.issuer: _checked(keeps.of(store, one.issuer), keep) for one in store.standings()}
        for name, days in kept.items():
            last = prunable(store, name, clock.now() - timedelta(days=days))
            if segments is not None:
                last = min(last, _exported(store, name, segments))
            with count_progress("rows", quiet=quiet or form == "json") as told:
                count = 0 if dry_run else forget(store, name, last, told=told)
            done.append({"issuer": name, "last": last, "rows": count, "kept_days": days, "dry_run": dry_run})
            if form != "json" and not quiet:
                words = f"rows up to {last:,} would go" if dry_run else f"{count:,} rows are gone"
                click.echo(f"{visible(name)}: {words}")
    if form == "json":
        click.echo(json.dumps({"issuers": done}, indent=1))
    return ExitCode.CLEAN


def _checked(one: Keeping, keep: float | None) -> float:
    """How many days are kept; raises UsageError if a person asks for less than is needed."""
    needed = one.total / _DAY
    if keep is not None and keep < needed:
        raise UsageError(f"--keep {keep:g}: rows are needed for {needed:g} days ({_words(one)})")
    return needed if keep is None else keep


class _Keeps:
    """What settings, and a person, say of how long keys and tokens live."""

    def __init__(self, named: dict[str, Keeping], other: Keeping | None) -> None:
        self.named, self._other = named, other

    @property
    def other(self) -> Keeping:
        """Of issuers of which no settings tell."""
        if self._other is None:
            raise UsageError("give --key-life, or --config with settings that name the issuer")
        return self._other

    def of(self, store: LedgerStore, issuer: str) -> Keeping:
        """Of an issuer, whose ledger may have tokens that live longer than is said."""
        said = self.named.get(issuer)
        return (self.other if said is None else said).with_longest(store.longest_life(issuer))


def _keeps(config: str | None, key_life: float | None, token_life: float | None, lag: float) -> _Keeps:
    from immure.ledger.retention import Keeping

    found_out, token = timedelta(days=lag), timedelta(days=token_life or 0)
    other = None if key_life is None else Keeping(timedelta(days=key_life), token, found_out)
    if config is None:
        if other is None:
            raise UsageError("give --key-life, or --config")
        return _Keeps({}, other)
    from immure.signing.settings_file import read_settings

    named = {}
    for one in read_settings(config).issuers.values():
        plan, seconds = one.plan, max(one.access_seconds, one.id_seconds)
        key = plan.announce + plan.lifetime + plan.overlap
        said = Keeping(key, timedelta(seconds=seconds), found_out)
        named[one.url] = said if other is None else said.at_least(other)
    return _Keeps(named, other)


def _words(one: Keeping) -> str:
    parts = [one.key_life / _DAY, one.token_life / _DAY, one.lag / _DAY]
    key, token, lag = (f"{part:.4g}" for part in parts)
    return f"key life {key}, longest token {token}, lag {lag} days"


def _plain(one: Keeping) -> dict[str, float]:
    return {
        "days": one.total / _DAY,
        "key_life_days": one.key_life / _DAY,
        "token_life_days": one.token_life / _DAY,
        "lag_days": one.lag / _DAY,
    }


def _exported(store: LedgerStore, issuer: str, directory: str) -> int:
    """Up to which row of an issuer everything is in segments."""
    from immure.ledger.segments import segments

    found = segments(Path(directory), issuer, gaps=store.gaps(issuer))
    return found[-1].last if found else 0
