"""``immure access review``: what was done behind broken glass."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting

_EPILOG = f"""
\b
Examples:
  immure access review room k3abcdefghijklmn --as prd-grace --verdict justified \\
      --reason 'signing was down, see INC-12' --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("grant", metavar="GRANT")
@click.option("--verdict", type=click.Choice(["justified", "not-justified"]), help="What you find.")
@click.option("--reason", metavar="TEXT", help="What you have looked at.")
def review(how: Acting, grant: str, verdict: str | None, reason: str | None) -> int:
    """Say whether breaking the glass was justified. Not justified ends the grant at once."""
    how.need(verdict=verdict, reason=reason)
    return conduct(
        how,
        "review",
        lambda door: door.begin_review(how.account, grant, verdict=str(verdict), reason=str(reason)),
        lambda document: document["grant"] == grant,
    )
