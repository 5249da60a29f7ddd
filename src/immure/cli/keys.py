"""``immure keys``: which keys there are, what each may sign for, and what state it is in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from immure.cli.keys_audit import audit_keys
from immure.cli.keys_import import import_keys, scope
from immure.cli.keys_jwks import jwks
from immure.cli.keys_migrate import migrate
from immure.cli.keys_options import (
    EXIT_CODES,
    FORMAT,
    ISSUER_OF_KEY,
    KEY,
    QUIET,
    STORE,
    Moment,
    answered,
    opened,
    state_line,
    who_and_why,
)
from immure.cli.messages import say
from immure.cli.room_options import GrantingRoom, room_options, use_grant

if TYPE_CHECKING:
    from immure.registry.record import KeyRecord, StateChange

_EPILOG = f"""
KEY is a kid, a thumbprint (RFC 7638), or its first eight characters or more; put -- before one that begins
with a dash.

\b
Examples:
  immure keys import jwks.json --issuer https://login.example --audience-class consumer
  immure keys activate prod-2
  immure keys jwks --issuer https://login.example -o jwks.json
  immure keys compromise prod-1 --reason "found in a crash dump" --since 2021-04-01
  immure keys audit https://login.example
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def keys() -> None:
    """Say which issuer, audiences and tenants each key may sign for, and follow it through its life.

    Only public halves are kept. Key sets are written one for each scope, never one for several.
    """


@keys.command("list", epilog=EXIT_CODES)
@STORE
@click.option("--issuer", metavar="ISS", help="Only keys of this issuer.")
@click.option("--state", metavar="STATE", help="Only keys in this state, such as active.")
@FORMAT
def list_keys(store_path: str, issuer: str | None, state: str | None, form: str) -> None:
    """List the keys."""
    from immure.registry.form import to_plain
    from immure.registry.state import KeyState

    states = [one.value for one in KeyState]
    if state is not None and state not in states:
        raise click.UsageError(f"unknown state {state!r}; there are {', '.join(states)}")
    with opened(store_path) as store:
        found = [
            record
            for record in store.records()
            if issuer in (None, record.issuer) and state in (None, record.state.value)
        ]
    if form == "json":
        click.echo(json.dumps([to_plain(one) | {"state": one.state.value} for one in found], indent=1))
        return
    for record in found:
        click.echo(state_line(record))


@keys.command(epilog=EXIT_CODES)
@KEY
@STORE
@ISSUER_OF_KEY
@FORMAT
def show(name: str, store_path: str, of_issuer: str | None, form: str) -> None:
    """Show a key, its scope and its state."""
    from immure.registry.form import to_plain

    record = _found(store_path, name, of_issuer)
    plain = to_plain(record) | {"state": record.state.value}
    if form == "json":
        click.echo(json.dumps(plain, indent=1))
        return
    _print(
        [
            ("kid", record.kid),
            ("thumbprint", record.thumbprint),
            ("key", record.key.label),
            ("source", record.key.origin.source),
            ("state", f"{record.state.value} since {_time(record.history[-1].at)}"),
            *_scope_lines(plain.get("scope")),
        ]
    )


@keys.command(epilog=EXIT_CODES)
@KEY
@STORE
@ISSUER_OF_KEY
@FORMAT
def history(name: str, store_path: str, of_issuer: str | None, form: str) -> None:
    """Show when a key came into which state, why, and by whom."""
    from immure.registry.form import change_to_plain
    from immure.scanning.report.words import visible

    record = _found(store_path, name, of_issuer)
    if form == "json":
        click.echo(json.dumps([change_to_plain(change) for change in record.history], indent=1))
        return
    for change in record.history:
        click.echo(visible(_change_line(change)))


def _state_command(name: str, state: str, help_text: str, *, since: bool = False) -> None:
    """Add a command that brings a key into a state."""
    act = name

    def run(
        name: str,
        store_path: str,
        of_issuer: str | None,
        reason: str,
        by: str,
        quiet: bool,
        room: GrantingRoom | None,
        since: datetime | None = None,
    ) -> None:
        from immure.registry.state import KeyState

        with opened(store_path) as store:
            found = store.find(name, of_issuer)
            use_grant(room, found.kid, act, quiet=quiet)
            record = store.change_state(found.thumbprint, KeyState(state), reason=reason, by=by, since=since)
        if not quiet:
            say(f"key {record.kid!r} is {record.state.value}")

    run.__doc__ = help_text
    decorators: list[Callable[[Any], Any]] = [
        keys.command(name, epilog=EXIT_CODES),
        KEY,
        STORE,
        ISSUER_OF_KEY,
        who_and_why(required=name != "activate"),
        room_options,
        QUIET,
    ]
    if since:
        text = "Since when others may have had it, if that is known."
        decorators.append(click.option("--since", metavar="TIME", type=Moment(), help=text))
    command: Any = answered(run)
    for decorator in reversed(decorators):
        command = decorator(command)


_state_command("activate", "active", "Take a key into use, for the first time or after it was suspended.")
_state_command(
    "suspend", "suspended", "Take a key out of use for now: nothing that it signed is accepted meanwhile."
)
_state_command(
    "retire",
    "deactivated",
    """Let a key sign no more. What it signed is accepted until it runs out; the key set goes on with it for
    a day (see `immure keys jwks --grace`).""",
)
_state_command(
    "compromise",
    "compromised",
    """Put on record that others may have a key: from now on nothing that it signed is accepted. There is no
    way back from this.""",
    since=True,
)
_state_command("destroy", "destroyed", "Put on record that the private half is gone; the record stays.")

for _command in (import_keys, scope, jwks, audit_keys, migrate):
    keys.add_command(_command)


def _found(store_path: str, name: str, issuer: str | None) -> KeyRecord:
    with opened(store_path) as store:
        return store.find(name, issuer)


def _scope_lines(plain: dict[str, Any] | None) -> list[tuple[str, str]]:
    if plain is None:
        return [("scope", "none: it may sign for nothing")]
    return [
        (name.replace("_", " "), ", ".join(value) if isinstance(value, list) else value)
        for name, value in plain.items()
    ]


def _print(lines: list[tuple[str, str]]) -> None:
    from immure.scanning.report.words import visible

    width = max(len(name) for name, _ in lines) + 2
    for name, value in lines:
        click.echo(name.ljust(width) + visible(value))


def _change_line(change: StateChange) -> str:
    words = f"{_time(change.at)}  {change.state.value}"
    words += f"  by {change.by}" if change.by else ""
    words += f"  since {_time(change.since)}" if change.since else ""
    return words + (f": {change.reason}" if change.reason else "")


def _time(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds").replace("+00:00", "Z")
