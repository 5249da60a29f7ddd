"""What the record of a capture says more than its row in the index."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure.console.dump_rows import read_record, table, whole, words
from immure.console.settings import TenantSettings
from immure.console.sources.dumps import DumpRow
from immure.redact.span import Span

#: Findings that a page lists.
MOST_LISTED: Final = 200
_MOST_SPANS: Final = 500_000


@dataclass(frozen=True, slots=True)
class Found:
    """A key that was found; its spans are those of it that were erased."""

    thumbprint: str
    kty: str
    kid: str
    issuer: str
    kind: str
    occurrences: int


@dataclass(frozen=True, slots=True)
class Record:
    """What the record of a capture says more than its row.

    Attributes:
        crash: facts, as pairs of words.
        found: keys, the first :data:`MOST_LISTED`.
        found_count: how many there are.
        spans: what was erased.
        gaps: what was not searched: offset, length, reason.
        proof: name, status, and reason of each part.
        note: what went wrong besides.
        redacted: whether what is in the vault are the redacted bytes.
    """

    crash: tuple[tuple[str, str], ...] = ()
    found: tuple[Found, ...] = ()
    found_count: int = 0
    spans: tuple[Span, ...] = ()
    gaps: tuple[tuple[int, int, str], ...] = ()
    proof: tuple[tuple[str, str, str], ...] = ()
    note: str = ""
    redacted: bool = False


def record_of(settings: TenantSettings, row: DumpRow) -> Record:
    """The record of a dump; an empty one if it has none (it was not captured here, but sealed).

    Raises:
        InputError: it is there and cannot be read.
    """
    path = None if settings.records is None else settings.records / f"{row.id}.json"
    if path is None or "/" in row.id or not path.is_file():
        return Record()
    record = read_record(path)
    crash, scan, redaction = (table(record.get(one)) for one in ("crash", "scan", "redaction"))
    found = _items(redaction.get("findings")) or _items(scan.get("keys"))
    return Record(
        crash=tuple(_facts(crash)),
        found=tuple(_found(one) for one in found[:MOST_LISTED]),
        found_count=len(found),
        spans=tuple(sorted(_span(one) for one in _items(redaction.get("redactions"))[:_MOST_SPANS])),
        gaps=tuple(_gap(one) for one in _items(redaction.get("not_searched"))[:_MOST_SPANS]),
        proof=tuple(_proof(table(redaction.get("proof")))),
        note=words(record.get("note")),
        redacted=bool(redaction),
    )


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _facts(crash: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = (("comm", "Process"), ("pid", "Process id"), ("executable", "Program"), ("uid", "User id"),
             ("signal", "Signal"), ("via", "Captured through"))  # fmt: skip
    made = [(title, str(crash[name])[:200]) for name, title in names if crash.get(name) not in (None, "")]
    return [(title, _signal(fact) if title == "Signal" else fact) for title, fact in made]


def _signal(number: str) -> str:
    """A signal by its number, and its name if it has one."""
    try:
        return f"{number} ({signal.Signals(int(number)).name})"
    except ValueError:
        return number


def _found(one: Mapping[str, Any]) -> Found:
    key = table(one.get("key")) or one
    return Found(
        words(key.get("thumbprint")),
        words(key.get("kty")),
        words(key.get("kid")),
        words(key.get("issuer")),
        words(one.get("kind")),
        whole(one.get("occurrences")),
    )


def _span(one: Mapping[str, Any]) -> Span:
    key = one.get("key")
    return Span(
        whole(one.get("offset")),
        whole(one.get("length")),
        words(one.get("kind")),
        words(one.get("encoding")),
        key if isinstance(key, str) else None,
    )


def _gap(one: Mapping[str, Any]) -> tuple[int, int, str]:
    return whole(one.get("offset")), whole(one.get("length")), words(one.get("reason"))


def _proof(proof: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    parts = [(name, table(proof.get(name))) for name in ("scan", "residue", "bytes", "debugger")]
    return [(name, words(one.get("status")), words(one.get("reason"))) for name, one in parts if one]
