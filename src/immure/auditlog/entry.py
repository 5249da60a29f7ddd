"""Entries: what is written down, one line of canonical JSON for each.

>>> line = encode_entry(0, from_rfc3339("2026-11-25T00:00:00Z"), "gate.deny", {"rule": "size"})
>>> line.decode()
'{"body":{"rule":"size"},"index":0,"kind":"gate.deny","time":"2026-11-25T00:00:00Z","v":1}'
>>> parse_entry(line, index=0).body["rule"]
'size'

The bytes of the line, without its newline, are the data of a leaf in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from immure.auditlog.canonical import JSON, canonical, parse_canonical
from immure.auditlog.tree import leaf_hash
from immure.clock import from_rfc3339, to_rfc3339
from immure.errors import LogError

#: The longest line, its newline not counted.
MAX_ENTRY_BYTES = 1 << 20
MAX_KIND = 64
VERSION = 1

_KIND = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_FIELDS = {"body", "index", "kind", "time", "v"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log.

    Attributes:
        index: its place, from 0.
        time: when it was written, in UTC, by the clock of the writer.
        kind: what happened, such as ``gate.allow``.
        body: the particulars.
        leaf_hash: the hash of its line, as it stands in the tree (RFC 9162 section 2.1.1).
    """

    index: int
    time: datetime
    kind: str
    body: Mapping[str, JSON]
    leaf_hash: bytes

    def to_line(self) -> bytes:
        """Its line, without the newline."""
        return encode_entry(self.index, self.time, self.kind, self.body)


def encode_entry(index: int, time: datetime, kind: str, body: Mapping[str, JSON]) -> bytes:
    """The line of an entry, without the newline.

    Raises:
        LogError: the kind is not a word, the body has no canonical JSON, or it is too long.
    """
    _check_kind(kind)
    if not isinstance(body, Mapping):
        raise LogError(f"the body of an entry is an object, not {type(body).__name__}")
    if time.tzinfo is None:
        raise LogError("the clock gave a time without a time zone")
    line = canonical({"body": body, "index": index, "kind": kind, "time": to_rfc3339(time), "v": VERSION})
    if len(line) > MAX_ENTRY_BYTES:
        raise LogError(f"an entry of {len(line)} bytes; there may be {MAX_ENTRY_BYTES}")
    return line


def parse_entry(line: bytes, *, index: int, path: str | None = None, offset: int | None = None) -> Entry:
    """The entry that ``line`` (without its newline) is; ``path`` and ``offset`` are for messages.

    Raises:
        LogError: it is none, or not the one numbered ``index``.
    """
    try:
        return _parse(line, index)
    except LogError as error:
        raise LogError(f"entry {index}: {error.reason}", path=path, offset=offset) from error


def _parse(line: bytes, index: int) -> Entry:
    if len(line) > MAX_ENTRY_BYTES:
        raise LogError(f"longer than {MAX_ENTRY_BYTES} bytes")
    fields = parse_canonical(line)
    if not isinstance(fields, Mapping) or set(fields) != _FIELDS:
        raise LogError(f"not an object of {', '.join(sorted(_FIELDS))}")
    if fields["v"] is True or fields["v"] != VERSION:
        raise LogError("of a version that this program does not know")
    number, kind, body = fields["index"], fields["kind"], fields["body"]
    if isinstance(number, bool) or number != index:
        raise LogError("its own index is another one: entries were removed, added or put in another order")
    if not isinstance(body, Mapping):
        raise LogError("its body is not an object")
    return Entry(index, _time(fields["time"]), _check_kind(kind), body, leaf_hash(line))


def _check_kind(kind: object) -> str:
    if not isinstance(kind, str) or len(kind) > MAX_KIND or not _KIND.fullmatch(kind):
        raise LogError(
            f"the kind of an entry is words of a-z and 0-9 joined by . _ or -, up to {MAX_KIND} characters"
        )
    return kind


def _time(text: object) -> datetime:
    try:
        moment = from_rfc3339(text if isinstance(text, str) else "")
        if to_rfc3339(moment) == text:
            return moment
    except (ValueError, OverflowError) as error:
        raise LogError("its time is not one of RFC 3339") from error
    raise LogError("its time is not written as in 2026-11-25T01:02:03Z")
