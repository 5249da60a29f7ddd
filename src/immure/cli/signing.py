"""``immure signing``: set the signing service up, look at its keys, rotate them, replace one at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.signing.settings import Settings

_EXIT_CODES = """
\b
Exit codes:
  0    done
  2    the command, or the settings, cannot be understood
  3    it could not be carried out: a key, a registry, a ledger that cannot be used
"""

_EPILOG = f"""
\b
Examples:
  immure signing init --config signing.toml
  immure signing keys --config signing.toml
  immure signing emergency --config signing.toml consumer consumer-0001 --reason "found in a dump"
{_EXIT_CODES}"""

_CONFIG = click.option(
    "-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML)."
)
_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@click.group(epilog=_EPILOG)
def signing() -> None:
    """Set up the signing service, and look after its keys.

    immure serve signing runs it; keys are rotated by the service itself.
    """


@signing.command(epilog=_EXIT_CODES)
@_CONFIG
@click.option("--origin", metavar="NAME", default="immure/ledger", show_default=True,
              help="Name of the ledger's log.")  # fmt: skip
@_QUIET
def init(config: str, origin: str, quiet: bool) -> int:
    """Make what the settings name and is not there: registry, ledger and its log, and the first key of each
    issuer.

    With custody keyholder: the key file is made under the PIN in pin-source, and its first keys are told what
    they, and all their successors, may sign. With file+unsafe: keys are made when the service starts.
    """
    from immure.signing.service import set_up
    from immure.signing.settings_file import read_settings

    settings = read_settings(config)
    key = set_up(settings, origin=origin)
    made = _first_keys(settings)
    if not quiet:
        if key is not None:
            click.echo(f"public key of the ledger's log: {key}")
        for kid in made:
            click.echo(f"made the key {kid}")
        if settings.custody.startswith("file+unsafe:"):
            say("note: UNSAFE custody, for trials only: private keys will be in the service's memory")
    return ExitCode.CLEAN


@signing.command(epilog=_EXIT_CODES)
@_CONFIG
@_FORMAT
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


@signing.command(epilog=_EXIT_CODES)
@_CONFIG
@click.argument("issuer", metavar="ISSUER")
@click.argument("kid", metavar="KID")
@click.option("--reason", metavar="TEXT", required=True, help="Why; for the history.")
@click.option("--by", metavar="NAME", help="Who.  [default: your login name]")
@_QUIET
def emergency(config: str, issuer: str, kid: str, reason: str, by: str | None, quiet: bool) -> int:
    """Replace a key that others may have: the service makes a new one at once, and publishes the old one no
    more.

    The old key becomes compromised in the registry. A running service sees that within a second, and signs
    with the announced key, or has one made; relying parties follow when they read the key set again.
    """
    import getpass

    from immure.registry.opening import open_store
    from immure.registry.state import KeyState
    from immure.signing.settings_file import read_settings

    settings = read_settings(config)
    if issuer not in settings.issuers:
        raise UsageError(f"there is no issuer {issuer[:80]!a} in {config}")
    with open_store(settings.registry) as store:
        record = store.find(kid, settings.issuers[issuer].url)
        if record.state is not KeyState.COMPROMISED:
            store.change_state(
                record.thumbprint, KeyState.COMPROMISED, reason=reason, by=by or getpass.getuser()
            )
    if not quiet:
        click.echo(f"{kid} is compromised; a running service signs with another key within a second")
    return ExitCode.CLEAN


@signing.command(epilog=_EXIT_CODES)
@_CONFIG
def openapi(config: str) -> int:
    """Print the OpenAPI document of the service: every endpoint of these issuers, and what they answer.

    The service itself has it at /openapi.json.
    """
    from immure.signing.openapi import document
    from immure.signing.settings_file import read_settings

    click.echo(json.dumps(document(read_settings(config)), indent=1))
    return ExitCode.CLEAN


@signing.command(epilog=_EXIT_CODES)
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


def _first_keys(settings: Settings) -> list[str]:
    scheme, _, rest = settings.custody.partition(":")
    if scheme != "keyholder":
        return []
    from urllib.parse import unquote

    from immure.custody.keyholder import KeyHolder
    from immure.custody.keyholder.held_key import ANY_AUDIENCE, Rules

    path, _, query = rest.partition("?")
    target = Path(unquote(path))
    pin = Path(unquote(query.removeprefix("pin-source=")))
    if os.path.exists(target):
        holder = KeyHolder.start(target, [pin], role="manage")
    else:
        holder = KeyHolder.create(target, [pin])
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
