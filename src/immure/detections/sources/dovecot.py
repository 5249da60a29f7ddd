"""Immure's mail-access log, made of Dovecot's events (docs/reference/mail-access-log.md).

A record ``gap`` becomes a row with ``throttled``: what happened then is unknown.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from immure.detections.records import MailAccess
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.values import address, moment, text
from immure.detections.sources.wordset import wordset

_ACTIONS: Final = wordset("login bind sync select copy move append expunge send logout gap")
_MEMBERS: Final = wordset(
    """
    id time action outcome service mailbox tenant issuer digest session ip port folder uid how command
    messages numbers to mechanism sender recipients size received sent reason lines
    """
)


class DovecotAccess(TextSource):
    """See the module."""

    name: ClassVar[str] = "dovecot"

    def detect(self, head: bytes, name: str) -> float:
        """By the names of members."""
        names = names_in(head)
        found = {"id", "time", "action"} <= names and bool(names & {"service", "session", "reason"})
        return 0.85 if found and "verdict" not in names and "eventtype" not in names else 0.0

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        action, time = text(plain.get("action")), moment(plain.get("time"))
        if action is None:
            out.lost("no-name", where)
            return
        if time is None:
            out.lost("no-time", where, action)
            return
        if action not in _ACTIONS:
            out.partly("operation", where, action)
        for name in plain.keys() - _MEMBERS:
            out.partly("field", where, name)
        digest = _digest(plain.get("digest"))
        if digest is None and plain.get("digest") is not None:
            out.partly("value", where, "digest")
        folder, uid = text(plain.get("folder")), plain.get("uid")
        mailbox = text(plain.get("mailbox"))
        outcome = plain.get("outcome")
        out.add(
            MailAccess(
                time=time,
                source=self.name,
                record_id=text(plain.get("id")) or made_name(raw),
                operation=action,
                action=action if action in ("bind", "sync") else None,
                mailbox=mailbox,
                tenant=text(plain.get("tenant")),
                user=mailbox,
                folders=[one for one in (folder, text(plain.get("to"))) if one] or None,
                messages=[f"{folder or ''}/;UID={uid}"] if type(uid) is int else None,
                ip=address(plain.get("ip")),
                session=text(plain.get("session")),
                digest=digest,
                throttled=True if action == "gap" else None,
                succeeded=None if outcome is None else outcome == "accepted",
            )
        )


def _digest(value: Any) -> bytes | None:
    try:
        made = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return None
    return made if len(made) == 16 else None
