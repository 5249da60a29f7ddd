"""Looks for keys in a core that was captured; what it says is kept, and holds no secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from immure.dumps.dump import Image
from immure.keymaterial.key import PublicKey
from immure.scanning.finding import Finding
from immure.scanning.options import ScanOptions

_LEAST_CHUNK: Final = 1 << 16
_PAGE: Final = 4096
_MOST_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a scan of a core said.

    Attributes:
        keys: for each key that was found: fingerprint, type, id, how often. As JSON, the first hundred.
        complete: whether every byte was searched.
        mode: of the scan.
    """

    keys: tuple[dict[str, Any], ...] = ()
    complete: bool = False
    mode: str = "quick"

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        keys = list(self.keys[:_MOST_KEYS])
        return {"found": len(self.keys), "keys": keys, "complete": self.complete, "mode": self.mode}


@dataclass(frozen=True, slots=True)
class Inspector:
    """Scans for named keys, and for those whose public half is in the core."""

    keys: Sequence[PublicKey] = ()
    options: ScanOptions = field(default_factory=lambda: ScanOptions(threads=1))

    def inspect(self, image: Image) -> Inspection:
        """Scan an image, which may still be growing.

        Raises:
            ImmureError: it cannot be read.
        """
        from immure.scanning.scanner import scan_image

        report = scan_image(image, self.keys, _fitting(self.options, image.reader.size))
        return Inspection(tuple(map(finding_json, report.findings)), report.complete, self.options.mode)


def _fitting(options: ScanOptions, size: int | None) -> ScanOptions:
    """For a small core small chunks: their buffers would cost more than the search."""
    if size is None:
        return options
    fitting = max(_LEAST_CHUNK, -(-size // _PAGE) * _PAGE)
    return replace(options, chunk_bytes=min(options.chunk_bytes, fitting))


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding by the fingerprint of its key."""
    key = finding.key
    return {
        "thumbprint": key.thumbprint,
        "kty": key.kty,
        "kid": key.origin.kid,
        "issuer": key.origin.issuer,
        "kind": finding.kind,
        "occurrences": len(finding.occurrences),
        "whole": finding.whole,
    }
