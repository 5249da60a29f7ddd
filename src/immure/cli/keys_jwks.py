"""``immure keys jwks``: the key sets of the registry, one for each scope."""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from immure.cli.keys_options import EXIT_CODES, QUIET, STORE, answered, opened
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output

if TYPE_CHECKING:
    from immure.registry.jwks import SetScope

_EPILOG = f"""
A scope is an issuer, an audience class and a cloud. Without --each exactly one has to be meant: a set for
several would let a key of one sign for another.

\b
Examples:
  immure keys jwks --issuer https://login.example --audience-class consumer -o consumer.json
  immure keys jwks --each /srv/www/keys
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@STORE
@click.option("--issuer", metavar="ISS")
@click.option("--audience-class", metavar="CLASS", help="An empty one is that of keys without any.")
@click.option("--cloud", metavar="NAME")
@click.option("--announce", is_flag=True, help="With the keys that are still to become active.")
@click.option(
    "--grace",
    metavar="HOURS",
    type=click.IntRange(0, 24 * 366),
    default=24,
    show_default=True,
    help="How long a retired key stays in.",
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Whole or not at all.")
@click.option(
    "--each",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True),
    help="Write a file for each scope into DIR, and print which is whose.",
)
@QUIET
@answered
def jwks(
    store_path: str,
    issuer: str | None,
    audience_class: str | None,
    cloud: str | None,
    announce: bool,
    grace: int,
    output: str | None,
    each: str | None,
    quiet: bool,
) -> None:
    """Print the key set of a scope, as JWKS with `issuer` on each key."""
    from immure import clock
    from immure.registry.jwks import choose_scope, jwks_for, published_scopes

    if each is not None and (output is not None or (issuer, audience_class, cloud) != (None, None, None)):
        raise click.UsageError("--each writes all scopes: it goes with no other choice")
    if output is not None:
        check_writable(output)
    with opened(store_path) as store:
        records = store.records()
    options: dict[str, Any] = {"at": clock.now(), "announce": announce, "grace": timedelta(hours=grace)}
    if each is None:
        scope = choose_scope(records, issuer, audience_class, cloud)
        _write(output, jwks_for(records, scope, **options))
        return
    for scope in published_scopes(records):
        path = os.path.join(each, _file_name(scope))
        _write(path, jwks_for(records, scope, **options))
        if not quiet:
            click.echo(f"{path}  {scope.words}")


def _write(path: str | None, document: dict[str, Any]) -> None:
    with open_output(path) as stream:
        stream.write(json.dumps(document, indent=1) + "\n")
    if not document["keys"]:
        say(f"note: no key of this scope is in use{'' if path is None else f' ({path})'}")


def _file_name(scope: SetScope) -> str:
    """A name that tells people whose set it is; the digest keeps apart what looks the same."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", scope.words.removeprefix("https://")).strip("-")[:80]
    digest = hashlib.sha256(repr((scope.issuer, scope.audience_class, scope.cloud)).encode()).hexdigest()
    return f"{words}-{digest[:8]}.jwks.json"
