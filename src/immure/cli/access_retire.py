"""``immure access retire``: a workstation that is not used any more."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting

_EPILOG = f"""
\b
Examples:
  immure access person show room prd-ada
  immure access retire room SHA256 --reason 'stolen on the train' --as prd-ada --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("workstation", metavar="SHA256")
@click.option("--reason", metavar="TEXT", help="Why: at least eight characters.")
def retire(how: Acting, workstation: str, reason: str | None) -> int:
    """Retire a workstation at once: sessions that are bound to it end. Anybody in the room can, alone; before
    it comes back, others must approve.

    SHA256 is that of its certificate, as immure access person show prints it.
    """
    how.need(reason=reason)
    body = {"workstation": workstation, "reason": str(reason)}
    return conduct(
        how,
        "retire",
        lambda door: door.begin("retire", how.account, body),
        lambda document: document["workstation"] == workstation,
    )
