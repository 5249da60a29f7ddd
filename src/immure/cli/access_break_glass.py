"""``immure access break-glass``: go in without approval."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting

_EPILOG = f"""
\b
Examples:
  immure access break-glass room --as prd-ada --resource room:debug --action enter \\
      --reason 'signing is down, nobody answers' --key file:log.key
{EXIT_CODES}"""


@click.command("break-glass", epilog=_EPILOG)
@acting
@click.option("--resource", metavar="RESOURCE", help="What for: one that the policy has break-glass for.")
@click.option("--action", "actions", metavar="ACTION", multiple=True, help="To do what.")
@click.option("--reason", metavar="TEXT", help="Why it cannot wait.")
@click.option("--hours", metavar="N", type=int, default=1, show_default=True, help="For how long.")
def break_glass(
    how: Acting, resource: str | None, actions: tuple[str, ...], reason: str | None, hours: int
) -> int:
    """Let yourself in, in an emergency: for a short time, and heard by all whom the policy names.

    Until others have reviewed it you can ask for nothing more, and the grant cannot be closed.
    """
    how.need(resource=resource, action=actions, reason=reason)
    return conduct(
        how,
        "break-glass",
        lambda door: door.begin_break_glass(
            how.account, resource=str(resource), actions=actions, reason=str(reason), hours=hours
        ),
        lambda document: resource in (None, document["resource"]),
    )
