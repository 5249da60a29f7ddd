"""What the page shows of the records of a door: requests that wait, and grants."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.records import Approval, Fact, Grant, Request, Session
from immure.access.texts import spelled
from immure.access.web.deeds import DEEDS
from immure.access.web.html import button, card, link, links
from immure.access.web.pages import page
from immure.access.words import subject_words

_FIRST: Final = ("request", "break-glass", "enrol")


def overview(door: Door, who: str, token: str) -> bytes:
    """Requests that wait, grants that are live, and glass that nobody has reviewed."""
    at = door.time()
    waiting = [
        _request_card(door, one, who, token)
        for state in ("open", "keys")
        for one in door.records(Request, state=state)
        if at < one.expires
    ]
    granted = []
    for grant in door.records(Grant):
        live = door.grant_fault(grant.id) is None
        if live or (grant.glass and not grant.verdict):
            granted.append(_grant_card(grant, who, live))
    body = f"""{links("What can be done", (link(f"/do/{name}", DEEDS[name].title) for name in _FIRST))}
<h2>Waiting for approval</h2>
{chr(10).join(waiting) or "<p>Nothing.</p>"}
<h2>Granted</h2>
{chr(10).join(granted) or "<p>Nothing.</p>"}"""
    return page("Production room", body, who=who, token=token)


def _request_card(door: Door, request: Request, who: str, token: str) -> str:
    count = len(door.records(Approval, about=request.id, state="given"))
    title = f"request {request.id}"
    words = subject_words(request.kind, request.subject)
    words.append(f"{request.account} asks; {count} of {request.needed} have approved")
    values = {"request": request.id, "token": token}
    no = button("/do/deny", "Take back" if request.account == who else "Deny", values, title, second=True)
    if request.state == "keys":
        account = str(request.subject.get("account", ""))
        register = link("/do/register", "register one", {"account": account, "request": request.id}, title)
        return card(title, words, f"<p>Waits for keys: {register}</p>", no)
    return card(title, words, button("/do/approve", "Read, and approve", values, title), no)


def _grant_card(grant: Grant, who: str, live: bool) -> str:
    title = f"grant {grant.id}"
    made = (link(f"/do/{name}", DEEDS[name].title, {"grant": grant.id}) for name in _deeds(grant, who, live))
    return card(title, _words(grant, live), links(f"For {title}", made))


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
    """The text of the policy that somebody is about to sign: of another that they approve, or of the first,
    under which they found the room; empty if it is about something else. The words of a ceremony have its
    digest only."""
    if ceremony.act == "found":
        return door_policy(door)
    asked: Any = ceremony.document.get("request")
    if ceremony.act != "approve" or not isinstance(asked, Mapping) or asked.get("kind") != "policy":
        return ""
    return str(door.record(Request, str(asked["id"])).subject["text"])


def door_policy(door: Door) -> str:
    """The text of the policy in force."""
    return str(door.record(Fact, "policy").body["text"])


def end_session(door: Door, secret: bytes) -> None:
    """End the session of a secret, if it is open."""
    digest = hashlib.sha256(secret).hexdigest()
    for session in door.records(Session, about=digest, state="open"):
        door.end_session(session.id)
