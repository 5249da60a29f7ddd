"""IMAP commands (RFC 9051) that make a record of the mail-access log, and what kind of access they are."""

from __future__ import annotations

from typing import Final

#: Actions that tell something of many messages at once, or of a folder: what Dovecot may answer from its
#: index and its cache, without opening a message.
SYNC: Final = frozenset(
    {
        "FETCH", "UID FETCH", "SEARCH", "UID SEARCH", "SORT", "UID SORT", "THREAD", "UID THREAD", "ESEARCH",
    }
)  # fmt: skip
_OTHERS: Final = {
    "SELECT": "select",
    "EXAMINE": "select",
    "COPY": "copy",
    "UID COPY": "copy",
    "MOVE": "move",
    "UID MOVE": "move",
    "APPEND": "append",
}
#: Action of each command that is logged.
ACTION_OF: Final = {**dict.fromkeys(sorted(SYNC), "sync"), **_OTHERS}
LOGGED_COMMANDS: Final = tuple(ACTION_OF)
