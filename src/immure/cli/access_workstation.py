"""``immure access workstation``: certificates to which sessions are bound."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting, read_file

_MOST_BYTES = 1 << 16
_EPILOG = f"""
\b
Examples:
  immure access workstation room prd-ada laptop-17.pem --as prd-ada --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("account", metavar="ACCOUNT")
@click.argument("certificate", metavar="CERTIFICATE", type=click.Path())
def workstation(how: Acting, account: str, certificate: str) -> int:
    """Ask that sessions of a person may be bound to a workstation; others must approve.

    CERTIFICATE (PEM or DER) is the one with which the workstation shows itself by TLS. That its key cannot
    leave the machine is what the authority that has issued it vouches for: the policy names it.
    """
    how.need()
    return conduct(
        how,
        "request",
        lambda door: door.request_workstation(
            how.account, holder=account, certificate=read_file(certificate, _MOST_BYTES)
        ),
        lambda document: (document["kind"], document["subject"].get("account")) == ("workstation", account),
    )
