"""``immure access approve``: approve a request, or deny it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting

_EPILOG = f"""
\b
Examples:
  immure access approve room k3abcdefghijklmn --as prd-grace --key file:log.key
  immure access approve room k3abcdefghijklmn --as prd-grace --deny --key file:log.key
  immure access approve room founding --as prd-ada --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("request", metavar="REQUEST")
@click.option("--deny", is_flag=True, help="Deny it: then it is over.")
def approve(how: Acting, request: str, deny: bool) -> int:
    """Approve a request, after you have read what it says.

    What your key signs is the hash of the whole request: nothing of it can be changed afterwards. REQUEST is
    its id; 'founding' is what the founders of a room sign.
    """
    from immure.access import FOUNDING

    how.need()
    if deny:
        return conduct(
            how,
            "deny",
            lambda door: door.begin_denial(how.account, request),
            lambda document: document["request"] == request,
        )
    if request == FOUNDING:
        return conduct(how, "found", lambda door: door.begin_founding(how.account))
    return conduct(how, "approve", lambda door: door.begin_approval(how.account, request), _about(request))


def _about(request: str) -> Any:
    def fits(document: Mapping[str, Any]) -> bool:
        asked = document.get("request")
        return isinstance(asked, Mapping) and asked.get("id") == request

    return fits
