"""Answers of Log Analytics and of Azure Data Explorer: tables with columns and rows, as records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def records_of_tables(tables: list[Any]) -> Iterator[Any]:
    """One record for each row; what is no row of as many cells as there are columns is given as it is."""
    for table in tables:
        low = {key.lower(): kept for key, kept in table.items()} if isinstance(table, dict) else {}
        columns, rows = low.get("columns"), low.get("rows")
        if not isinstance(columns, list) or not isinstance(rows, list):
            yield table
            continue
        names = [_name(column) for column in columns]
        for row in rows:
            if isinstance(row, list) and len(row) == len(names):
                yield dict(zip(names, row, strict=True))
            else:
                yield row


def _name(column: Any) -> str:
    if isinstance(column, dict):
        column = column.get("name") or column.get("ColumnName")
    return str(column)[:128]
