"""What the index keeps of one file: the record of a capture, a sealed dump, a clearance.

Records and clearances come from other machines: whatever is in them, one row comes out, with an error if need
be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from immure.attest.envelope import parse_envelope
from immure.attest.predicates import read_payload
from immure.capture.records import SCHEMA_ID
from immure.clock import Clock, from_rfc3339
from immure.errors import ImmureError, InputError
from immure.transfer.case import NotShown
from immure.transfer.interfaces import Verifier
from immure.transfer.policy import SignerRules

#: Bytes of the longest record and clearance that are read here.
MOST_BYTES: Final = 16 << 20
_LONGEST: Final = 512


class Captured(NamedTuple):
    """Of the record of a capture. ``proved`` is 1 if the proof holds, 2 if not, 0 if there is none."""

    name: str
    digest: str = ""
    source: str = ""
    at: int = 0
    label: str = ""
    size: int = 0
    signal: int | None = None
    scanned: int = 0
    redacted: int = 0
    proved: int = 0
    keys: int = 0
    spans: int = 0
    erased: int = 0
    note: str = ""
    error: str = ""


class Cleared(NamedTuple):
    """Of a clearance. ``stands`` is 1 if the signatures hold, 2 if not, 0 if nobody says whose count."""

    file: str
    digest: str = ""
    source: str = ""
    issued: int = 0
    expires: int = 0
    holds: int = 0
    stands: int = 0
    reason: str = ""


def read_small(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it cannot be read, or is too long.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=str(path)) from error
    if len(data) > MOST_BYTES:
        raise InputError(f"is longer than {MOST_BYTES} bytes", path=str(path))
    return data


def read_record(path: Path) -> dict[str, Any]:
    """The record of a capture.

    Raises:
        InputError: it is none.
    """
    try:
        record = json.loads(read_small(path))
    except (ValueError, RecursionError):
        raise InputError("is no JSON", path=str(path)) from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA_ID:
        raise InputError("is not the record of a capture", path=str(path))
    return record


def captured(name: str, path: Path) -> Captured:
    """The row of a record; one with an error if it is none."""
    try:
        return _captured(name, read_record(path))
    except InputError as error:
        return Captured(name, error=str(error)[:_LONGEST])


def _captured(name: str, record: Mapping[str, Any]) -> Captured:
    crash, scan, redaction = (table(record.get(one)) for one in ("crash", "scan", "redaction"))
    proof, counts = table(redaction.get("proof")), table(redaction.get("statistics"))
    found = redaction.get("findings")
    keys = len(found) if isinstance(found, list) else whole(scan.get("found"))
    return Captured(
        name=name,
        digest=digest(record.get("id")),
        source=digest(table(redaction.get("source")).get("sha256")),
        at=seconds(crash.get("time")),
        label=f"{words(crash.get('comm')) or '?'}[{whole(crash.get('pid'))}]",
        size=whole(record.get("size")),
        signal=whole(record.get("signal")) or None,
        scanned=int(bool(scan or redaction)),
        redacted=int(bool(redaction)),
        proved=0 if not proof else 1 if proof.get("ok") is True else 2,
        keys=keys,
        spans=whole(counts.get("spans")),
        erased=whole(counts.get("erased_bytes")),
        note=words(record.get("note")),
    )


def cleared(name: str, path: Path, verifier: Verifier, signers: SignerRules | None, clock: Clock) -> Cleared:
    """The row of a clearance.

    Args:
        name, path: of the file.
        verifier: checks signatures.
        signers: whose signatures count; None if nobody says.
        clock: tells the time.
    """
    try:
        data = read_small(path)
        statement, clearance = read_payload(parse_envelope(data).payload)
    except ImmureError as error:
        return Cleared(name, stands=2, reason=error.reason[:_LONGEST])
    row = Cleared(
        name,
        digest(statement.subjects[0].sha256),
        digest(clearance.source.sha256),
        int(clearance.issued.timestamp()),
        int(clearance.expires.timestamp()),
        int(clearance.proof.holds),
    )
    if signers is None:
        return row._replace(reason="no policy says whose signatures count")
    shown = verifier.verify(data, signers, clock)
    if isinstance(shown, NotShown):
        # when it expires is seen at the time of looking, not at the time of reading
        expired = shown.rule == "expired"
        return row._replace(stands=1 if expired else 2, reason="" if expired else shown.reason[:_LONGEST])
    return row._replace(stands=1)


def table(value: Any) -> Mapping[str, Any]:
    """An object of JSON; an empty one for whatever else is there."""
    return value if isinstance(value, dict) else {}


def words(value: Any) -> str:
    """A text, not too long; an empty one for whatever else is there."""
    return value[:_LONGEST] if isinstance(value, str) else ""


def whole(value: Any) -> int:
    """A number that is a size or a count; 0 for whatever else is there."""
    return value if type(value) is int and 0 <= value < 1 << 62 else 0


def seconds(value: Any) -> int:
    """Seconds since 1970 of a moment; 0 if there is none."""
    try:
        return max(0, int(from_rfc3339(value).timestamp()))
    except (TypeError, ValueError, OverflowError):
        return 0


def digest(value: Any) -> str:
    """A SHA-256 in hex, with or without ``sha256:``; an empty text for whatever else is there."""
    text = words(value).removeprefix("sha256:")
    return text if len(text) == 64 and all(one in "0123456789abcdef" for one in text) else ""
