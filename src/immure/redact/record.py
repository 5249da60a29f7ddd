"""What a redaction did: the record that is kept, and that a clearance is made of. It holds no secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from immure.keymaterial.key import PublicKey
from immure.redact.fill import PATTERN
from immure.redact.span import Span
from immure.scanning.finding import Finding, NotSearched

if TYPE_CHECKING:
    from immure.redact.prove import ProofReport

SCHEMA_FILE: Final = "redaction-record-1.schema.json"
SCHEMA_ID: Final = "https://immure.example/schemas/redaction-record-1.json"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file by its bytes: SHA-256 in lower-case hex, and length."""

    sha256: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"sha256": self.sha256, "size": self.size}


@dataclass
class RedactionRecord:
    """What was erased of a dump, what it was searched for, and what proves the result.

    Attributes:
        path: the dump, as the user named it.
        format, codec: what it is, and how it is compressed, if it is.
        source, output: digests of the two files.
        mode, detectors, harvest, texts, keep: what was asked for.
        keys: the keys that were searched for because the user named them.
        known: keys of which the user gave the private halves.
        secrets: names of secrets whose bytes the user gave.
        findings: keys that were found, each erased.
        not_searched: what quick mode left out.
        warnings: what else there is to say of the image.
        spans: what was erased.
        proof: what was checked on the result.
    """

    path: str
    format: str
    codec: str | None
    source: FileDigest
    output: FileDigest
    mode: str
    detectors: tuple[str, ...]
    harvest: bool
    texts: tuple[str, ...]
    keep: tuple[str, ...]
    keys: list[PublicKey] = field(default_factory=list)
    known: list[PublicKey] = field(default_factory=list)
    secrets: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    not_searched: list[NotSearched] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    proof: ProofReport | None = None
    seconds: float = 0.0

    @property
    def erased_bytes(self) -> int:
        """Bytes that are fill now."""
        return sum(span.length for span in self.spans)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON (schema ``redaction-record-1``)."""
        return {
            "schema": SCHEMA_ID,
            "path": self.path,
            "format": self.format,
            "codec": self.codec,
            "source": self.source.to_json(),
            "output": self.output.to_json(),
            "fill": PATTERN.decode("ascii"),
            "searched": {
                "mode": self.mode,
                "detectors": list(self.detectors),
                "harvest": self.harvest,
                "texts": list(self.texts),
                "known": [key_json(key) for key in self.known],
                "secrets": list(self.secrets),
                "keep": list(self.keep),
                "keys": [key_json(key) for key in self.keys],
            },
            "findings": [_finding(finding) for finding in self.findings],
            "not_searched": [_gap(gap) for gap in self.not_searched],
            "warnings": list(self.warnings),
            "redactions": [_span(span) for span in self.spans],
            "proof": self.proof.to_json() if self.proof is not None else None,
            "statistics": {
                "spans": len(self.spans),
                "erased_bytes": self.erased_bytes,
                "seconds": round(self.seconds, 3),
            },
        }


def key_json(key: PublicKey) -> dict[str, Any]:
    """A key by its fingerprint, and what is known of it."""
    return {
        "thumbprint": key.thumbprint,
        "kty": key.kty,
        "kid": key.origin.kid,
        "issuer": key.origin.issuer,
        "source": key.origin.source,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "key": key_json(finding.key),
        "kind": finding.kind,
        "proof": finding.proof,
        "occurrences": len(finding.occurrences),
    }


def _gap(gap: NotSearched) -> dict[str, Any]:
    return {"offset": gap.offset, "length": gap.length, "detector": gap.detector, "reason": gap.reason}


def _span(span: Span) -> dict[str, Any]:
    return {
        "offset": span.offset,
        "length": span.length,
        "kind": span.kind,
        "encoding": span.encoding,
        "key": span.key,
    }


def read_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a record."""
    from importlib.resources import files

    text = files("immure.redact").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
