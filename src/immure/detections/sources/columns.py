"""Columns of Arrow from values of Python, whole columns at once; equal values are made once.

All need pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow

from immure.detections.records import Kind, schema

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch


_schema = cache(schema)


def text_column(values: Sequence[str | None]) -> Array:
    """Texts; an empty one is null."""
    if "" in values:
        values = [value or None for value in values]
    return pyarrow.array(values, pyarrow.string())


def few(values: Sequence[Any], function: Callable[[Any], Any], kind: Any) -> Array:
    """Values of which there are few different ones, each through a function."""
    made = {value: function(value) for value in set(values)}
    if len(made) == 1:
        return pyarrow.repeat(pyarrow.scalar(next(iter(made.values())), kind), len(values))
    return pyarrow.array(list(map(made.__getitem__, values)), kind)


def table(kind: Kind, count: int, columns: dict[str, Any]) -> RecordBatch:
    """A record batch of a kind; columns that are not given are null, single texts stand in all rows."""
    wanted = _schema(kind)
    arrays = []
    for field in wanted:
        given = columns.get(field.name)
        if given is None:
            given = pyarrow.nulls(count, field.type)
        elif isinstance(given, str):
            given = pyarrow.repeat(given, count)
        arrays.append(given)
    return pyarrow.RecordBatch.from_arrays(arrays, schema=wanted)
