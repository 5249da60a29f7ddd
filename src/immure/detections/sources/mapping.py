"""A log of somebody else's making, described by a file (TOML).

name = "my-gateway"              # column ``source``
kind = "acceptance"              # acceptance, mail or signin

[columns]                        # column = path, or a table
time = "@timestamp"
client = "auth.client_id"
record_id = { path = "request.id" }
digest = { path = "auth.token", type = "token" }
iat = { path = "auth.iat", type = "seconds" }
verdict = { path = "status", values = { 200 = "accepted", 401 = "refused" } }

[constants]
channel = "api"

[passed_over]                    # records that are of no concern
path = "event"
values = ["health"]
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from immure.detections.records import STRUCTS, Kind, columns
from immure.detections.sources.token_ids import canonical
from immure.detections.sources.values import address, epoch, flag, integer, moment, seconds, text, texts
from immure.digest import signed_digest
from immure.errors import UsageError

_MOST: Final = 1 << 18
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LISTS: Final = frozenset({"aud", "folders", "messages"})
Reader = Callable[[Any], Any]


class _ColumnTable(msgspec.Struct, forbid_unknown_fields=True):
    path: str | list[str]
    type: str = ""
    format: str = ""
    values: dict[str, str | bool | int] = {}


class _Passed(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    values: list[str]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: str
    columns: dict[str, str | _ColumnTable]
    constants: dict[str, str | bool | int] = {}
    passed_over: _Passed | None = None
    known: list[str] = []


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column is from: paths of which the first that has something counts, and how it is read."""

    name: str
    paths: tuple[str, ...]
    read: Reader


@dataclass(frozen=True, slots=True)
class LogMapping:
    """A description, see the module.

    Attributes:
        name: of the source.
        kind: of its records.
        columns, constants: what goes where.
        passed_path, passed_values: records that are of no concern.
        known: names of members that are in no column and are not to be counted.
    """

    name: str
    kind: Kind
    columns: tuple[Column, ...]
    constants: Mapping[str, Any]
    passed_path: str
    passed_values: frozenset[str]
    known: frozenset[str]


def read_mapping(path: Path) -> LogMapping:
    """The description in a file.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", path=str(path)) from error
    if len(data) > _MOST:
        raise UsageError(f"a mapping of more than {_MOST} bytes", path=str(path))
    try:
        return parse_mapping(data.decode())
    except UnicodeDecodeError:
        raise UsageError("is no UTF-8", path=str(path)) from None
    except UsageError as error:
        raise UsageError(error.reason, path=str(path)) from None


def parse_mapping(source: str) -> LogMapping:
    """As :func:`read_mapping`, from the text itself."""
    try:
        file = msgspec.convert(tomllib.loads(source), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"is no mapping: {error}") from None
    if file.kind not in STRUCTS or file.kind == "issued":
        raise UsageError("kind is acceptance, mail or signin")
    if not _NAME.fullmatch(file.name):
        raise UsageError("name is made of small letters, digits and hyphens")
    kind = cast("Kind", file.kind)
    there = set(columns(kind)) - {"source"}
    for name in (*file.columns, *file.constants):
        if name not in there:
            raise UsageError(f"{kind} has no column {name[:64]!r}")
    needed = {"acceptance": {"time", "verdict"}, "mail": {"time", "operation"}, "signin": {"time"}}[kind]
    missing = needed - file.columns.keys() - file.constants.keys()
    if missing:
        raise UsageError(f"no column {', '.join(sorted(missing))}, which every record of {kind} has")
    passed = file.passed_over
    return LogMapping(
        file.name,
        kind,
        tuple(_column(name, given) for name, given in file.columns.items()),
        {name: _constant(name, value) for name, value in file.constants.items()},
        passed.path.lower() if passed else "",
        frozenset(passed.values) if passed else frozenset(),
        frozenset(name.lower() for name in file.known),
    )


def _column(name: str, given: str | _ColumnTable) -> Column:
    table = _ColumnTable(given) if isinstance(given, str) else given
    paths = [table.path] if isinstance(table.path, str) else table.path
    read = _reader(name, table.type or _natural(name), table.format)
    if table.values:
        wanted, inner = table.values, read
        read = lambda value: inner(wanted.get(text(value) or "", value))  # noqa: E731 - a closure, and a short one
    return Column(name, tuple(path.lower() for path in paths), read)


def _natural(name: str) -> str:
    """The type of a column if the mapping does not say."""
    if name in _LISTS:
        return "list"
    return {
        "time": "time", "digest": "hex", "iat": "seconds", "exp": "seconds", "token_iat": "seconds",
        "count": "integer",
        "external": "flag", "succeeded": "flag", "throttled": "flag", "token_id": "token-id", "ip": "address",
    }.get(name, "text")  # fmt: skip


def _reader(name: str, kind: str, form: str) -> Reader:
    if form:
        if kind not in ("time", "seconds"):
            raise UsageError(f"column {name}: a format is for times")
        return _by_format(form, whole=kind == "seconds")
    readers: dict[str, Reader] = {
        "text": text, "list": texts, "time": moment, "seconds": seconds, "integer": integer, "flag": flag,
        "hex": _hex,
        "base64": _base64, "token": _token, "token-id": lambda value: canonical(text(value)), 
        "address": address,
        "words": lambda value: texts((text(value) or "").split()),
    }  # fmt: skip
    allowed = {_natural(name), "words"} if name in _LISTS else {_natural(name)}
    if name == "digest":
        allowed = {"hex", "base64", "token"}
    elif name == "token_id":
        allowed = {"token-id", "text"}
    if kind not in allowed:
        raise UsageError(f"column {name} is of type {' or '.join(sorted(allowed))}, not {kind[:32]!r}")
    return readers[kind]


def _by_format(form: str, *, whole: bool) -> Reader:
    """A time as ``strptime`` reads it, UTC if it has no zone; or ``epoch``."""

    def read(value: Any) -> int | None:
        made: int | None = None
        if form == "epoch":
            made = epoch(value) if isinstance(value, (int, float)) else moment(value)
        else:
            try:
                parsed = datetime.strptime(text(value) or "", form)
            except ValueError:
                return None
            if parsed.tzinfo is None:
                parsed = parsed.replace(tzinfo=UTC)
            made = epoch(parsed.timestamp())
        return made // 1_000_000 if whole and made is not None else made

    return read


def _hex(value: Any) -> bytes | None:
    try:
        made = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return None
    return made[:16] if len(made) in (16, 32) else None


def _base64(value: Any) -> bytes | None:
    try:
        made = urlsafe_b64decode(value + "=" * (-len(value) % 4)) if isinstance(value, str) else b""
    except ValueError:
        return None
    return made[:16] if len(made) in (16, 32) else None


def _token(value: Any) -> bytes | None:
    """The digest of a whole token, or of one whose signature was cut off; the token is not kept."""
    if not isinstance(value, str) or not value.isascii():
        return None
    parts = value.removeprefix("Bearer ").strip().split(".")
    if len(parts) not in (2, 3) or not all(parts[:2]):
        return None
    return signed_digest(".".join(parts[:2]).encode())


def _constant(name: str, value: Any) -> Any:
    made = _reader(name, _natural(name), "")(value)
    if made is None:
        raise UsageError(f"constant {name}: {str(value)[:64]!r} is not what the column holds")
    return made


def fingerprint(mapping: LogMapping) -> str:
    """Changes when the mapping does, so that a reading does not go on with another one."""
    plain = repr((mapping.name, mapping.kind, [(one.name, one.paths) for one in mapping.columns]))
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
