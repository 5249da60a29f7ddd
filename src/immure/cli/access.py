"""``immure access``: who may enter the room where production data is, with what in hand, for how long.

An entry of :data:`PARTS` is all that the group knows of a command.
"""

from __future__ import annotations

import click

from immure.cli.access_options import EXIT_CODES
from immure.cli.lazy import Entry, LazyGroup

PARTS = {
    "init": Entry("immure.cli.access_init", "init", "Make a room, or make its database anew from its log."),
    "person": Entry(
        "immure.cli.access_person", "person", "Add, show, suspend, reinstate people; let them go."
    ),
    "key": Entry("immure.cli.access_key", "key", "Enrol hardware keys, and report them as lost."),
    "screen": Entry("immure.cli.access_screen", "screen", "Renew a person's screening record."),
    "workstation": Entry(
        "immure.cli.access_workstation", "workstation", "Let sessions be bound to a workstation."
    ),
    "retire": Entry("immure.cli.access_retire", "retire", "End the use of a workstation at once."),
    "tpm": Entry("immure.cli.access_tpm", "tpm", "Prove that the key of a workstation is in its TPM."),
    "request": Entry("immure.cli.access_request", "request", "Ask for a grant."),
    "approve": Entry("immure.cli.access_approve", "approve", "Approve a request, or deny it."),
    "revoke": Entry("immure.cli.access_revoke", "revoke", "Revoke a grant, or give one back."),
    "break-glass": Entry(
        "immure.cli.access_break_glass", "break_glass", "Go in without approval: alarmed, short, reviewed."
    ),
    "review": Entry("immure.cli.access_review", "review", "Review what was done behind broken glass."),
    "check": Entry("immure.cli.access_check", "check", "Ask whether a grant is live, as a gate does."),
    "ssh": Entry("immure.cli.access_ssh", "ssh", "Let people in by short-lived OpenSSH certificates."),
    "pam": Entry("immure.cli.access_pam", "pam", "Let somebody become root by a certificate: run by PAM."),
    "pin": Entry("immure.cli.access_pin", "pin", "Give out the PIN of a token while a grant is live."),
    "report": Entry("immure.cli.access_report", "report", "Who could enter, who did, and what left."),
    "verify": Entry(
        "immure.cli.access_verify", "verify", "Verify every signature in the log, and the database."
    ),
    "policy": Entry("immure.cli.access_policy", "policy", "Check, test and propose the policy of a room."),
    "mds": Entry("immure.cli.access_mds", "mds", "Import the blob of the FIDO Metadata Service."),
}

_EPILOG = f"""
ROOM is the directory of a room. People act with their hardware keys: one that is plugged in, or any other by
--options FILE (writes what is to be signed) and --assertion FILE (takes the response).

\b
Examples:
  immure access init room --policy access.toml --origin access.prod.example/room --key file:log.key
  immure access request room --as prd-ada --resource room:debug --action enter \\
      --purpose 'crash of the mailer' --ticket INC-12 --hours 2 --key file:log.key
  immure access approve room k3abcdefghijklmn --as prd-grace --key file:log.key
  immure access check room room:debug enter --as prd-ada
  immure access report room --format html -o report.html
{EXIT_CODES}"""


@click.group(cls=LazyGroup, entries=PARTS, epilog=_EPILOG)
def access() -> None:
    """Keep the door of the room where production data is: dedicated accounts, hardware keys, screening,
    grants that two others approve and that end, and a log of it all that cannot be changed.

    The room decides and remembers. It keeps somebody out where something asks it: the gate of releases, SSH
    certificates, a web server. Registering keys needs the extra immure[access].
    """
