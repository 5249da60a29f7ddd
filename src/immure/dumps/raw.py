"""Bytes of no known format: searched all the same, and called what they are."""

from __future__ import annotations

from immure.dumps.dump import Image, Reader, Region
from immure.dumps.limits import Limits


def detect(head: bytes) -> bool:
    """Anything will do."""
    return True


def parse_raw(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """One region with all the bytes; while a stream's end is unknown, no region yet."""
    size = reader.size or 0
    regions = (Region(0, size, name="raw bytes", kind="data"),) if size else ()
    return Image(path, "raw", reader, regions)
