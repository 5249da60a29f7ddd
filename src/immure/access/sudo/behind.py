"""The grant behind a certificate, where the room itself is on the host."""

from __future__ import annotations

from immure.access.door import Door
from immure.access.errors import DeniedError
from immure.access.records import Certificate, Grant
from immure.access.room import deny
from immure.access.ssh import KIND
from immure.access.sudo.admitting import ACTION, Admitted, Asker, Wanted


def check_grant(door: Door, wanted: Wanted, admitted: Admitted) -> None:
    """See that the room knows of the certificate, and that its grant is live: revoked counts at once, without
    a list that has to arrive first.

    Raises:
        DeniedError: it does not, or it is not.
    """
    try:
        known = door.record(Certificate, f"{KIND}/{admitted.serial}")
    except DeniedError:
        deny("certificate", f"the room knows of no certificate {admitted.serial}")
    if known.state != "issued":
        deny("revoked", f"the certificate {admitted.serial} was revoked")
    if (known.grant, known.account) != (admitted.grant, admitted.account):
        deny("certificate", f"the certificate {admitted.serial} is of another grant")
    grant = door.record(Grant, known.grant)
    if grant.resource != wanted.resource or ACTION not in grant.actions:
        deny("action", f"the grant {grant.id} is not to {ACTION} in {wanted.resource}")
    fault = door.grant_fault(grant.id)
    if fault is not None:
        deny(*fault)


def note_use(door: Door, asker: Asker, admitted: Admitted) -> None:
    """Note in the log that somebody becomes root, before they do; raises NoGrantError."""
    detail = {"login": asker.login, "service": asker.service, "host": asker.host, "serial": admitted.serial}
    door.use(admitted.grant, ACTION, {name: str(value) for name, value in detail.items()})
