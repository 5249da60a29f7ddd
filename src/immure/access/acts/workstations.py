"""Workstations that are not used any more: lost, handed on, or replaced."""

from __future__ import annotations

from dataclasses import replace

from immure.access.records import Workstation
from immure.access.room import Event, Room, deny

_LEAST_REASON = 8


def retire(room: Room, event: Event) -> None:
    """Anybody in the room can retire a workstation: sessions that are bound to it end, at once. Others must
    approve before it comes back."""
    room.need_open()
    event.who()
    known = room.rows.get(Workstation, event.text("workstation"))
    if known is None:
        deny("workstation", "there is no such workstation")
    if known.state != "active":
        deny("workstation", f"the workstation is {known.state}")
    reason = event.text("reason").strip()
    if not _LEAST_REASON <= len(reason) <= 2000:
        deny("reason", f"a reason is a text of {_LEAST_REASON} to 2000 characters")
    room.rows.put(replace(known, state="retired"))
    for session in list(room.sessions(account=known.account)):
        if session.workstation == known.id:
            room.end_session(session, f"workstation retired: {reason}"[:500])
