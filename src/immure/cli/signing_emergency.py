"""``immure signing emergency`` and ``parties``: take a key out of use, and see who has let go of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.room_options import GrantingRoom, room_options, use_grant
from immure.cli.signing_options import ACCEPTED, CONFIG, EXIT_CODES, FORMAT, QUIET, key_of, moment
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.registry.record import KeyRecord
    from immure.signing.letting_go import LettingGo
    from immure.signing.settings import Settings

_EPILOG = f"""
\b
Examples:
  immure signing emergency -c signing.toml consumer consumer-0001 --reason "found in a dump"
  immure signing emergency -c signing.toml consumer consumer-0001 --reason "found in a dump" --no-wait
  immure signing emergency -c signing.toml consumer consumer-0001 --reason "found in a dump" \\
    --accepted /var/lib/immure/accepted
{EXIT_CODES.rstrip()};
       or the key is out of use, and somebody may still accept it when waiting is over
"""
#: Seconds between two looks, and between two lines.
_LOOK, _LINE = 0.5, 15.0
#: How long a running service may take to write down who read.
_SLACK = 2.0


@click.command(epilog=_EPILOG)
@CONFIG
@click.argument("issuer", metavar="ISSUER")
@click.argument("kid", metavar="KID")
@click.option("--reason", metavar="TEXT", required=True, help="Why; for the history.")
@click.option("--by", metavar="NAME", help="Who.  [default: your login name]")
@click.option("--wait/--no-wait", default=True, help="Wait until nobody accepts the key.  [default: wait]")
@ACCEPTED
@room_options
@FORMAT
@QUIET
def emergency(
    config: str,
    issuer: str,
    kid: str,
    reason: str,
    by: str | None,
    wait: bool,
    accepted: tuple[str, ...],
    room: GrantingRoom | None,
    form: str,
    quiet: bool,
) -> int:
    """Replace a key that others may have: the service makes a new one at once, and publishes the old one no
    more.

    The old key becomes compromised in the registry. A running service sees that within a second, and signs
    with the announced key, or has one made. Relying parties follow when they read the key set again, which
    they may put off for five minutes: the command waits for those that have the old set, and says when the
    last one stopped accepting the key. Interrupt it as you like; "parties" says the same later.
    """
    from immure.signing.settings_file import read_settings

    settings = read_settings(config)
    record = key_of(settings, config, issuer, kid)
    use_grant(room, kid, "emergency", quiet=quiet)
    record = _compromise(settings, record, reason, by)
    if not quiet:
        tell = say if form == "json" else click.echo
        tell(f"{kid} is compromised; a running service signs with another key within a second")
    found = _wait(settings, record, accepted, quiet=quiet) if wait else _look(settings, record, accepted)
    if form == "json" or not quiet:
        _print(found, form)
    return ExitCode.INCOMPLETE if wait and found.holding else ExitCode.CLEAN


@click.command(epilog=EXIT_CODES)
@CONFIG
@click.argument("issuer", metavar="ISSUER")
@click.argument("kid", metavar="KID")
@ACCEPTED
@FORMAT
def parties(config: str, issuer: str, kid: str, accepted: tuple[str, ...], form: str) -> int:
    """Print which relying parties had a key, and when each stopped accepting it.

    A relying party has a key from the moment on that it reads a key set with it, until it reads one without;
    or for five minutes, for which it may keep the set. Those who keep a log of what they accept can prove it:
    name the log with --accepted.
    """
    from immure.registry.state import KeyState
    from immure.signing.settings_file import read_settings

    settings = read_settings(config)
    record = key_of(settings, config, issuer, kid)
    if record.state not in (KeyState.COMPROMISED, KeyState.DESTROYED):
        raise UsageError(f"{kid} is {record.state.value}: whoever reads the key set has it")
    _print(_look(settings, record, accepted), form)
    return ExitCode.CLEAN


def _compromise(settings: Settings, record: KeyRecord, reason: str, by: str | None) -> KeyRecord:
    import getpass

    from immure.registry.opening import open_store
    from immure.registry.state import KeyState

    if record.state is KeyState.COMPROMISED:
        return record
    with open_store(settings.registry) as store:
        who = by or getpass.getuser()
        return store.change_state(record.thumbprint, KeyState.COMPROMISED, reason=reason, by=who)


def _look(settings: Settings, record: KeyRecord, accepted: tuple[str, ...]) -> LettingGo:
    from immure import clock
    from immure.signing.letting_go import look
    from immure.signing.state_opening import open_state

    state = open_state(settings.state)
    try:
        return look(state, record, accepted, now=clock.now())
    finally:
        state.close()


def _wait(settings: Settings, record: KeyRecord, accepted: tuple[str, ...], *, quiet: bool) -> LettingGo:
    """Until nobody holds the key, but no longer than a key set may be kept."""
    from immure.signing.discovery import MAX_AGE

    time.sleep(_SLACK)
    end, line = time.monotonic() + MAX_AGE + _SLACK, time.monotonic()
    while True:
        found = _look(settings, record, ())
        if not found.holding or time.monotonic() > end:
            return _look(settings, record, accepted)
        if not quiet and time.monotonic() >= line:
            line += _LINE
            say(f"waiting for {len(found.holding)} of {len(found.parties)} relying parties")
        time.sleep(_LOOK)


def _print(found: LettingGo, form: str) -> None:
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps(_plain(found), indent=1))
        return
    for one in found.parties:
        how = "read the set without it" if one.without else "keeps its set no longer"
        when = "may accept it until" if one in found.holding else f"{how} since"
        click.echo(f"{visible(one.party)}: {when} {moment(one.until)}")
    for log in found.accepted:
        words = f"{log.count} tokens since" if log.count else "none since"
        click.echo(f"{visible(log.party)}: accepted {words}, the last of all {moment(log.last)}")
    if found.stopped is None:
        click.echo(f"{len(found.holding)} of {len(found.parties)} relying parties may still accept the key")
    else:
        others = f"; others may until {moment(found.certain)}" if found.now < found.certain else ""
        known = f"{len(found.parties)} had it"
        click.echo(f"nobody who is known accepts the key since {moment(found.stopped)} ({known}){others}")


def _plain(found: LettingGo) -> dict[str, Any]:
    return {
        "kid": found.kid,
        "out": moment(found.out),
        "stopped": moment(found.stopped),
        "certain": moment(found.certain),
        "parties": [
            {
                "party": one.party,
                "had": moment(one.had),
                "without": moment(one.without),
                "until": moment(one.until),
            }
            for one in found.parties
        ],
        "accepted": [
            {"relying_party": one.party, "since": one.count, "last": moment(one.last)}
            for one in found.accepted
        ],
    }
