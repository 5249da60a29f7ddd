"""A letter that came back after a server had taken it."""

from __future__ import annotations

from immure.response.errors import FormError
from immure.response.incident import Incident
from immure.response.notification.history import History, State
from immure.response.timeline import Entry


def bounce(incident: Incident, delivery: str, *, reference: str, actor: str) -> Entry:
    """Correct the entry that says that a letter was sent.

    Args:
        incident: the record.
        delivery: id of the delivery.
        reference: what the bounce says.
        actor: who says it.

    Raises:
        FormError: no such letter was sent.
    """
    entries = incident.entries()
    told = History(entries).of(delivery)
    if told is None or told.state is not State.SENT:
        raise FormError(f"no letter {delivery[:60]!a} was sent")
    body = {
        **entries[told.entry].body,
        "state": "failed",
        "permanent": True,
        "detail": f"came back: {reference or 'no reason given'}",
        "says": f"letter to {told.tenant} came back",
    }
    return incident.add("notice", body, actor=actor, corrects=told.entry)
