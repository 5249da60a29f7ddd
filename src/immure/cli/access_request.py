"""``immure access request``: ask for a grant."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting

_EPILOG = f"""
RESOURCE is room:NAME, key:NAME, dump:NAME or relying-party:NAME. The id that is printed is what others
approve.

\b
Examples:
  immure access request room --as prd-ada --resource room:debug --action enter \\
      --purpose 'crash of the mailer' --ticket INC-12 --hours 2 --key file:log.key
  immure access request room --as prd-ada --resource dump:9f86d081 --action release … --options sign.json
  immure access request room --assertion response.json --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.option("--resource", metavar="RESOURCE", help="What for.")
@click.option(
    "--action", "actions", metavar="ACTION", multiple=True, help="To do what: enter, open, release, …"
)
@click.option("--purpose", metavar="TEXT", help="Why, in words that approvers understand.")
@click.option("--ticket", metavar="TEXT", default="", help="The ticket, as the policy asks for it.")
@click.option("--hours", metavar="N", type=int, help="For how long, from the last approval on.")
def request(
    how: Acting,
    resource: str | None,
    actions: tuple[str, ...],
    purpose: str | None,
    ticket: str,
    hours: int | None,
) -> int:
    """Ask to be let do something, for some hours. Two others must approve, each with their own key."""
    how.need(resource=resource, action=actions, purpose=purpose, hours=hours)
    return conduct(
        how,
        "request",
        lambda door: door.request_grant(
            how.account,
            resource=str(resource),
            actions=actions,
            purpose=str(purpose),
            ticket=ticket,
            hours=int(hours or 0),
        ),
        lambda document: document["kind"] == "grant" and resource in (None, document["subject"]["resource"]),
    )
