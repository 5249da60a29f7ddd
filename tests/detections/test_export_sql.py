"""The reconciliation runs unchanged elsewhere: the same answer from DuckDB, ClickHouse and Spark."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from detections.test_reconcile import digest, write
from immure.detections.export_sql import ALWAYS, export_sql, views
from immure.detections.reconcile_sql import verdicts_sql

ISSUER = "https://login.example"
WANTED = {
    "1": "forged",
    "2": "not-yet-known",
    "3": "ledger-gap",
    "4": "unknown",
    "5": "unknown",
    "6": "forged",
}


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    def use(name: str, number: int, iat: int, iss: str = ISSUER) -> dict[str, Any]:
        return {
            "record_id": name,
            "source": "x",
            "time": 1,
            "verdict": "accepted",
            "digest": digest(number),
            "iss": iss,
            "iat": iat,
        }

    accepted = [
        use("0", 0, 100),
        use("1", 1, 100),
        use("2", 2, 1000),
        use("3", 3, 500),
        use("4", 4, 10),
        use("5", 5, 100, "https://other.example"),
        use("6", 0, 101),
        {**use("7", 7, 100), "verdict": "refused"},
    ]
    issued = [{"seq": 1, "digest": digest(0), "iss": ISSUER, "iat": 100, "exp": 1, "kid": "k"}]
    made = {
        "accepted": write(tmp_path / "accepted.parquet", accepted, "acceptance", 3),
        "issued": write(tmp_path / "issued.parquet", issued, "issued", 3),
    }
    tables = {
        "watermarks": {"iss": [ISSUER], "known_from": [50], "watermark": [1000]},
        "gaps": {"iss": [ISSUER], "gap_from": [400], "gap_to": [600]},
    }
    for name, columns in tables.items():
        made[name] = str(tmp_path / f"{name}.parquet")
        pyarrow.parquet.write_table(pyarrow.table(columns), made[name])
    return made


def test_duckdb(paths: dict[str, str]) -> None:
    base = duckdb.connect()
    result = base.execute(export_sql("duckdb", paths=paths))
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert {row["record_id"]: row["finding"] for row in rows} == WANTED


def test_the_query_is_the_one_that_we_run(paths: dict[str, str]) -> None:
    for dialect in ("duckdb", "clickhouse", "spark"):
        assert verdicts_sql(*ALWAYS) in export_sql(dialect, paths=paths)  # type: ignore[arg-type]
    assert verdicts_sql(5, 9) in export_sql("spark", low=5, high=9)


def test_names_of_files_are_quoted() -> None:
    assert "'it''s.parquet'" in export_sql("duckdb", paths={"accepted": "it's.parquet"})


@pytest.mark.drill
def test_clickhouse(paths: dict[str, str]) -> None:
    from chdb.session import Session

    session = Session()
    session.query("CREATE DATABASE d ENGINE = Atomic")
    session.query("USE d")
    for statement in views("clickhouse", paths):
        session.query(statement.rstrip(";"))
    answer = session.query(verdicts_sql(*ALWAYS), "CSVWithNames").bytes().decode()
    rows = list(csv.DictReader(io.StringIO(answer)))
    assert {row["record_id"]: row["finding"] for row in rows} == WANTED


@pytest.mark.drill
def test_spark(paths: dict[str, str], tmp_path: Path) -> None:
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local-cluster[2, 1, 1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
        .getOrCreate()
    )
    try:
        for statement in views("spark", paths):
            spark.sql(statement.rstrip(";"))
        rows = spark.sql(verdicts_sql(*ALWAYS)).collect()
        assert {row["record_id"]: row["finding"] for row in rows} == WANTED
    finally:
        spark.stop()
