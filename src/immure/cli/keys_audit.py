"""``immure keys audit``: what is wrong with key sets, discovery documents and registries."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, get_args

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keys_options import DEFAULT_STORE, FORMAT, QUIET, opened
from immure.cli.messages import say
from immure.cli.parameters import KeySource
from immure.errors import InputError
from immure.registry.finding import Severity
from immure.registry.sql_url import is_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immure.registry.audit_sources import AuditedSet
    from immure.registry.finding import AuditFinding
    from immure.registry.record import KeyRecord

SCHEMA_ID = "https://immure.example/schemas/key-audit-1.json"

_EPILOG = """
SRC is a JWKS file or URL, a discovery document or issuer URL, a file or directory of public keys, or a
registry (SQLite, .toml, postgresql://…). Without any, the registry of --store is audited. With both, the
keys of each SRC are also looked up in that registry: a key that is compromised or retired there and still
published here is found.

\b
Examples:
  immure keys audit
  immure keys audit https://login.example --max-age 90
  immure keys audit jwks.json --store immure-keys.db --format json

\b
Exit codes:
  0    nothing found
  1    something found that is as bad as --least or worse
  2    the command cannot be done as it was given
  3    something could not be read, and nothing was found elsewhere
  130  interrupted
"""


@click.command("audit", epilog=_EPILOG)
@click.argument("sources", metavar="[SRC]...", nargs=-1, type=KeySource())
@click.option(
    "--store",
    "store_path",
    metavar="PATH|URL",
    type=click.Path(dir_okay=False),
    help=f"The registry.  [default: {DEFAULT_STORE}, if no SRC is given]",
)
@click.option(
    "--max-age", metavar="DAYS", type=click.IntRange(1, 36525), default=365, show_default=True,
    help="Keys in use for longer are over-aged.",
)  # fmt: skip
@click.option(
    "--least", type=click.Choice(get_args(Severity)), default="low", show_default=True,
    help="Leave out what is less bad.",
)  # fmt: skip
@click.option("--allow-private-hosts", is_flag=True, help="Fetch from addresses that are not public, too.")
@FORMAT
@QUIET
def audit_keys(
    sources: tuple[str, ...],
    store_path: str | None,
    max_age: int,
    least: Severity,
    allow_private_hosts: bool,
    form: str,
    quiet: bool,
) -> int:
    """Find keys that let a token pass which should not, and say what each permits."""
    from immure import clock
    from immure.registry.audit import audit
    from immure.registry.finding import at_least

    registry = _registry(store_path) if sources and store_path is not None else None
    moment = clock.now()
    results: list[tuple[AuditedSet, list[AuditFinding]]] = []
    unread: dict[str, str] = {}
    for source in sources or (store_path or DEFAULT_STORE,):
        try:
            keys = _read(source, allow_private_hosts, is_store=not sources)
        except InputError as error:
            say(str(error))
            unread[_shown(source, error)] = error.reason
            continue
        found = audit(keys, at=moment, max_age=timedelta(days=max_age), registry=registry)
        results.append((keys, at_least(found, least)))
    if form == "json":
        click.echo(json.dumps(_document(results, unread, moment), indent=1))
    elif not quiet:
        _print(results)
    if any(found for _, found in results):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if unread else ExitCode.CLEAN


def _registry(path: str) -> Sequence[KeyRecord]:
    with opened(path) as store:
        return store.records()


def _read(source: str, allow_private_hosts: bool, *, is_store: bool) -> AuditedSet:
    from immure.registry.audit_sources import open_audited, registry_set

    if is_store and not source.endswith(".toml"):
        with opened(source) as store:
            return registry_set(store.records(), store.path)
    if is_store and not is_url(source) and not os.path.lexists(source):
        opened(source)  # says what to do
    return open_audited(source, allow_private_hosts=allow_private_hosts)


def _shown(source: str, error: InputError) -> str:
    """A source as it may be printed: of a database's URL without the password."""
    return error.path or "postgresql://…" if is_url(source) else source


def _document(
    results: list[tuple[AuditedSet, list[AuditFinding]]], unread: dict[str, str], moment: datetime
) -> dict[str, object]:
    from immure.clock import to_rfc3339

    return {
        "schema": SCHEMA_ID,
        "at": to_rfc3339(moment),
        "sources": [
            {
                "source": keys.source,
                "kind": keys.kind,
                "issuer": keys.issuer,
                "keys": len(keys.entries),
                "findings": [one.to_json() for one in found],
            }
            for keys, found in results
        ],
        "unread": [{"source": source, "reason": reason} for source, reason in unread.items()],
    }


def _print(results: list[tuple[AuditedSet, list[AuditFinding]]]) -> None:
    from immure.scanning.report.words import visible

    for keys, found in results:
        words = f"{len(keys.entries)} key{'' if len(keys.entries) == 1 else 's'}"
        verdict = f"{len(found)} finding{'' if len(found) == 1 else 's'}" if found else "nothing found"
        click.echo(f"{visible(keys.source)}: {words}, {verdict}")
        for one in found:
            name = one.kid or one.thumbprint
            click.echo(f"  {one.severity:<6}  {one.code}" + (f"  {visible(name)}" if name else ""))
            click.echo(f"          {visible(one.words)}")
            click.echo(f"          permits {visible(one.permits)}")
