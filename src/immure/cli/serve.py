"""``immure serve``: the servers. An entry of :data:`SERVERS` is all that the group knows of one."""

from __future__ import annotations

import click

from immure.cli.lazy import Entry, LazyGroup

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
    "access": Entry(
        "immure.cli.serve_access", "access", "Serve the page of a production room, and ask for web tools."
    ),
    "console": Entry("immure.cli.serve_console", "console", "Serve the page where people look at all of it."),
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


@click.group(cls=LazyGroup, entries=SERVERS, epilog=_EPILOG)
def serve() -> None:
    """Run a server of Immure, and what belongs to it. Needs the extra immure[serve]."""
