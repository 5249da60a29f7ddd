"""Values of logs, of which every maker writes other ones: None for what cannot be read, never an exception.

>>> moment("2023-06-16T08:01:02")            # no zone: UTC, as Microsoft's documentation has it
1686902462000000
>>> moment("2023-06-16T10:01:02.1234567+02:00")
1686902462123456
>>> address("[2603:10b6:a03::15]:51234"), address("203.0.113.7:443"), address("::ffff:192.0.2.1")
('2603:10b6:a03::15', '203.0.113.7', '192.0.2.1')
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

#: Microseconds of the year 10000: what Arrow, DuckDB and Python all hold.
_END: Final = 253_402_300_800_000_000
_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_DOTNET: Final = re.compile(r"/Date\((-?\d{1,17})(?:[+-]\d{4})?\)/", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_PORT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?", re.ASCII)
_BRACKETS: Final = re.compile(r"\[([0-9A-Fa-f:.%]{2,64})\](?::\d{1,5})?")
_MAPPED: Final = "::ffff:"
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[0-9A-Za-z]{1,16})?")
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no"})


def text(value: object) -> str | None:
    """A text that is not empty; numbers and flags as texts."""
    if type(value) is str:
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)[:64] if abs(value) < 1e18 else None
    return None


def integer(value: object) -> int | None:
    """A whole number of 63 bits, also if it is a text or has a fraction of 0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = int(value)
    return value if isinstance(value, int) and abs(value) < 2**63 else None


def flag(value: object) -> bool | None:
    """A flag, also as a text or as 0 and 1."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def moment(value: object) -> int | None:
    """A time in microseconds since 1970: ISO 8601 (UTC if it has no zone), .NET's ``/Date()/``, or seconds,
    milliseconds, microseconds or nanoseconds since 1970, told apart by their size."""
    if isinstance(value, str):
        found = _ISO.fullmatch(value.strip())
        if found is not None:
            return _from_iso(found)
        dotnet = _DOTNET.fullmatch(value.strip())
        if dotnet is not None:
            return _within(int(dotnet[1]) * 1000)
        try:
            value = float(value) if "." in value[:20] and len(value) < 40 else integer(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return epoch(value)


def epoch(value: float) -> int | None:
    """Seconds since 1970 (or thousandths, millionths, billionths of them) as microseconds."""
    size = abs(value)
    if not size < 1e20:  # nor NaN
        return None
    if size < 1e11:
        return _within(round(value * 1_000_000))
    if size < 1e14:
        return _within(round(value * 1000))
    return _within(round(value) if size < 1e17 else round(value) // 1000)


def seconds(value: object) -> int | None:
    """A time in whole seconds since 1970, rounded down."""
    made = moment(value)
    return None if made is None else made // 1_000_000


def _within(microseconds: int) -> int | None:
    return microseconds if 0 <= microseconds < _END else None


def _from_iso(found: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        made = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    whole = int(made.timestamp())
    if zone and zone[0] in "+-":
        sign = -1 if zone[0] == "-" else 1
        whole -= sign * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)
    return _within(whole * 1_000_000 + int((fraction or "").ljust(6, "0")[:6]))


def address(value: object) -> str | None:
    """An IP address without port, brackets and the prefix of IPv4 in IPv6; other texts as they are."""
    if type(value) is not str or not value:
        return None
    value = value.strip()
    found = _PORT.fullmatch(value) or _BRACKETS.fullmatch(value)
    if found is not None:
        value = found[1]
    lowered = value.lower()
    if lowered.startswith(_MAPPED) and (inner := _PORT.fullmatch(lowered[7:])) is not None:
        return inner[1]
    return text(lowered if _ADDRESS.fullmatch(value) else value)


def texts(value: object) -> list[str] | None:
    """One text or several as a list; None if there is none."""
    values = value if isinstance(value, list) else [value]
    made = [one for each in values if (one := text(each)) is not None]
    return made or None


def pairs(value: object) -> dict[str, Any]:
    """Lists of ``{"Name": …, "Value": …}`` (or ``name``, ``key``) as one mapping, by small names."""
    return {key.lower(): kept for key, kept in _pairs(value)}


def _pairs(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((key, kept) for key, kept in value.items() if isinstance(key, str))
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            low = {key.lower(): kept for key, kept in one.items() if isinstance(key, str)}
            name = low.get("name", low.get("key"))
            if isinstance(name, str):
                yield name, low.get("value", low.get("boolvalue", low.get("multivalue")))
