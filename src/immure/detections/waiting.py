"""Acceptances that cannot be judged yet: they are kept, and looked up again when the ledger knows more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from immure.detections.engine import Engine, quoted
from immure.detections.ledger_side import IssuerSide
from immure.detections.reconcile import declare

#: Verdicts that another day may change.
WAITING: Final = ("not-yet-known", "unknown")
_LIST: Final = ", ".join(map(quoted, WAITING))
_KEPT: Final = (
    f"SELECT * EXCLUDE finding, 'accepted' AS verdict FROM verdicts WHERE finding IN ({_LIST}) "  # noqa: S608
    "QUALIFY row_number() OVER (PARTITION BY record_id) = 1 ORDER BY iat"
)
_FINAL: Final = (
    f"SELECT * FROM verdicts WHERE finding NOT IN ({_LIST}) "  # noqa: S608
    "QUALIFY row_number() OVER (PARTITION BY record_id, finding) = 1 ORDER BY iat"
)
_FORM: Final = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)"
_COUNTED: Final = """
SELECT CASE WHEN digest IS NOT NULL AND iat IS NOT NULL
                 AND EXISTS (SELECT 1 FROM watermarks w WHERE w.iss = a.iss AND w.watermark <= a.iat)
              THEN 'not-yet-known' ELSE 'unknown' END AS finding,
       count(DISTINCT record_id)
FROM waiting a GROUP BY finding"""


def keep_waiting(engine: Engine, target: Path) -> int:
    """Write those that the table ``verdicts`` does not judge into a file; returns how many there are."""
    return _keep(engine, f"IN ({_LIST})", _KEPT, target)


def keep_final(engine: Engine, target: Path) -> int:
    """Write those that it judges once and for all, and were not issued: as evidence. Returns their number."""
    return _keep(engine, f"NOT IN ({_LIST})", _FINAL, target)


def _keep(engine: Engine, which: str, sql: str, target: Path) -> int:
    (count,) = engine.one(f"SELECT count(*) FROM verdicts WHERE finding {which}")  # noqa: S608
    if count:
        engine.run(f"COPY ({sql}) TO {quoted(str(target))} {_FORM}")
    return int(count)


def count_waiting(engine: Engine, files: Sequence[str], sides: Mapping[str, IssuerSide]) -> Counter[str]:
    """How many there are of each verdict."""
    if not files:
        return Counter()
    engine.files("waiting", files)
    declare(engine, sides)
    return Counter(dict(engine.rows(_COUNTED)))
