"""One access to a mailbox, as ``docs/reference/mail-access-log.md`` describes it, and its line of JSON.

>>> access = Access(id=bytes(16), time=1796021431.5, action="select", folder="INBOX")
>>> encode_access(access)[:60]
b'{"id":"00000000000000000000000000000000","time":1796021431.5'
>>> decode_access(encode_access(access)) == access
True
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from immure import digest as digests
from immure.mail.errors import AccessRowError

Action = Literal[
    "login", "bind", "sync", "select", "copy", "move", "append", "expunge", "send", "logout", "gap"
]
ACTIONS: Final = frozenset(get_args(Action))
#: Bytes of a line.
MOST_BYTES: Final = 64 << 10
ID_BYTES: Final = 16
_HASHES: Final = {"id": ID_BYTES, "digest": digests.SIZE}
_NUMBERS: Final = frozenset({"port", "uid", "recipients", "size", "received", "sent", "lines"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A record; None, or an empty tuple, is a member that is not there.

    Attributes:
        id: name of the record, 16 bytes.
        time: in seconds since 1970 (UTC).
        action: what happened.
        outcome: of a login, ``accepted`` or ``refused``.
        service: ``imap`` or ``submission``.
        mailbox: its address.
        tenant, issuer: of the token.
        digest: name of the token (:func:`immure.digest.signed_digest`), 16 bytes.
        session: Dovecot's name for the connection.
        ip, port: of the client.
        folder: as IMAP names it.
        uid: of the message.
        how: why a message was opened.
        command: of IMAP.
        messages, numbers: which messages it named, and whether by ``uid`` or by ``sequence``.
        to: the other folder.
        mechanism: of SASL.
        sender, recipients, size: of a message that was sent.
        received, sent: bytes of a session.
        reason, lines: of a gap.
    """

    id: bytes
    time: float
    action: Action
    outcome: str | None = None
    service: str | None = None
    mailbox: str | None = None
    tenant: str | None = None
    issuer: str | None = None
    digest: bytes | None = None
    session: str | None = None
    ip: str | None = None
    port: int | None = None
    folder: str | None = None
    uid: int | None = None
    how: tuple[str, ...] = ()
    command: str | None = None
    messages: str | None = None
    numbers: str | None = None
    to: str | None = None
    mechanism: str | None = None
    sender: str | None = None
    recipients: int | None = None
    size: int | None = None
    received: int | None = None
    sent: int | None = None
    reason: str | None = None
    lines: int | None = None


_FIELDS: Final = tuple(one.name for one in fields(Access))


def encode_access(access: Access) -> bytes:
    """The line of a record, ended by LF."""
    made: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(access, name)
        if value is None or value == ():
            continue
        made[name] = value.hex() if name in _HASHES else value
    return json.dumps(made, separators=(",", ":")).encode("ascii") + b"\n"


def decode_access(line: bytes) -> Access:
    """The record in a line; members that are not known are passed over.

    Raises:
        AccessRowError: it is none.
    """
    if len(line) > MOST_BYTES:
        raise AccessRowError(f"a line of more than {MOST_BYTES} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise AccessRowError("a line that is no JSON") from None
    if not isinstance(value, dict):
        raise AccessRowError("a line that is no object")
    return Access(**{name: _member(name, value[name]) for name in _FIELDS if name in value} | _needed(value))


def _needed(value: dict[str, Any]) -> dict[str, Any]:
    """The members that every record has; they are checked as all others are."""
    for name in ("id", "time", "action"):
        if name not in value:
            raise AccessRowError(f"a record without {name}")
    return {}


def _member(name: str, value: Any) -> Any:
    if name in _HASHES:
        return _hash(name, value)
    if name == "time":
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise AccessRowError("time is no number of seconds")
        return float(value)
    if name in _NUMBERS:
        if type(value) is not int or not 0 <= value < 1 << 63:
            raise AccessRowError(f"{name} is no whole number")
        return value
    if name == "how":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise AccessRowError("how is no list of texts")
        return tuple(value)
    if not isinstance(value, str):
        raise AccessRowError(f"{name} is no text")
    if name == "action" and value not in ACTIONS:
        raise AccessRowError("action is not known")
    return value


def _hash(name: str, value: Any) -> bytes:
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        found = b""
    if len(found) != _HASHES[name]:
        raise AccessRowError(f"{name} is not {_HASHES[name]} bytes in hexadecimal")
    return found
