"""``immure access screen``: a newer screening record."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting
from immure.cli.access_person import screening_of, screening_options

_EPILOG = f"""
\b
Examples:
  immure access screen room prd-ada --as prd-grace --attester 'Example Screening Ltd' --level enhanced \\
      --screened 2027-09-01 --expires 2028-09-01 --reference 'case 80' --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("account", metavar="ACCOUNT")
@screening_options
def screen(how: Acting, account: str, **record: str) -> int:
    """Ask that a newer screening record of a person counts; others must approve.

    A record says who attests what level, when, and until when. Results are not asked for, and not kept.
    """
    how.need(**record)
    return conduct(
        how,
        "request",
        lambda door: door.begin_request(
            how.account, "screening", {"account": account, "screening": screening_of(**record)}
        ),
        lambda document: (document["kind"], document["subject"].get("account")) == ("screening", account),
    )
