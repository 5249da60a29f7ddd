"""Reads a log to its end, and holds its account against what was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immure.detections.records import Kind, NotUnderstood
from immure.detections.sources import Limits, Source, read
from immure.detections.sources.chunk import Chunk


@dataclass
class Read:
    """What a log gave, in all."""

    source: str = ""
    chunks: list[Chunk] = field(default_factory=list)
    not_understood: list[NotUnderstood] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    count: int = 0
    lost: int = 0

    def rows(self, kind: Kind) -> list[dict[str, Any]]:
        return [
            row for chunk in self.chunks if kind in chunk.records for row in chunk.records[kind].to_pylist()
        ]

    @property
    def reasons(self) -> dict[tuple[str, str], int]:
        made: dict[tuple[str, str], int] = {}
        for one in self.not_understood:
            made[one.reason, one.what] = made.get((one.reason, one.what), 0) + one.count
        return made


def read_file(
    path: Path,
    position: str = "",
    *,
    source: Source | None = None,
    limits: Limits | None = None,
    ended: bool = True,
) -> Read:
    made = Read()
    for chunk in read(path, position, source=source, limits=limits or Limits(), ended=ended):
        passed = sum(chunk.passed_over.values())
        assert chunk.read == chunk.made + passed + chunk.lost
        made.source = chunk.source
        made.chunks.append(chunk)
        made.not_understood += chunk.not_understood
        made.count += chunk.read
        made.lost += chunk.lost
        for name, count in chunk.passed_over.items():
            made.passed[name] = made.passed.get(name, 0) + count
    return made


def read_bytes(folder: Path, data: bytes, name: str = "log", **options: Any) -> Read:
    path = folder / name
    path.write_bytes(data)
    return read_file(path, **options)
