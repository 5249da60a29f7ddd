"""Grants of a room: whether two others have let somebody release this dump (:mod:`immure.access`).

    with Door.open("room", signer=signer) as door:
        gate = Gate(…, grants=RoomGrants(door))

What is granted is ``dump:`` and the SHA-256 of the sealed bytes, with the action ``release``. What is shown
at the gate is the id of a grant; where nothing is shown, any live grant for this dump will do.
"""

from __future__ import annotations

import re
from typing import Final

from immure.access import Door, Grant, NoGrantError
from immure.errors import ImmureError, RefusedError
from immure.transfer.case import Case

ACTION: Final = "release"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def resource(sha256: str) -> str:
    """What must be granted for a dump: ``dump:`` and its digest."""
    return f"dump:{sha256}"


class RoomGrants:
    """See :class:`immure.transfer.interfaces.Grants`.

    Args:
        door: of the room; opened with what signs its log, as uses are noted there.
        account: who releases; None takes anybody's grant.
    """

    def __init__(self, door: Door, account: str | None = None) -> None:
        self._door = door
        self._account = account

    def fault(self, shown: bytes | None, case: Case) -> str | None:
        """See the interface. A door that cannot be asked has granted nothing."""
        try:
            self._live(shown, case)
        except ImmureError as error:
            return f"not granted: {error}"
        return None

    def use(self, shown: bytes | None, case: Case) -> None:
        """See the interface."""
        try:
            grant = self._live(shown, case)
            detail = {"dump": case.sha256, "to": case.destination, "name": case.name}
            self._door.use(grant.id, ACTION, detail)
        except NoGrantError as error:
            raise RefusedError(f"not granted any more: {error}", rule="grant", path=case.name) from error

    def _live(self, shown: bytes | None, case: Case) -> Grant:
        wanted = resource(case.sha256)
        if shown is None:
            return self._door.live_grant(wanted, ACTION, account=self._account)
        grant = self._door.record(Grant, _identity(shown))
        if grant.resource != wanted or ACTION not in grant.actions:
            raise NoGrantError(f"the grant {grant.id} is for something else", rule="grant")
        if self._account not in (None, grant.account):
            raise NoGrantError(f"the grant {grant.id} is somebody else's", rule="grant")
        fault = self._door.grant_fault(grant.id)
        if fault is not None:
            raise NoGrantError(fault[1], rule=fault[0])
        return grant


def _identity(shown: bytes) -> str:
    text = shown[:200].decode("ascii", "replace").strip()
    if not _ID.fullmatch(text):
        raise NoGrantError("what was shown is not the id of a grant", rule="grant")
    return text
