"""What is said of the segments of an issuer: up to when they are complete, and where they are not.

``ledger.json`` beside the segments is written when these are in place. Who reads it first, and then the
segments, has every row that it vouches for. Nothing in it is to be believed without the log: what it says is
taken from there, and :func:`check_manifest` holds it against that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from immure.auditlog.canonical import JSON, MAX_INTEGER
from immure.files import write_whole
from immure.ledger.batch import Batch, is_issuer
from immure.ledger.errors import LedgerError
from immure.ledger.gap import Gap

#: Its name in the folder of an issuer.
NAME: Final = "ledger.json"
#: Of its form.
VERSION: Final = 1
_MOST_BYTES: Final = 16 << 20
_MEMBERS: Final = {"version", "issuer", "first", "last", "watermark", "batch", "entry", "forgotten", "gaps"}
_NUMBERS: Final = ("first", "last", "watermark", "batch", "entry", "forgotten")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of the segments of one issuer.

    Attributes:
        issuer: whose rows they have.
        first, last: rows, by sequence number; ``last`` is ``first - 1`` if there are none.
        watermark: every token of the issuer with an earlier ``iat``, and from ``forgotten`` on, is in the
            segments, but for ``gaps``.
        batch: number of the newest batch that is told of; ``entry`` is its place in the log.
        forgotten: rows with an earlier ``iat`` were pruned before they were exported, so that such tokens may
            be missing; 0 if none was.
        gaps: of which tokens may be missing.
    """

    issuer: str
    first: int
    last: int
    watermark: int
    batch: int
    entry: int
    forgotten: int
    gaps: tuple[Gap, ...]

    def plain(self) -> dict[str, JSON]:
        """As the file has it."""
        return {
            "version": VERSION,
            "issuer": self.issuer,
            "first": self.first,
            "last": self.last,
            "watermark": self.watermark,
            "batch": self.batch,
            "entry": self.entry,
            "forgotten": self.forgotten,
            "gaps": [
                {name: value for name, value in one.body().items() if name != "issuer"} for one in self.gaps
            ],
        }

    @classmethod
    def from_plain(cls, plain: Any) -> Manifest:
        """The manifest that a file holds; raises LedgerError if it is none."""
        if not isinstance(plain, dict) or plain.get("version") != VERSION or set(plain) != _MEMBERS:
            raise LedgerError(f"is not the manifest of segments, of version {VERSION}")
        numbers = [plain[name] for name in _NUMBERS]
        if any(type(one) is not int or not 0 <= one <= MAX_INTEGER for one in numbers):
            raise LedgerError("is no manifest: a number that cannot be")
        issuer, told = plain["issuer"], plain["gaps"]
        if not is_issuer(issuer) or not isinstance(told, list) or plain["last"] < plain["first"] - 1:
            raise LedgerError("is no manifest: no issuer, or rows that cannot be")
        if not all(isinstance(one, dict) for one in told):
            raise LedgerError("is no manifest: a gap that is none")
        gaps = [Gap.from_body({**one, "issuer": issuer}, -1) for one in told]
        values = dict(zip(_NUMBERS, numbers, strict=True))
        return cls(issuer=issuer, gaps=tuple(replace(one, entry=None) for one in gaps), **values)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put it in its place, whole; raises LedgerError if it cannot be."""
    try:
        write_whole(folder / NAME, json.dumps(manifest.plain(), indent=1).encode() + b"\n")
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be written", path=str(folder / NAME)) from error


def read_manifest(folder: Path) -> Manifest | None:
    """That of a folder; None if there is none.

    Raises:
        LedgerError: it cannot be read, or is none.
    """
    path = folder / NAME
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        return parse_manifest(data)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(error.strerror or "cannot be read", path=str(path)) from error
    except LedgerError as error:
        raise LedgerError(error.reason, path=str(path)) from error


def parse_manifest(data: bytes) -> Manifest:
    """The manifest in the bytes of a file; raises LedgerError if it is none."""
    if len(data) > _MOST_BYTES:
        raise LedgerError(f"is longer than {_MOST_BYTES} bytes")
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LedgerError("is no JSON") from error
    return Manifest.from_plain(plain)


def check_manifest(manifest: Manifest, batches: Mapping[int, Batch], gaps: Sequence[Gap], path: str) -> None:
    """Hold a manifest against the log.

    Args:
        manifest: of one issuer.
        batches: that the log has, by their place in it.
        gaps: that the log declares for this issuer.
        path: of the manifest, for messages.

    Raises:
        LedgerError: it says something else than the log.
    """
    batch = batches.get(manifest.entry)
    if batch is None or (batch.issuer, batch.number, batch.watermark) != (
        manifest.issuer,
        manifest.batch,
        manifest.watermark,
    ):
        raise LedgerError("says something else of batch and watermark than the log", path=path)
    said = [one.body() for one in manifest.gaps]
    logged = [one.body() for one in gaps]
    if any(one not in logged for one in said):
        raise LedgerError("has a gap that the log does not declare", path=path)
    if any((one.entry or 0) < manifest.entry and one.body() not in said for one in gaps):
        raise LedgerError("has not all gaps that the log declares", path=path)
    if manifest.last > batch.last:
        raise LedgerError("has rows behind the batch that it names", path=path)
