"""Immure's own log of acceptances (docs/reference/acceptance-log.md), segment by segment.

A sealed segment is held against its seal; one that was changed is read, and said to be changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from immure.detections.records import Acceptance
from immure.detections.sources import acceptance_columns
from immure.detections.sources.block import Block
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.limits import Limits
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.stream import Stream
from immure.detections.sources.values import moment, seconds, text, texts
from immure.detections.sources.wordset import wordset

_SCHEMA: Final = "https://immure.example/schemas/acceptance-log-"
_SEAL: Final = ".sha256"
_MEMBERS: Final = wordset(
    """
    time verdict rule digest issuer kid thumbprint subject tenant audience client issued_at expires
    relying_party channel token_id session ip
    """
)
_DEFAULT: Final = Limits()


class AcceptanceLogSource(TextSource):
    """See the module."""

    name: ClassVar[str] = "acceptance-log"

    def detect(self, head: bytes, name: str) -> float:
        """By the first line, which names the schema; a part of a segment by the names of its members."""
        if _SCHEMA.encode() in head[:256]:
            return 1.0
        return 0.8 if {"time", "verdict", "digest", "issuer"} <= names_in(head) else 0.0

    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """See :meth:`Source.read`. A last line that is not whole, in a segment that still grows, was never
        acknowledged; it is left if ``ended`` is false, and counted as torn otherwise."""
        changed = False if position else _is_changed(path)
        for chunk in super().read(path, position, limits=limits, ended=ended):
            if changed:
                out = Gathering(self.name, str(path), limits)
                out.partly("changed", Where(0), path.name)
                chunk = replace(chunk, not_understood=(*chunk.not_understood, *out.take("").not_understood))
                changed = False
            yield chunk

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        if str(plain.get("schema", "")).startswith(_SCHEMA):
            out.passed("head of a segment")
            return
        time, verdict = moment(plain.get("time")), plain.get("verdict")
        if time is None or verdict not in ("accepted", "refused"):
            out.lost("no-time" if time is None else "no-name", where)
            return
        digest = _digest(plain.get("digest"))
        if digest is None and plain.get("digest") is not None:
            out.partly("value", where, "digest")
        for name in plain.keys() - _MEMBERS:
            out.partly("field", where, name)
        out.add(
            Acceptance(
                time=time,
                source=self.name,
                record_id=made_name(raw if isinstance(raw, bytes) and raw else msgspec.json.encode(plain)),
                verdict=verdict,
                rule=text(plain.get("rule")),
                digest=digest,
                token_id=text(plain.get("token_id")),
                session=text(plain.get("session")),
                iss=text(plain.get("issuer")),
                kid=text(plain.get("kid")),
                sub=text(plain.get("subject")),
                tenant=text(plain.get("tenant")),
                aud=texts(plain.get("audience")),
                client=text(plain.get("client")),
                iat=seconds(plain.get("issued_at")),
                exp=seconds(plain.get("expires")),
                thumbprint=text(plain.get("thumbprint")),
                relying_party=text(plain.get("relying_party")),
                channel=text(plain.get("channel")),
                ip=text(plain.get("ip")),
            )
        )

    def block(self, block: Block, out: Gathering) -> bool:
        """By columns."""
        return acceptance_columns.take(self.name, block, out)


def _digest(value: Any) -> bytes | None:
    try:
        made = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return None
    return made if len(made) == 16 else None


def _is_changed(path: Path) -> bool:
    """Whether the seal beside a segment does not fit. It is of what was not yet compressed."""
    for name in (path.name, path.stem):
        seal = path.with_name(name + _SEAL)
        if seal.is_file():
            wanted = seal.read_bytes()[:64]
            break
    else:
        return False
    stream, sha = Stream(path), hashlib.sha256()
    try:
        while piece := stream.read(1 << 20):
            sha.update(piece)
    finally:
        stream.close()
    return sha.hexdigest().encode() != wanted.lower()
