"""``immure signing``: set the signing service up, look at its keys, rotate them, replace one at once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.signing_emergency import emergency, parties
from immure.cli.signing_options import CONFIG, EXIT_CODES, FORMAT, QUIET, moment
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.signing.settings import Settings

_INIT = f"""
\b
Examples:
  immure signing init --config signing.toml --origin login.example/ledger
  immure signing init --config signing.toml --key-file holder/keys.sealed --pin-file pin
{EXIT_CODES}"""

_EPILOG = f"""
\b
Examples:
  immure signing init --config signing.toml
  immure signing keys --config signing.toml
  immure signing status --config signing.toml
  immure signing emergency --config signing.toml consumer consumer-0001 --reason "found in a dump"
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def signing() -> None:
    """Set up the signing service, and look after its keys.

    immure serve signing runs it; keys are rotated by the service itself.
    """


@signing.command(epilog=_INIT)
@CONFIG
@click.option("--origin", metavar="NAME", default="immure/ledger", show_default=True,
              help="Name of the ledger's log.")  # fmt: skip
@click.option("--key-file", metavar="FILE", type=click.Path(dir_okay=False),
              help="Key file of the holder that listens at the custody's socket.")  # fmt: skip
@click.option("--pin-file", "pin_files", metavar="FILE", multiple=True, type=click.Path(dir_okay=False),
              help="Its PIN, in the first line; twice if it is under two.")  # fmt: skip
@FORMAT
@QUIET
def init(
    config: str, origin: str, key_file: str | None, pin_files: tuple[str, ...], form: str, quiet: bool
) -> int:
    """Make what the settings name and is not there: registry, state, ledger and its log, and the first key of
    each issuer.

    With custody keyholder: the key file is made under the PIN in pin-source, and its first keys are told what
    they, and all their successors, may sign. With keyholder+unix: the same, in the key file that --key-file
    names; its holder must not run yet. With file+unsafe: keys are made when the service starts.
    """
    from immure.signing.service import set_up
    from immure.signing.settings_file import read_settings

    settings = read_settings(config)
    if (key_file is None) != (not pin_files):
        raise UsageError("--key-file and --pin-file belong together")
    key = set_up(settings, origin=origin)
    place = _key_file(settings) if key_file is None else (Path(key_file), [Path(one) for one in pin_files])
    made = [] if place is None else first_keys(settings, *place)
    if form == "json":
        click.echo(json.dumps({"log_key": key, "made": made}, indent=1))
    elif not quiet:
        if key is not None:
            click.echo(f"public key of the ledger's log: {key}")
        for kid in made:
            click.echo(f"made the key {kid}")
    if not quiet and settings.custody.startswith("file+unsafe:"):
        say("note: UNSAFE custody, for trials only: private keys will be in the service's memory")
    return ExitCode.CLEAN


@signing.command(epilog=EXIT_CODES)
@CONFIG
@FORMAT
def keys(config: str, form: str) -> int:
    """Print the keys of each issuer, and their states."""
    from immure.clock import to_rfc3339
    from immure.registry.opening import open_store
    from immure.scanning.report.words import visible
    from immure.signing.settings_file import read_settings

    settings = read_settings(config)
    with open_store(settings.registry) as store:
        records = store.records()
    rows = [
        {
            "issuer": one.issuer,
            "kid": one.kid,
            "state": one.state.value,
            "since": to_rfc3339(one.history[-1].at),
            "reason": one.history[-1].reason,
            "thumbprint": one.thumbprint,
        }
        for one in records
        if one.issuer in {issuer.url for issuer in settings.issuers.values()}
    ]
    if form == "json":
        click.echo(json.dumps({"keys": rows}, indent=1))
    else:
        for row in rows:
            click.echo(f"{visible(str(row['kid']))}  {row['state']}  since {row['since']}")
            click.echo(f"  {visible(str(row['issuer']))}: {visible(str(row['reason']))}")
    return ExitCode.CLEAN


@signing.command(epilog=EXIT_CODES)
@CONFIG
@FORMAT
def status(config: str, form: str) -> int:
    """Print where each issuer stands: which key signs and until when, what is in the ledger.

    It reads what the service reads and writes; the service need not run.
    """
    from immure.scanning.report.words import visible
    from immure.signing.settings_file import read_settings
    from immure.signing.standing import standings

    found, beat = standings(read_settings(config))
    if form == "json":
        issuers = [
            {
                name: moment(value) if isinstance(value, datetime) else value
                for name, value in vars(one).items()
            }
            for one in found
        ]
        click.echo(json.dumps({"issuers": issuers, "at_work": moment(beat)}, indent=1))
        return ExitCode.CLEAN
    for one in found:
        click.echo(f"{one.name}: {visible(one.issuer)}, {one.algorithm}")
        if one.signs is None:
            click.echo("  no key signs")
        else:
            click.echo(f"  {one.signs} signs since {moment(one.since)}, until {moment(one.until)} or so")
        if one.announced is not None:
            click.echo(f"  {one.announced} is announced")
        if one.others:
            click.echo(f"  not yet destroyed: {', '.join(one.others)}")
        click.echo(f"  {one.rows} tokens in the ledger, {one.open_rows} of them in no batch yet")
    click.echo(f"last at work: {moment(beat) or 'never'}")
    return ExitCode.CLEAN


signing.add_command(emergency)
signing.add_command(parties)


@signing.command(epilog=EXIT_CODES)
@CONFIG
def openapi(config: str) -> int:
    """Print the OpenAPI document of the service: every endpoint of these issuers, and what they answer.

    The service itself has it at /openapi.json.
    """
    from immure.signing.openapi import document
    from immure.signing.settings_file import read_settings

    click.echo(json.dumps(document(read_settings(config)), indent=1))
    return ExitCode.CLEAN


@signing.command(epilog=EXIT_CODES)
def password() -> int:
    """Read a password twice, and print the hash for the file of users.

    For development: people who matter sign in with hardware keys.
    """
    from immure.signing.users import MOST_PASSWORD, hash_password

    given: str = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    if len(given) > MOST_PASSWORD:
        raise UsageError(f"a password of more than {MOST_PASSWORD} characters")
    click.echo(hash_password(given))
    return ExitCode.CLEAN


def _key_file(settings: Settings) -> tuple[Path, Sequence[Path]] | None:
    """Of custody ``keyholder:``, with the file of its PIN."""
    from urllib.parse import unquote

    scheme, _, rest = settings.custody.partition(":")
    if scheme != "keyholder":
        return None
    path, _, query = rest.partition("?")
    return Path(unquote(path)), [Path(unquote(query.removeprefix("pin-source=")))]


def _first_keys(settings: Settings) -> list[str]:
    place = _key_file(settings)
    return [] if place is None else first_keys(settings, *place)


def first_keys(settings: Settings, target: Path, pins: Sequence[Path]) -> list[str]:
    """Make the first key of each issuer that has none, in a key file that is made if it is not there.

    Returns:
        Names of the keys that were made.

    Raises:
        HolderError: (all of its kinds) it cannot.
    """
    from immure.custody.keyholder import KeyHolder
    from immure.custody.keyholder.held_key import ANY_AUDIENCE, Rules

    if os.path.exists(target):
        holder = KeyHolder.start(target, pins, role="manage")
    else:
        holder = KeyHolder.create(target, pins)
    made = []
    with holder:
        there = holder.list()
        for issuer in settings.issuers.values():
            if any(info.rules.scope.issuer == issuer.url for info in there.values()):
                continue
            kid = f"{issuer.plan.prefix}-0001"
            audiences = {name: frozenset({one.audience_class}) for name, one in settings.audiences.items()}
            # ID tokens are for clients, which come and go: an audience that is not named is of our own class
            audiences[ANY_AUDIENCE] = issuer.scope.audience_classes
            most = max(issuer.access_seconds, issuer.id_seconds)
            rules = Rules(issuer.plan.algorithm, issuer.scope, audiences, most_seconds=most)  # type: ignore[arg-type]
            holder.generate(kid, rules, bits=issuer.plan.bits)
            made.append(kid)
    return made
