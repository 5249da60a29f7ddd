"""DuckDB with a cap on its memory, which opens no file but those it was given.

    with Engine(memory="256MB", scratch=Path("state")) as engine:
        engine.files("accepted", ["a.parquet"])
        rows = engine.rows("SELECT count(*) FROM accepted")

What does not fit into the memory goes to a folder in ``scratch`` that is removed at the end. Rules are SQL
that a user writes: the connection can read ``scratch`` and the given folders, loads no extension, and its
settings cannot be changed back.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from immure.detections.errors import DetectionError
from immure.detections.libraries import library
from immure.errors import UsageError

#: Of DuckDB's buffers; Python, Arrow and Parquet readers have theirs beside.
MEMORY: Final = "256MB"
_SIZE: Final = re.compile(r"[1-9][0-9]{0,5}(?:MB|GB)")
_PAGE: Final = 4096


class Engine:
    """A connection; see the module.

    Args:
        memory: ``256MB``, ``2GB`` …
        scratch: an existing folder, for what does not fit into the memory.
        folders: from which files may be read, beside ``scratch``.
        threads: None means one for each core.

    Raises:
        UsageError: ``memory`` is no such text, or DuckDB is not installed.
        DetectionError: DuckDB cannot begin.
    """

    def __init__(
        self,
        scratch: Path,
        folders: Iterable[Path] = (),
        *,
        memory: str = MEMORY,
        threads: int | None = None,
    ) -> None:
        if not _SIZE.fullmatch(memory):
            raise UsageError("memory is a number and MB or GB, such as 256MB")
        self._duckdb = library("duckdb")
        self._spill = Path(tempfile.mkdtemp(prefix="spill-", dir=scratch))
        self._connection = self._duckdb.connect()
        allowed = sorted({str(one.resolve()) + "/" for one in (scratch, *folders)})
        settings = [
            f"SET memory_limit = '{memory}'",
            f"SET temp_directory = {quoted(str(self._spill))}",
            "SET preserve_insertion_order = false",
            "SET TimeZone = 'UTC'",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            f"SET allowed_directories = [{', '.join(map(quoted, allowed))}]",
            "SET enable_external_access = false",
        ]
        if threads is not None:
            settings.append(f"SET threads = {threads:d}")
        for setting in (*settings, "SET lock_configuration = true"):
            self.run(setting)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Carry a statement out.

        Raises:
            DetectionError: it cannot be.
        """
        try:
            return self._connection.execute(sql, list(parameters))
        except self._duckdb.Error as error:
            raise DetectionError(f"the engine says: {_first_line(error)}") from error

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of an answer, a page in memory at a time; raises as :meth:`run`."""
        result = self.run(sql, parameters)
        try:
            while page := result.fetchmany(_PAGE):
                yield from page
        except self._duckdb.Error as error:
            raise DetectionError(f"the engine says: {_first_line(error)}") from error

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The only row of an answer."""
        found: tuple[Any, ...] = next(self.rows(sql, parameters))
        return found

    def files(self, name: str, paths: Sequence[Path | str], *, where: str = "true") -> None:
        """Call Parquet files by a name; there must be one at least."""
        listing = ", ".join(quoted(str(path)) for path in paths)
        self.run(
            f"CREATE OR REPLACE TEMP VIEW {name} AS "  # noqa: S608 - the names are ours
            f"SELECT * FROM read_parquet([{listing}], union_by_name = true) AS file WHERE {where}"
        )

    def table(self, name: str, arrow: Any) -> None:
        """Take a (small) Arrow table into the memory of the engine."""
        self._connection.register("arriving", arrow)
        try:
            self.run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arriving")  # noqa: S608
        finally:
            self._connection.unregister("arriving")

    def close(self) -> None:
        """Let go of everything."""
        self._connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def quoted(text: str) -> str:
    """A text as SQL has it.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
