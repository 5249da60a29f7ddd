"""``immure serve``: the servers. An entry of :data:`SERVERS` is all that the group knows of one."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """Where a command is, and what it does in one line."""

    module: str
    name: str
    summary: str


SERVERS = {
    "introspection": Entry(
        "immure.cli.serve_introspection",
        "introspection",
        "Answer relying parties whether a token is good.",
    ),
    "signing": Entry(
        "immure.cli.serve_signing", "signing", "Give out tokens: issuers that never share a key."
    ),
    "witness": Entry("immure.cli.serve_witness", "witness", "Sign the logs of others, one history of each."),
    "client-secret": Entry(
        "immure.cli.serve_introspection", "client_secret", "Make a secret for a client of introspection."
    ),
}

_EPILOG = """
\b
Examples:
  immure serve introspection --config /etc/immure/introspection.toml
  immure serve introspection --config introspection.toml --check
"""


class _Servers(click.Group):
    """Imports a server only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all servers."""
        return list(SERVERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        entry = SERVERS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), entry.name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module}.{entry.name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of servers without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in SERVERS.items()])


@click.group(cls=_Servers, epilog=_EPILOG)
def serve() -> None:
    """Run a server of Immure, and what belongs to it. Needs the extra immure[serve]."""
