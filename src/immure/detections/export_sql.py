"""The reconciliation as SQL for engines that exist, for who has more than one machine holds.

The query is the one that we run ourselves, letter by letter, but that we take it in two steps. Around it is
what each engine has its own words for: what the files are called, and where the answer goes.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from immure.detections.reconcile_sql import verdicts_sql

Dialect = Literal["duckdb", "clickhouse", "spark"]
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)
#: Before and after all times.
ALWAYS: Final = (-(1 << 62), 1 << 62)

_TABLES: Final = ("accepted", "issued", "watermarks", "gaps")
_HEAD: Final = """\
-- Accepted tokens that are not in the ledger of their issuer, each with its verdict (column finding).
--   accepted    Parquet of acceptances, as "immure detect run --state" keeps them in parts/
--   issued      segments, as "immure ledger export" writes them; hold them against the log before
--               ("immure ledger verify --segments"): this query believes them
--   watermarks  iss, known_from, watermark, a row for each issuer: from "immure detect run --format json",
--               member issuers
--   gaps        iss, gap_from, gap_to: likewise
-- One window of iat needs no more than the same window of the ledger: N windows are N machines.
"""
_VIEWS: Final = {
    "duckdb": "CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}');",
    "clickhouse": "CREATE VIEW {name} AS SELECT * FROM file('{path}', Parquet);",
    "spark": "CREATE TEMPORARY VIEW {name} USING parquet OPTIONS (path '{path}');",
}
_PATHS: Final = {"accepted": "parts/acceptance-*.parquet", "issued": "segments/*/*.parquet"}


def views(dialect: Dialect, paths: dict[str, str]) -> list[str]:
    """Statements that call files by the names of the tables."""
    return [
        _VIEWS[dialect].format(
            name=name, path=(paths.get(name) or _PATHS.get(name, f"{name}.parquet")).replace("'", "''")
        )
        for name in _TABLES
    ]


def export_sql(
    dialect: Dialect, *, low: int = ALWAYS[0], high: int = ALWAYS[1], paths: dict[str, str] | None = None
) -> str:
    """The whole text.

    Args:
        dialect: which engine.
        low, high: seconds since 1970: only of tokens with ``low <= iat < high``.
        paths: of the files, by table.
    """
    statements = "\n".join(views(dialect, paths or {}))
    return f"{_HEAD}\n{statements}\n\n{verdicts_sql(low, high)};\n"
