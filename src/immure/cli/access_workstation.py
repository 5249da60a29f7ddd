"""``immure access workstation``: certificates to which sessions are bound."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, Acting, acting, read_file
from immure.cli.access_tpm import read_json

_MOST_BYTES = 1 << 16
_EPILOG = f"""
\b
Examples:
  immure access workstation room prd-ada laptop-17.pem --as prd-ada --key file:log.key
  immure access workstation room prd-ada laptop-17.pem --tpm evidence.json --as prd-ada --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@acting
@click.argument("account", metavar="ACCOUNT")
@click.argument("certificate", metavar="CERTIFICATE", type=click.Path())
@click.option(
    "--tpm", "evidence", metavar="FILE", help="That its key is in a TPM: made by immure access tpm verify."
)
def workstation(how: Acting, account: str, certificate: str, evidence: str | None) -> int:
    """Ask that sessions of a person may be bound to a workstation; others must approve.

    CERTIFICATE (PEM or DER) is the one with which the workstation shows itself by TLS. That its key cannot
    leave the machine is proven by --tpm; or it is what the authority that has issued the certificate vouches
    for, which the policy names. Without --tpm the room remembers the key as one in software.
    """
    how.need()
    proof = None if evidence is None else read_json(evidence)
    return conduct(
        how,
        "request",
        lambda door: door.request_workstation(
            how.account, holder=account, certificate=read_file(certificate, _MOST_BYTES), evidence=proof
        ),
        lambda document: (document["kind"], document["subject"].get("account")) == ("workstation", account),
    )
