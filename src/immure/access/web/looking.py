"""What the page shows of the records of a door."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.records import Approval, Grant, Request, Session
from immure.access.texts import spelled
from immure.access.web import pages
from immure.access.words import subject_words


def overview(door: Door, who: str, token: str) -> bytes:
    """Requests that wait, grants that are live, and glass that nobody has reviewed."""
    at = door.time()
    asked = []
    for state in ("open", "keys"):
        for request in door.records(Request, state=state):
            if at < request.expires:
                count = len(door.records(Approval, about=request.id, state="given"))
                asked.append((request, subject_words(request.kind, request.subject), count))
    grants = []
    for grant in door.records(Grant):
        live = door.grant_fault(grant.id) is None
        if live or (grant.glass and not grant.verdict):
            grants.append((grant.id, _words(grant, live), _deeds(grant, who, live)))
    return pages.overview(who=who, token=token, asked=asked, grants=grants)


def _words(grant: Grant, live: bool) -> list[str]:
    lines = [f"{grant.account} may {', '.join(grant.actions)} {grant.resource} until {spelled(grant.ends)}"]
    lines.append(f"because: {grant.purpose}")
    if grant.glass:
        lines.append("behind broken glass" + ("" if grant.verdict else ", and nobody has reviewed it"))
    else:
        lines.append(f"approved by: {', '.join(grant.approvers)}")
    return lines if live else [*lines, "it has ended"]


def _deeds(grant: Grant, who: str, live: bool) -> list[str]:
    found = []
    if live and grant.account == who and "enter" in grant.actions:
        found.append("enter")
    if live and grant.account == who and (grant.verdict or not grant.glass):
        found.append("close")
    if live:
        found.append("revoke")
    if grant.glass and not grant.verdict and grant.account != who:
        found.append("review")
    return found


def policy_text(door: Door, ceremony: Ceremony) -> str:
    """The text of the policy that somebody is about to approve; empty if it is about something else. The
    words of a ceremony have its digest only."""
    asked: Any = ceremony.document.get("request")
    if ceremony.act != "approve" or not isinstance(asked, Mapping) or asked.get("kind") != "policy":
        return ""
    return str(door.record(Request, str(asked["id"])).subject["text"])


def end_session(door: Door, secret: bytes) -> None:
    """End the session of a secret, if it is open."""
    digest = hashlib.sha256(secret).hexdigest()
    for session in door.records(Session, about=digest, state="open"):
        door.end_session(session.id)
