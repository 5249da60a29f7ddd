"""Every token that counts, in a file: for those who look into logs of their own."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from immure.detections.engine import Engine, quoted
from immure.files import replacing
from immure.response.errors import RadiusError

#: The columns of such a file.
COLUMNS: Final = ("digest", "token_id", "session", "tenant", "subject", "first", "last")
_ROWS: Final = """
SELECT lower(hex(digest)) AS digest, token_id, session, tenant, sub AS subject, first, last
FROM tokens ORDER BY first, digest"""


class TokenList:
    """The file, while it is made: a part for each window, then all of them in one.

    Args:
        scratch: a directory that the engine may write to.
        target: the file: CSV if its name ends in ``.csv``, else Parquet.
    """

    def __init__(self, scratch: Path, target: Path) -> None:
        self._target = target
        self._scratch = Path(tempfile.mkdtemp(prefix="spill-tokens-", dir=scratch))
        self._parts: list[Path] = []

    def add(self, engine: Engine) -> None:
        """Take over the table ``tokens``; raises DetectionError."""
        part = self._scratch / f"{len(self._parts)}.parquet"
        engine.run(f"COPY ({_ROWS}) TO {quoted(str(part))} (FORMAT parquet, COMPRESSION zstd)")
        self._parts.append(part)

    def finish(self, engine: Engine) -> None:
        """Write the file, which appears whole.

        Raises:
            DetectionError: the engine cannot.
            RadiusError: it cannot be written.
        """
        form = "csv, HEADER" if self._target.suffix == ".csv" else "parquet, COMPRESSION zstd"
        whole = self._scratch / "whole"
        rows = f"SELECT {', '.join(f'NULL AS {name}' for name in COLUMNS)} WHERE false"
        if self._parts:
            rows = f"SELECT * FROM read_parquet([{', '.join(quoted(str(part)) for part in self._parts)}])"  # noqa: S608
        engine.run(f"COPY ({rows}) TO {quoted(str(whole))} (FORMAT {form})")
        try:
            with whole.open("rb") as made, replacing(self._target, mode=0o600) as stream:
                shutil.copyfileobj(made, stream, 1 << 20)
        except OSError as error:
            raise RadiusError(error.strerror or str(error), path=str(self._target)) from error
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
