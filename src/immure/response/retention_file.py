"""What must be kept, and which logs there are, as a TOML file; and what is really there.

version = 1
key_life_days = 62
token_life_days = 1
lag_days = 800

[logs.acceptances]
path = "accepted/"          # looked at: the oldest record in it
keeps_days = 900            # what somebody has configured
began = 2025-01-01          # since when there is a log

[logs.issued]
ledger = "ledger.db"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from immure.errors import ImmureError
from immure.ledger.retention import Keeping
from immure.response.errors import FormError, ResponseError
from immure.response.retention import LogSource
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
MOST_LOGS: Final = 1000
_MOST_DAYS: Final = 36_500
_TOP: Final = {"version", "key_life_days", "token_life_days", "lag_days", "logs"}
_LOG: Final = {"keeps_days", "path", "ledger", "began", "source"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a log is: a path of files (and what kind of log they are), or a ledger."""

    path: Path | None = None
    ledger: str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file says.

    Attributes:
        need: None where the file leaves a part of it out.
        logs: each log, and where it is.
    """

    need: Keeping | None
    logs: tuple[tuple[LogSource, Place], ...]


def read_plan(path: Path) -> Plan:
    """The plan in a file; paths in it are beside it. Raises FormError."""
    _, data = read_bounded(path, MOST_BYTES, FormError)
    return parse_plan(data, path)


def parse_plan(data: bytes, path: Path) -> Plan:
    """The plan that ``data`` holds; raises FormError."""
    table = parse_toml(data, str(path), MOST_BYTES, FormError)
    try:
        return _plan(table, path.parent)
    except FormError as error:
        raise FormError(error.reason, path=str(path)) from error


def looked_at(source: LogSource, place: Place) -> LogSource:
    """A log, with its oldest record.

    Raises:
        ImmureError: it cannot be read.
    """
    if place.ledger is not None:
        return replace(source, oldest=_oldest_row(place.ledger), looked=True)
    if place.path is not None:
        return replace(source, oldest=_oldest_record(place.path, place.kind), looked=True)
    return source


def _plan(table: Mapping[str, Any], beside: Path) -> Plan:
    _known(table, _TOP, "the file")
    if type(table.get("version")) is not int or table["version"] != 1:
        raise FormError("version is not 1")
    lives = [_days(table, name) for name in ("key_life_days", "token_life_days", "lag_days")]
    need = None if any(one is None for one in lives) else Keeping(*(one or timedelta(0) for one in lives))
    logs = table.get("logs", {})
    if not isinstance(logs, dict) or len(logs) > MOST_LOGS:
        raise FormError(f"logs is a table of up to {MOST_LOGS} tables")
    return Plan(need, tuple(_log(name, one, beside) for name, one in logs.items()))


def _log(name: str, table: object, beside: Path) -> tuple[LogSource, Place]:
    if not isinstance(table, dict):
        raise FormError(f"logs.{name[:40]} is no table")
    _known(table, _LOG, f"logs.{name[:40]}")
    for one in ("path", "ledger", "source"):
        if one in table and (not isinstance(table[one], str) or not table[one] or "\0" in table[one]):
            raise FormError(f"{one} of logs.{name[:40]} is a text")
    if "path" in table and "ledger" in table:
        raise FormError(f"logs.{name[:40]} has a path or a ledger, not both")
    place = Place(beside / table["path"] if "path" in table else None, _ledger(table.get("ledger"), beside),
                  table.get("source", ""))  # fmt: skip
    return LogSource(name, _days(table, "keeps_days"), began=_began(table.get("began"))), place


def _ledger(text: str | None, beside: Path) -> str | None:
    return text if text is None or "://" in text else str(beside / text)


def _began(value: object) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise FormError("began is a day, such as 2025-01-01")


def _days(table: Mapping[str, Any], name: str) -> timedelta | None:
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_DAYS:
        raise FormError(f"{name} is a number of days, from 0 to {_MOST_DAYS:,}")
    return timedelta(days=value)


def _known(table: Mapping[str, Any], names: set[str], what: str) -> None:
    unknown = sorted(table.keys() - names)
    if unknown:
        raise FormError(f"{what} has {unknown[0][:40]!a}; there may be {', '.join(sorted(names))}")


def _oldest_row(place: str) -> datetime | None:
    """From when on a ledger is whole: since the latest pruning of an issuer's rows, or else since the first
    row of all. An issuer that began later than another has lost nothing."""
    from immure.ledger.opening import open_ledger

    pruned, first = [], []
    with open_ledger(place) as store:
        for one in store.standings():
            if one.forgotten:
                pruned.append(one.forgotten)
            elif one.last:
                row = next(iter(store.rows(one.issuer, 1, 1)), None)
                first += [] if row is None else [row[1].issued_at]
    oldest = max(pruned) if pruned else min(first, default=None)
    return None if oldest is None else datetime.fromtimestamp(oldest, UTC)


def _oldest_record(path: Path, kind: str) -> datetime | None:
    """The oldest record in the files of a log. Files are read to their first records only: a log is written
    in the order of time, but for what came late."""
    from immure.detections.sources.reading import files_of, read, source_named

    source = source_named(kind) if kind else None
    oldest: int | None = None
    for file in files_of(path):
        for chunk in read(file, source=source):
            times = [_least(batch) for name, batch in chunk.records.items() if name != "issued"]
            found = [one for one in times if one is not None]
            oldest = min([*found, *([] if oldest is None else [oldest])], default=None)
            if found:
                break
    return None if oldest is None else datetime.fromtimestamp(oldest / 1_000_000, UTC)


def _least(batch: Any) -> int | None:
    import pyarrow
    import pyarrow.compute as compute

    least = compute.min(batch.column("time").cast(pyarrow.int64())).as_py()
    return None if least is None else int(least)


def checked(source: LogSource, place: Place) -> LogSource:
    """As :func:`looked_at`; what the log's own reader raises names the log.

    Raises:
        ResponseError: it cannot be read.
    """
    try:
        return looked_at(source, place)
    except ImmureError as error:
        raise ResponseError(f"log {source.name}: {error}") from error
