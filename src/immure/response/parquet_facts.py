"""What the footer of a Parquet file says of a column: it need not be read where there is nothing to find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from immure.detections.libraries import library


def has_nulls(path: str, column: str) -> bool:
    """Whether there may be a null in a column; True where the file does not say, or has no such column.

    Raises:
        UsageError: pyarrow is not installed.
    """
    return any(
        one is None or not one.has_null_count or one.null_count > 0 for one in _statistics(path, column)
    )


def has_value(path: str, column: str, value: str) -> bool:
    """Whether a value may be in a column; True where the file does not say, or has no such column."""
    return any(
        one is None or not one.has_min_max or one.min <= value <= one.max for one in _statistics(path, column)
    )


def _statistics(path: str, column: str) -> Iterator[Any]:
    """Those of each row group; None where there are none."""
    meta = library("pyarrow.parquet").read_metadata(path)
    leaf = next((n for n in range(len(meta.schema)) if meta.schema.column(n).path == column), None)
    if leaf is None:
        yield None
        return
    for number in range(meta.num_row_groups):
        yield meta.row_group(number).column(leaf).statistics
