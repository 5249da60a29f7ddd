"""From Dovecot's events to records of access."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from immure.mail.access import ID_BYTES, Access
from immure.mail.commands import ACTION_OF
from immure.mail.errors import EventError
from immure.mail.events import MOST_TEXT, Event, parse_event
from immure.mail.sessions import Identity, Sessions

_SET: Final = re.compile(r"[0-9:*,$]+")
#: RFC 4315: ``COPYUID validity from to`` and ``APPENDUID validity uid``.
_COPIED: Final = re.compile(r"OK \[COPYUID \d{1,10} ([0-9:,]+) [0-9:,]+\]")
_APPENDED: Final = re.compile(r"OK \[APPENDUID \d{1,10} (\d{1,10})\]")


class Translator:
    """Makes records of events, and remembers what later ones need.

    Args:
        sessions: the table of connections; an empty one if it is not given.

    Attributes:
        passed: how many events there were that make no record, being of another kind.
    """

    def __init__(self, sessions: Sessions | None = None) -> None:
        self.sessions = Sessions() if sessions is None else sessions
        self.passed = 0

    def records(self, lines: Iterable[bytes]) -> list[Access]:
        """The records of some lines. Several processes write events, so that a login may stand after what was
        done with it: what is not known yet is looked for further on among the lines. Lines that are no events
        become one gap, at the time of the event before it.
        """
        events: list[tuple[bytes, Event | None]] = [(line, _event(line)) for line in lines]
        ahead = Sessions()
        for _, event in reversed(events):  # so that the first that knows a connection is what is remembered
            if event is not None:
                ahead.learn(event)
        made: list[Access] = []
        unreadable, last, wrong = 0, 0.0, b""
        for line, event in events:
            if event is None:
                unreadable, wrong = unreadable + 1, line
                continue
            last = event.time
            self.sessions.learn(event)
            record = self._record(event, _id(line), ahead)
            if record is None:
                self.passed += 1
            else:
                made.append(record)
        if unreadable:
            made.append(Access(id=_id(wrong), time=last, action="gap", reason="unreadable", lines=unreadable))
        return made

    def _record(self, event: Event, identity: bytes, ahead: Sessions) -> Access | None:
        make = _MAKERS.get(event.name)
        if make is None:
            return None
        made = make(event)
        if made is None:
            return None
        who = self.sessions.of(event) or ahead.of(event) or Identity()
        if event.name == "mail_user_session_finished":
            self.sessions.forget(event)
        return Access(id=identity, time=event.time, **(_common(event, who) | made))


def _event(line: bytes) -> Event | None:
    try:
        return parse_event(line)
    except EventError:
        return None  # it is counted, and the count is in the log


def _id(line: bytes) -> bytes:
    return hashlib.sha256(line).digest()[:ID_BYTES]


def _common(event: Event, who: Identity) -> dict[str, Any]:
    return {
        "service": event.text("service", 32) or _service(event),
        "mailbox": event.text("user", 400),
        "tenant": who.tenant,
        "issuer": who.issuer,
        "digest": who.digest,
        "session": who.session or event.text("session", 200),
        "ip": event.text("remote_ip", 64),
        "port": event.number("remote_port"),
    }


def _service(event: Event) -> str | None:
    if event.name.startswith("imap"):
        return "imap"
    return "submission" if event.name.startswith("smtp") else event.text("protocol", 32)


def _login(event: Event) -> dict[str, Any]:
    refused = "error" in event.fields
    made: dict[str, Any] = {
        "action": "login",
        "outcome": "refused" if refused else "accepted",
        "mechanism": event.text("mechanism", 32),
    }
    asked = event.text("original_user", 400)
    if refused and asked is not None:
        made["mailbox"] = asked  # "user" may be the address of the token's own mailbox by then
    return made


def _bind(event: Event) -> dict[str, Any]:
    how = tuple(one.removeprefix("imap:")[:64] for one in event.texts("reason_code"))
    return {
        "action": "bind",
        "folder": event.text("mailbox"),
        "uid": event.number("uid"),
        "how": how,
        "command": event.text("cmd_name", 64),
    }


def _expunge(event: Event) -> dict[str, Any]:
    return {"action": "expunge", "folder": event.text("mailbox"), "uid": event.number("uid")}


def _command(event: Event) -> dict[str, Any] | None:
    command = event.text("cmd_name", 64) or ""
    action = ACTION_OF.get(command)
    if action is None or event.fields.get("tagged_reply_state") != "OK":
        return None
    made: dict[str, Any] = {"action": action, "command": command, "folder": event.text("mailbox")}
    if command.endswith(("FETCH", "COPY", "MOVE")):
        made |= _named(event, command, action)
    elif action == "append":
        found = _APPENDED.match(event.text("tagged_reply") or "")
        made["uid"] = None if found is None else int(found[1])
    return made


def _named(event: Event, command: str, action: str) -> dict[str, Any]:
    """Which messages, and for COPY and MOVE the folder that they went to: of the reply if it says UIDs."""
    words = (event.text("cmd_args", 4 * MOST_TEXT) or "").split(" ", 1)
    named = words[0][:MOST_TEXT] if _SET.fullmatch(words[0]) else None
    made: dict[str, Any] = {
        "messages": named,
        "numbers": None if named is None else ("uid" if command.startswith("UID") else "sequence"),
    }
    if action == "sync":
        return made
    made["to"] = words[1][:MOST_TEXT].strip('"') if len(words) > 1 else None
    copied = _COPIED.match(event.text("tagged_reply", 4 * MOST_TEXT) or "")
    if copied is not None:
        made |= {"messages": copied[1][:MOST_TEXT], "numbers": "uid"}
    return made


def _send(event: Event) -> dict[str, Any] | None:
    if not event.number("recipients_succeeded"):
        return None  # it was refused or given up: nothing was sent
    return {
        "action": "send",
        "sender": event.text("mail_from", 400),
        "recipients": event.number("recipients_succeeded"),
        "size": event.number("data_size"),
    }


def _logout(event: Event) -> dict[str, Any]:
    return {
        "action": "logout",
        "received": event.number("net_in_bytes"),
        "sent": event.number("net_out_bytes"),
    }


_MAKERS: Final[dict[str, Callable[[Event], dict[str, Any] | None]]] = {
    "auth_client_request_finished": _login,
    "mail_opened": _bind,
    "mail_expunged": _expunge,
    "imap_command_finished": _command,
    "smtp_server_transaction_finished": _send,
    "mail_user_session_finished": _logout,
}
