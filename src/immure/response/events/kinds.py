"""The events that we send, and what each says.

>>> event = key_compromise("https://login.example/", "k1", "", since=1790000000, reason="found in a dump")
>>> event.kind == ISSUER_KEY_COMPROMISE, event.subject["format"]
(True, 'uri')

No standard has an event that says "the key of an issuer is burnt": ``issuer-key-compromise`` is ours. The
others are those of CAEP 1.0 and of the Shared Signals Framework 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from immure.response.events.subjects import Subject, issuer_subject, of_stream

#: Ours: nothing that the key signed is to be accepted, and of the issuer nothing from before ``not_before``.
ISSUER_KEY_COMPROMISE: Final = "https://immure.example/secevent/event-type/issuer-key-compromise"
#: CAEP 1.0, section 3.1.
SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
#: Shared Signals Framework 1.0, section 8.1.
VERIFICATION: Final = "https://schemas.openid.net/secevent/ssf/event-type/verification"
#: Those that a receiver may ask for; a verification comes anyway.
OFFERED: Final = (ISSUER_KEY_COMPROMISE, SESSION_REVOKED)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: URI of the kind of event.
        subject: whom or what it is about.
        says: what the event has to say.
        at: when it happened, seconds since 1970 (``toe``).
        about: what makes two events one: the same event is sent once, however often it is asked for.
        cause: what several events have in common (``txn``), such as the incident.
    """

    kind: str
    subject: Subject
    says: Mapping[str, Any] = field(default_factory=dict)
    at: int = 0
    about: str = ""
    cause: str = ""


def key_compromise(
    issuer: str,
    kid: str,
    thumbprint: str,
    *,
    since: int,
    reason: str = "",
    not_before: int | None = None,
    deny_list: tuple[str, int] | None = None,
    cause: str = "",
) -> Event:
    """A key of an issuer is burnt.

    Args:
        issuer, kid, thumbprint: whose key, its name, RFC 7638 ("" if it is not known).
        since: since when it is not used any more, seconds since 1970.
        reason: a line for administrators.
        not_before: tokens of the issuer that were issued before do not count.
        deny_list: name and number of the list that has the key.
        cause: of the event.
    """
    says: dict[str, Any] = {"event_timestamp": since, "initiating_entity": "admin", "kid": kid}
    if thumbprint:
        says["jkt"] = thumbprint
    if not_before is not None:
        says["not_before"] = not_before
    if deny_list is not None:
        says["deny_list"] = {"name": deny_list[0], "sequence": deny_list[1]}
    if reason:
        says["reason_admin"] = {"en": reason}
    subject = {"format": "uri", "uri": issuer}
    return Event(ISSUER_KEY_COMPROMISE, subject, says, since, f"key {issuer} {kid}", cause)


def session_revoked(issuer: str, subject: str, *, at: int, reason: str = "", cause: str = "") -> Event:
    """All sessions of somebody are over; seconds since 1970."""
    says: dict[str, Any] = {"event_timestamp": at, "initiating_entity": "policy"}
    if reason:
        says["reason_admin"] = {"en": reason}
    whom = issuer_subject(issuer, subject)
    return Event(SESSION_REVOKED, whom, says, at, f"sessions {issuer} {subject}", cause)


def verification(stream: str, state: str | None, *, at: int, about: str) -> Event:
    """That a stream works, for whoever asked."""
    says = {} if state is None else {"state": state}
    return Event(VERIFICATION, of_stream(stream), says, at, f"verification {stream} {about}")
