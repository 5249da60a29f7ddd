"""``immure keys import`` and ``immure keys scope``: keys for the registry, and what they may sign for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from immure.cli.keys_options import (
    EXIT_CODES,
    ISSUER_OF_KEY,
    KEY,
    QUIET,
    STORE,
    answered,
    opened,
    scope_options,
    state_line,
    who_and_why,
)
from immure.cli.messages import say
from immure.cli.parameters import KeySource

if TYPE_CHECKING:
    from immure.keymaterial.key import PublicKey
    from immure.registry.importing import Taken, Wanted
    from immure.registry.record import KeyRecord
    from immure.registry.scope import KeyScope
    from immure.registry.store import Store

_IMPORT_EPILOG = f"""
SRC is a JWKS file or URL, an OIDC issuer URL, a PEM or DER public key or certificate, or a directory of
these.
A key keeps its kid, issuer, cloud_instance_name and algorithm, and the time of its certificate; options may
narrow these, and never contradict them.

\b
Examples:
  immure keys import https://login.example --audience-class consumer --state active
  immure keys import signer.pem --kid prod-3 --issuer https://login.example --audience-class enterprise
{EXIT_CODES}"""

_SCOPE_EPILOG = f"""
What no option names stays as it is.

\b
Examples:
  immure keys scope prod-3 --audience-class enterprise --not-after 2027-01-01
  immure keys scope prod-3 --any tenants
  immure keys scope prod-3 --clear
{EXIT_CODES}"""

_LISTS = ("audience_classes", "tenants", "clouds", "algorithms")


@click.command("import", epilog=_IMPORT_EPILOG)
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=KeySource())
@STORE
@scope_options
@click.option("--kid", metavar="KID", help="For a single key that has none, such as a PEM file.")
@click.option("--state", type=click.Choice(["pre-active", "active"]), default="pre-active", show_default=True)
@click.option(
    "--allow-private-hosts", is_flag=True, help="Fetch keys from addresses that are not public, too."
)
@who_and_why(required=False, default="imported")
@QUIET
@answered
def import_keys(
    sources: tuple[str, ...],
    store_path: str,
    issuer: str | None,
    classes: tuple[str, ...],
    tenants: tuple[str, ...],
    clouds: tuple[str, ...],
    algorithms: tuple[str, ...],
    not_before: datetime | None,
    not_after: datetime | None,
    kid: str | None,
    state: str,
    allow_private_hosts: bool,
    reason: str,
    by: str,
    quiet: bool,
) -> None:
    """Take public keys into the registry, all or none. A private key is taken for its public half."""
    from immure.registry.importing import Wanted
    from immure.registry.state import KeyState

    wanted = Wanted(
        by,
        reason,
        KeyState(state),
        kid,
        issuer,
        frozenset(classes),
        frozenset(tenants),
        frozenset(clouds),
        frozenset(algorithms),
        not_before,
        not_after,
    )
    taken = _taken(sources, wanted, allow_private_hosts)
    with opened(store_path, create=True) as store:
        new = _new_ones(store, taken)
        store.add(new)
    for note in () if quiet else taken.notes:
        say(f"note: {note}")
    for record in () if quiet else new:
        click.echo(state_line(record))


def _taken(sources: tuple[str, ...], wanted: Wanted, allow_private_hosts: bool) -> Taken:
    from immure import clock
    from immure.keymaterial.sources import load_keys
    from immure.registry.importing import records_from

    keys: list[PublicKey] = []
    notes: list[str] = []
    for source in sources:
        loaded = load_keys(source, allow_private_hosts=allow_private_hosts)
        keys += loaded.keys
        notes += loaded.notes
    taken = records_from(keys, wanted, at=clock.now())
    taken.notes[:0] = notes
    return taken


def _new_ones(store: Store, taken: Taken) -> list[KeyRecord]:
    """The records that are not there yet. One that is there in just this way is no reason to stop."""
    there = {record.thumbprint: record for record in store.records()}
    new = []
    for record in taken.records:
        known = there.get(record.thumbprint)
        if known is not None and (known.kid, known.scope) == (record.kid, record.scope):
            taken.notes.append(f"key {record.kid!r} is there already, and {known.state.value}")
        else:
            new.append(record)
            there[record.thumbprint] = record
    return new


@click.command(epilog=_SCOPE_EPILOG)
@KEY
@STORE
@ISSUER_OF_KEY
@scope_options
@click.option(
    "--any",
    "lifted",
    type=click.Choice(["tenants", "clouds", "algorithms", "time"]),
    multiple=True,
    help="Lift this limit; repeatable.",
)
@click.option("--clear", is_flag=True, help="Take the whole scope away: the key may sign for nothing.")
@QUIET
@answered
def scope(
    name: str,
    store_path: str,
    of_issuer: str | None,
    issuer: str | None,
    classes: tuple[str, ...],
    tenants: tuple[str, ...],
    clouds: tuple[str, ...],
    algorithms: tuple[str, ...],
    not_before: datetime | None,
    not_after: datetime | None,
    lifted: tuple[str, ...],
    clear: bool,
    quiet: bool,
) -> None:
    """Say what a key may sign for."""
    lists = dict(zip(_LISTS, map(frozenset, (classes, tenants, clouds, algorithms)), strict=True))
    given: dict[str, object] = {name: names for name, names in lists.items() if names}
    texts = {"issuer": issuer, "not_before": not_before, "not_after": not_after}
    given |= {name: value for name, value in texts.items() if value is not None}
    given |= _lifted(lifted, given)
    if clear == bool(given):
        raise click.UsageError("say what the scope is to be, or --clear, and not both")
    with opened(store_path) as store:
        found = store.find(name, of_issuer)
        record = store.change_scope(found.thumbprint, lambda old: None if clear else _changed(old, given))
    if not quiet:
        click.echo(state_line(record))


def _lifted(names: tuple[str, ...], given: dict[str, object]) -> dict[str, object]:
    lifted: dict[str, object] = {}
    for name in names:
        lifted |= {"not_before": None, "not_after": None} if name == "time" else {name: frozenset[str]()}
    if lifted.keys() & given.keys():
        raise click.UsageError("--any lifts a limit that another option sets")
    return lifted


def _changed(old: KeyScope | None, given: dict[str, object]) -> KeyScope:
    from dataclasses import replace

    from immure.registry.scope import KeyScope

    if old is None and "issuer" not in given:
        raise click.UsageError("the key has no scope yet: that begins with --issuer")
    return replace(old or KeyScope(""), **given)  # type: ignore[arg-type]
