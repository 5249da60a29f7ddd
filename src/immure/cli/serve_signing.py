"""``immure serve signing``: issuers, their tokens, and the ledger of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.signing.settings import Settings
    from immure.signing.worker import ServiceApp

_EPILOG = """
Each issuer has its endpoints under its own URL: token, revoke, introspect, jwks, and the discovery documents.
Events go to standard error, one line of JSON each: refusals with their codes, never what a client sent.
/healthz, /readyz, /metrics and /openapi.json are the service's; a proxy in front keeps /metrics to itself.

SIGTERM stops it when what is in hand is answered. SIGHUP has it read clients, audiences, users and lifetimes
again; settings that are wrong, or need a new start, change nothing, and the journal says so.

\b
Examples:
  immure signing init --config signing.toml
  immure serve signing --config signing.toml
  immure serve signing --config signing.toml --check

\b
Exit codes:
  0    stopped when asked to (--check: the settings are right)
  2    the settings cannot be understood; the address cannot be had
  3    it cannot be served: no key holder, ledger or registry; the journal says why
"""


@click.command(epilog=_EPILOG)
@click.option("-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML).")
@click.option("--workers", metavar="N", type=click.IntRange(1, 64), help="Processes that serve.")
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), help="Listen there instead.")
@click.option("--check", is_flag=True, help="Say whether the settings are right, and leave.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well.")
def signing(config: str, workers: int | None, port: int | None, check: bool, quiet: bool) -> int:
    """Give out tokens: several issuers, each with its own keys, which may sign for it and for nobody else.

    No token leaves before its row is on the disk of the issuance ledger.
    """
    from immure.signing.settings_file import read_settings

    given: dict[str, Any] = {}
    if workers is not None:
        given["workers"] = workers
    if port is not None:
        given["port"] = port
    settings = read_settings(config, given)
    if check:
        if not quiet:
            _print(settings, config)
        return ExitCode.CLEAN
    try:
        from immure.introspection.serve import serve
        from immure.signing.worker import Supervisor
    except ImportError as error:
        raise UsageError(f"the extra immure[serve] is not installed ({error.name})") from error
    serve(cast(Any, settings), config, given, f"{__name__}:worker", Supervisor)
    return ExitCode.CLEAN


def worker() -> ServiceApp:
    """The application in a worker process, which started anew and must guard its own memory."""
    keep_memory_out_of_dumps()
    from immure.signing.worker import worker_application

    return worker_application()


def _print(settings: Settings, path: str) -> None:
    from immure.scanning.report.words import visible

    click.echo(f"{visible(path)}: right")
    for name, issuer in settings.issuers.items():
        classes = ", ".join(sorted(issuer.scope.audience_classes))
        click.echo(f"issuer     {name}: {visible(issuer.url)} ({visible(classes)}), {issuer.plan.algorithm}")
    click.echo(f"clients    {', '.join(settings.clients) or '-'}")
    scheme = settings.custody.partition(":")[0]
    click.echo(f"custody    {scheme}{' (UNSAFE, for trials only)' if 'unsafe' in scheme else ''}")
