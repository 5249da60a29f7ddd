"""Logs of many makers, brought to the records of :mod:`immure.detections.records`."""

from immure.detections.sources.chunk import Chunk
from immure.detections.sources.limits import Limits
from immure.detections.sources.reading import (
    files_of,
    identity,
    names,
    read,
    read_all,
    recognise,
    source_named,
)
from immure.detections.sources.source import Source

__all__ = [
    "Chunk", "Limits", "Source", "files_of", "identity", "names", "read", "read_all", "recognise",
    "source_named",
]  # fmt: skip
