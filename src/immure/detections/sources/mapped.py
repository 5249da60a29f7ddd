"""Logs that are described by a mapping: JSON, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from immure.detections.records import STRUCTS
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.limits import Limits
from immure.detections.sources.lookup import Lookup
from immure.detections.sources.mapping import LogMapping
from immure.detections.sources.position import Position
from immure.detections.sources.source import TextSource, head_of
from immure.errors import InputError

_DEFAULT: Final = Limits()
_PARQUET: Final = b"PAR1"


class MappedSource(TextSource):
    """See the module. It takes any file: the mapping was given because somebody knows."""

    name: ClassVar[str] = "mapped"

    def __init__(self, mapping: LogMapping) -> None:
        self.name = mapping.name  # type: ignore[misc]
        self._mapping = mapping
        self._struct = STRUCTS[mapping.kind]
        tops = {path.partition(".")[0] for column in mapping.columns for path in column.paths}
        self._known = tops | mapping.known | {mapping.passed_path.partition(".")[0]}

    def detect(self, head: bytes, name: str) -> float:
        """Always: see the class."""
        return 1.0

    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """See :meth:`Source.read`."""
        if head_of(path)[:4] == _PARQUET:
            return self._read_parquet(path, position, limits)
        return super().read(path, position, limits=limits, ended=ended)

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        mapping, row = self._mapping, Lookup(plain)
        if mapping.passed_path and (word := row.text(mapping.passed_path)) in mapping.passed_values:
            out.passed(word or "")
            return
        cells = dict(mapping.constants)
        unread = []
        for column in mapping.columns:
            value = row.get(*column.paths)
            if value is None:
                continue
            cells[column.name] = made = column.read(value)
            if made is None:
                unread.append(column.name)
        if cells.get("time") is None:
            out.lost("no-time", where)
            return
        if any(
            name in self._struct.__struct_fields__ and cells.get(name) is None
            for name in ("verdict", "operation")
        ):
            out.lost("no-name", where)
            return
        for name in unread:
            out.partly("value", where, name)
        for name in row.names() - self._known:
            out.partly("field", where, name)
        cells["source"] = mapping.name
        cells["record_id"] = cells.get("record_id") or made_name(raw or repr(plain))
        self._add(cells, where, out)

    def _add(self, cells: dict[str, Any], where: Where, out: Gathering) -> None:
        if cells.get("verdict", "accepted") not in ("accepted", "refused"):
            out.lost("operation", where, f"verdict {cells['verdict']}")
            return
        out.add(self._struct(**cells))

    def _read_parquet(self, path: Path, position: str, limits: Limits) -> Iterator[Chunk]:
        import pyarrow
        import pyarrow.parquet

        out, start, done = (
            Gathering(self.name, str(path), limits),
            Position.parse(position, self.name, path),
            0,
        )
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(limits.rows):
                    done += batch.num_rows
                    if done <= start.offset:
                        continue
                    first = max(start.offset, done - batch.num_rows)
                    for number, plain in enumerate(
                        batch.slice(batch.num_rows - (done - first)).to_pylist(), first
                    ):
                        out.read += 1
                        self.record(_plain(plain), Where(number, 0), repr(plain), out)
                    yield out.take(start.at(done, 0))
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise InputError("is no Parquet that can be read", path=str(path)) from error


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: times as texts, bytes in hexadecimal."""
    made: dict[str, Any] = msgspec.to_builtins(
        {key: value.hex() if isinstance(value, bytes) else value for key, value in row.items()}
    )
    return made
