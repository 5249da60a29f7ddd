"""Searches that are not the attacker's: of a dump for its map, and by an old kind of scanner."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from immure.keymaterial.key import PublicKey
from immure.scanning.finding import ScanReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets

#: What scanners of that time looked for: the texts that key files have.
TEXTS: Final = re.compile(
    rb"-----BEGIN (?:RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE KEY-----[A-Za-z0-9+/=\r\n]{100,8000}-----END "
)
_PIECE: Final = 4 << 20
_OVERLAP: Final = 16 << 10


def search(target: Path, publics: tuple[PublicKey, ...]) -> ScanReport:
    """As ``immure scan`` does, for these keys only."""
    return scan_targets([str(target)], keys=publics, options=ScanOptions(harvest=False))


def key_texts(path: Path) -> list[tuple[int, int]]:
    """Where texts of private keys stand in a file: offsets and lengths."""
    found: dict[int, int] = {}
    with path.open("rb") as stream:
        offset, kept = 0, b""
        while piece := stream.read(_PIECE):
            window = kept + piece
            start = offset - len(kept)
            found.update({start + one.start(): one.end() - one.start() for one in TEXTS.finditer(window)})
            offset += len(piece)
            kept = window[-_OVERLAP:]
    return sorted(found.items())


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
