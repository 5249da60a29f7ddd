"""``immure keys migrate``: a registry in the layout of this version."""

from __future__ import annotations

import click

from immure.cli.keys_options import EXIT_CODES, QUIET, STORE
from immure.cli.messages import say

_EPILOG = f"""
A registry in PostgreSQL is brought up to date by nothing else: front ends of the version before refuse it
from then on, and those of the new version until then. The password comes from PGPASSFILE, ~/.pgpass or
PGPASSWORD. SQLite registries are brought up to date when they are opened.

\b
Examples:
  immure keys migrate --store postgresql://owner@db.example/keys
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@STORE
@QUIET
def migrate(store_path: str, quiet: bool) -> None:
    """Make the registry if it is not there, and bring an older one up to date."""
    from immure.registry.opening import migrate_store

    migrate_store(store_path)
    if not quiet:
        say("the registry is up to date")
