"""``immure serve introspection``: the server for relying parties that are not Python."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.introspection.app import IntrospectionApp
    from immure.introspection.settings import Settings

_EPILOG = """
It listens on this machine only, unless it has TLS or --behind-proxy says that a proxy has. Events go to
standard error, one line of JSON each; tokens are named by their digests.

SIGTERM stops it when what is in hand is answered. SIGHUP has it read settings and policy again: if they are
wrong, the old ones stay in force, and the journal says so.

\b
Paths:
  POST /introspect       RFC 7662
  any  /auth/NAME...     forward authentication, by the profile NAME
  GET  /healthz /readyz /metrics

\b
Examples:
  immure serve introspection --config /etc/immure/introspection.toml
  immure serve introspection --config introspection.toml --check
  immure serve introspection --config introspection.toml --workers 4

\b
Exit codes:
  0    stopped when asked to (--check: the settings are right)
  2    the settings, or the policy, cannot be understood; the address cannot be had
  3    it cannot be served: a worker did not come up; the journal says why
"""

_SECRET_EPILOG = """
The secret is printed once, and goes to the client. The digest is for "secrets" in the settings: who reads
them cannot ask with it, as the secret has 256 random bits.

\b
Exit codes:
  0    done
"""


@click.command(epilog=_EPILOG)
@click.option("-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML).")
@click.option("--listen", metavar="HOST:PORT", help="Listen there instead of where the settings say.")
@click.option("--unix", metavar="PATH", help="Listen on a Unix socket instead.")
@click.option("--workers", metavar="N", type=click.IntRange(1, 256), help="Processes that serve.")
@click.option("--behind-proxy", is_flag=True, help="Others than this machine may connect without TLS.")
@click.option("--check", is_flag=True, help="Say whether settings and policy are right, and leave.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well.")
def introspection(
    config: str,
    listen: str | None,
    unix: str | None,
    workers: int | None,
    behind_proxy: bool,
    check: bool,
    quiet: bool,
) -> int:
    """Answer other programs whether a token is good: introspection (RFC 7662) and forward authentication.

    Every decision is a row in the log of acceptances before it is answered.
    """
    from immure.introspection.settings_file import read_settings

    given = _given(listen, unix, workers, behind_proxy)
    settings = read_settings(config, given)
    if check:
        if not quiet:
            _print(settings, config)
        return ExitCode.CLEAN
    try:
        from immure.introspection.serve import serve
    except ImportError as error:
        raise UsageError(f"the extra immure[serve] is not installed ({error.name})") from error
    serve(settings, config, given, f"{__name__}:worker")
    return ExitCode.CLEAN


@click.command("client-secret", epilog=_SECRET_EPILOG)
@click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
def client_secret(form: str) -> int:
    """Make a secret for a client, and the digest of it for the settings."""
    import hashlib
    import secrets

    secret = secrets.token_urlsafe(32)
    digest = f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
    if form == "json":
        click.echo(json.dumps({"secret": secret, "digest": digest}, indent=1))
    else:
        click.echo(f"secret (for the client):      {secret}\ndigest (for the settings):    {digest}")
    return ExitCode.CLEAN


def worker() -> IntrospectionApp:
    """The application in a worker process, which started anew and must guard its own memory."""
    keep_memory_out_of_dumps()
    from immure.introspection.worker import worker_application

    return worker_application()


def _given(
    listen: str | None, unix: str | None, workers: int | None, behind_proxy: bool
) -> dict[str, str | int | bool | None]:
    """What counts instead of the file's table ``listen``."""
    given: dict[str, str | int | bool | None] = {}
    if listen is not None:
        given |= {"address": listen, "unix": None}
    if unix is not None:
        given["unix"] = os.path.abspath(unix)
    if workers is not None:
        given["workers"] = workers
    if behind_proxy:
        given["behind_proxy"] = True
    return given


def _print(settings: Settings, path: str) -> None:
    from immure.scanning.report.words import visible

    policy = settings.policy
    click.echo(f"{path}: right")
    click.echo(f"issuers    {', '.join(visible(one) for one in policy.issuers)}")
    click.echo(f"clients    {', '.join(settings.clients) or '-'}")
    click.echo(f"profiles   {', '.join(settings.forward) or '-'}")
    listen = settings.listen
    where = str(listen.unix) if listen.unix is not None else f"{listen.host}:{listen.port}"
    click.echo(f"listens    {visible(where)}, {listen.workers} worker{'s' if listen.workers > 1 else ''}")
