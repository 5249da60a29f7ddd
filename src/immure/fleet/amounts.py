"""Amounts as people write them: ``1 PB``, ``64MiB``, ``10 Gbit/s``."""

from __future__ import annotations

import math
import re
from typing import Final

from immure.errors import UsageError

_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)(/s)?")
_DECIMAL: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_BINARY: Final = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50, "E": 2**60}
#: Largest amount: an exabyte and a bit.
MOST: Final = 2**63


def parse_bytes(text: str) -> int:
    """Bytes: ``1PB`` (10^15), ``1PiB`` (2^50), ``4096``.

    Raises:
        UsageError: it is no amount, or none that can be.

    >>> parse_bytes("1.5 GiB")
    1610612736
    """
    number, unit, per_second = _parts(text)
    if per_second:
        raise UsageError(f"{text[:40]!r} is no number of bytes")
    return _whole(number * _factor(unit, "B", text), text)


def parse_rate(text: str) -> float:
    """Bytes per second: ``500MB``, ``500MB/s``, ``10Gbit/s`` (eight bits to the byte).

    Raises:
        UsageError: it is no rate, or zero.

    >>> parse_rate("10Gbit/s")
    1250000000.0
    """
    number, unit, _ = _parts(text)
    if unit.lower().endswith("bit"):
        rate = number * _factor(unit[:-3], "", text) / 8
    else:
        rate = number * _factor(unit, "B", text)
    if not 0 < rate <= MOST:
        raise UsageError(f"{text[:40]!r} is no rate")
    return rate


def _parts(text: str) -> tuple[float, str, bool]:
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= 40 else None
    if found is None:
        raise UsageError(f"{text[:40]!r} is no amount: write 1PB, 64MiB, 10Gbit/s")
    return float(found[1]), found[2], found[3] is not None


def _factor(unit: str, end: str, text: str) -> int:
    name = unit.removesuffix(end) if end else unit
    if name.endswith("i") and name[:-1].upper() in _BINARY:
        return _BINARY[name[:-1].upper()]
    if name.upper() in _DECIMAL:
        return _DECIMAL[name.upper()]
    raise UsageError(f"{text[:40]!r} has a unit that is not known: B, kB, MB, GB, TB, PB, KiB … PiB")


def _whole(value: float, text: str) -> int:
    if not math.isfinite(value) or value > MOST:
        raise UsageError(f"{text[:40]!r} is too much")
    return int(value)
