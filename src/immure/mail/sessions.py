"""What is known of each connection: whose token it was begun with.

Dovecot's events of commands and of submitted mail do not carry the token's digest, those of logins and of
opened messages do. The table is bounded; when it is full, whoever has been silent longest is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from immure import digest as digests
from immure.mail.events import Event

MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection belongs to; None for what is not known."""

    digest: bytes | None = None
    issuer: str | None = None
    tenant: str | None = None
    mailbox: str | None = None
    session: str | None = None


def identity_of(event: Event) -> Identity | None:
    """What an event itself says of the token; None if it has no digest."""
    digest = _digest(event.text("token_digest"))
    if digest is None:
        return None
    tenant = event.text("mail_tenant", 200)
    return Identity(
        digest,
        event.text("token_issuer"),
        None if tenant == "-" else tenant,
        event.text("user", 400),
        event.text("session", 200),
    )


class Sessions:
    """The table, by session and by connection.

    Args:
        most: connections that are remembered.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, event: Event) -> None:
        """Remember what the event says of its connection; one that says nothing changes nothing."""
        found = identity_of(event)
        if found is None:
            return
        for key in _keys(event):
            self._known[key] = found
            self._known.move_to_end(key)
        while len(self._known) > 2 * self._most:
            self._known.popitem(last=False)

    def of(self, event: Event) -> Identity | None:
        """What the event says, or else what is known of its session, or of its connection; None if
        nothing is.
        """
        own = identity_of(event)
        if own is not None:
            return own
        for key in _keys(event):
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        return None

    def forget(self, event: Event) -> None:
        """The session has ended."""
        for key in _keys(event):
            self._known.pop(key, None)

    def to_json(self) -> list[list[str | None]]:
        """The table for a checkpoint, oldest first."""
        return [
            [
                key,
                None if one.digest is None else one.digest.hex(),
                one.issuer,
                one.tenant,
                one.mailbox,
                one.session,
            ]
            for key, one in self._known.items()
        ]

    def from_json(self, rows: Any) -> None:
        """Take a table from a checkpoint; raises ValueError if it is none."""
        if not isinstance(rows, list):
            raise ValueError("no list of sessions")  # noqa: TRY004 (of a file, not of a caller)
        for row in rows[-2 * self._most :]:
            if not isinstance(row, list) or len(row) != 6 or not isinstance(row[0], str):
                raise ValueError("no row of a session")
            if not all(one is None or isinstance(one, str) for one in row):
                raise ValueError("no row of a session")
            self._known[row[0]] = Identity(_digest(row[1]), *row[2:])


def _keys(event: Event) -> list[str]:
    """Names of the connection: Dovecot's, and its two ends. Submitted mail has another session than its
    login.
    """
    keys = []
    session = event.text("session", 200)
    if session is not None:
        keys.append(f"s {session}")
    ends = (event.text("remote_ip", 64), event.number("remote_port"), event.number("local_port"))
    if None not in ends:
        keys.append("c {} {} {}".format(*ends))
    return keys


def _digest(text: str | None) -> bytes | None:
    if text is None or len(text) != 2 * digests.SIZE:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
