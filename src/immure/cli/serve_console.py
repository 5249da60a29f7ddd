"""``immure serve console``: the page where people look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from immure.cli.access_options import opened
from immure.cli.exit_codes import ExitCode
from immure.cli.serve_alone import address_of, is_local, serve_alone, tls_of
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.access import Door
    from immure.console.settings import Settings

#: Connections at a time: a stream of news takes one for each page that is open.
_MOST = 1024

_EPILOG = """
It reads what captures, the vault, the gate, the registry, the ledger, the detection engine, incidents and
rooms have written, where the settings say; it changes none of it. Who signs in by a hardware key is an entry
in the room's log, so the key of that log is needed.

It listens on this machine only, unless it has TLS or --behind-proxy says that a proxy has. Browsers must come
by the origin that the settings name: cookies and hardware keys are bound to it.

What takes long to make (counts of tokens by hour, the index of dumps) is made at the start, every minute, and
by --refresh-only, which serves nothing: for a timer, before the first visit of the day.

\b
Examples:
  immure serve console --config /etc/immure/console.toml --behind-proxy
  immure serve console --config console.toml --check
  immure serve console --config console.toml --refresh-only

\b
Exit codes:
  0    stopped when asked to (--check: the settings are right; --refresh-only: all is made)
  2    the settings cannot be understood; the address cannot be had; the extra is not installed
  3    the room cannot be read, written or believed; --refresh-only: not all could be made
"""


@click.command(epilog=_EPILOG)
@click.option("-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML).")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8490", show_default=True)
@click.option("--certificate", metavar="FILE", type=click.Path(), help="For TLS: certificates (PEM).")
@click.option("--certificate-key", metavar="FILE", type=click.Path(), help="For TLS: the private key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="Others than this machine may connect without TLS.")
@click.option("--check", is_flag=True, help="Say whether the settings are right, and leave.")
@click.option("--refresh-only", is_flag=True, help="Make what takes long to make, and leave.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well.")
def console(
    config: str, listen: str, certificate: str | None, certificate_key: str | None, behind_proxy: bool,
    check: bool, refresh_only: bool, quiet: bool,
) -> int:  # fmt: skip
    """Serve the page where people look: dumps, keys, tokens, incidents, access and logs.

    Everybody signs in, by a hardware key that an access room knows or by an issuer, and sees the tenants in
    which the settings give them a role.
    """
    host, port = address_of(listen)
    tls = tls_of(certificate, certificate_key)
    if check and refresh_only:
        raise UsageError("--check and --refresh-only do not go together")
    if not (tls or behind_proxy or is_local(host) or check or refresh_only):
        raise UsageError("others could read what is sent: give --certificate, or say --behind-proxy")
    settings = _read(config)
    if check:
        if not quiet:
            _print(settings, config)
        return ExitCode.CLEAN
    keep_memory_out_of_dumps()
    if refresh_only:
        return _refresh(settings, quiet)
    from immure.console.app import create_app

    with _door(settings) as door:
        if not quiet:
            click.echo(f"the console, on {host}:{port}, for {settings.origin}")
        serve_alone(
            lambda journal: create_app(settings, door=door, told=journal.write), host, port, tls, most=_MOST
        )
    return ExitCode.CLEAN


def _read(config: str) -> Settings:
    try:
        import jinja2  # noqa: F401
        import starlette  # noqa: F401

        from immure.console.settings import Settings
    except ImportError as error:
        raise UsageError(f"the extra immure[console] is not installed ({error.name})") from error
    return Settings.read(config)


@contextmanager
def _door(settings: Settings) -> Iterator[Door | None]:
    """The door of the room by which people sign in, if they do."""
    if settings.room is None:
        yield None
        return
    log = None if settings.room.log is None else str(settings.room.log)
    with opened(str(settings.room.room), log, settings.room.key) as door:
        if settings.origin not in door.policy.party.origins:
            words = f"the policy of the room does not name {settings.origin}: hardware keys sign for no other"
            raise UsageError(words, path=str(settings.room.room))
        yield door


def _refresh(settings: Settings, quiet: bool) -> int:
    import json
    import sys

    from immure.console.tenant import Tenant
    from immure.console.upkeep import refresh_all

    def told(event: str, **facts: object) -> None:
        click.echo(json.dumps({"event": event, **facts}), err=True)

    if settings.state is None:
        raise UsageError("what is made would be lost: the settings name no directory of state")
    tenants = {name: Tenant(one, settings) for name, one in settings.tenants.items()}
    failed = refresh_all(tenants, told)
    for tenant in tenants.values():
        tenant.close()
    if not quiet:
        click.echo(f"{len(tenants)} tenant{'s' if len(tenants) != 1 else ''}: ", nl=False)
        click.echo("all is made" if not failed else f"{failed} not made")
    sys.stdout.flush()
    return ExitCode.INCOMPLETE if failed else ExitCode.CLEAN


def _print(settings: Settings, path: str) -> None:
    from immure.console.pages import PAGES

    click.echo(f"{path}: right")
    click.echo(f"origin     {settings.origin}")
    ways = [word for word, one in (("hardware key", settings.room), ("issuer", settings.issuer)) if one]
    click.echo(f"sign-in    {', '.join(ways)}")
    for tenant in settings.tenants.values():
        shown = [page.title.lower() for page in PAGES if page.is_there(tenant)]
        people = len(tenant.roles)
        click.echo(f"tenant     {tenant.name}: {', '.join(shown)}; {people} may look")
