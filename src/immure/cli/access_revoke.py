"""``immure access revoke``: end a grant before its time."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting

_EPILOG = f"""
\b
Examples:
  immure access revoke room k3abcdefghijklmn --as prd-grace --reason 'account looks odd' --key file:log.key
  immure access revoke room k3abcdefghijklmn --as prd-ada --give-back --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("grant", metavar="GRANT")
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option("--give-back", is_flag=True, help="It is one's own, and not needed any more.")
def revoke(how: Acting, grant: str, reason: str | None, give_back: bool) -> int:
    """Revoke a grant, at once: its sessions end, its certificates are revoked. Anybody in the room can.

    A grant behind broken glass can be given back when it has been reviewed.
    """
    if give_back:
        how.need()
        return conduct(
            how,
            "close",
            lambda door: door.begin_closing(how.account, grant),
            lambda document: document["grant"] == grant,
        )
    how.need(reason=reason)
    return conduct(
        how,
        "revoke",
        lambda door: door.begin_revocation(how.account, grant, str(reason)),
        lambda document: document["grant"] == grant,
    )
