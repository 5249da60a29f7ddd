"""Bounds set against hostile and broken logs.

>>> Limits().record
1048576
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one reading.

    Attributes:
        record: bytes of the longest record; a longer one is lost, and the reading goes on after it.
        table: bytes of an answer of Log Analytics, which is one value whatever is in it.
        block: bytes of records that are held at once, besides one record.
        rows, chunk: rows, and bytes that were read, after which a chunk is given.
        names: different names of fields and operations that are counted apart; others are counted together.
        encoded: how often a text may be JSON within JSON.
    """

    record: int = 1 << 20
    table: int = 64 << 20
    block: int = 1 << 20
    rows: int = 16_384
    chunk: int = 16 << 20
    names: int = 1000
    encoded: int = 3
