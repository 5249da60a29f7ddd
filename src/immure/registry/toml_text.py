"""Key records as TOML text, written for people to read and change.

>>> print(_value(["a", 'say "b"']))
["a", "say \\"b\\""]
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from immure.registry.errors import RegistryError
from immure.registry.form import from_plain, to_plain
from immure.registry.members import Members
from immure.registry.record import KeyRecord
from immure.registry.store import MOST_KEYS

#: Bytes of the largest file.
MOST_BYTES: Final = 16 << 20
_HEAD = (
    "# Keys and what each may sign for. Commands of `immure keys` rewrite this file without its comments.\n"
)
#: Members that hold times, which TOML has as a type of its own.
_MOMENTS = frozenset({"at", "since", "not_before", "not_after"})


def parse_registry(data: bytes, path: str) -> tuple[KeyRecord, ...]:
    """The records of a registry as TOML, in the order of the file. That no key is there twice is not checked.

    Raises:
        RegistryError: (all of its kinds) it is no TOML, too long, or anything in it is unknown or malformed.
    """
    if len(data) > MOST_BYTES:
        raise RegistryError(f"is longer than {MOST_BYTES >> 20} MiB", path=path)
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RegistryError("is not UTF-8", path=path, offset=error.start) from error
    except RecursionError:
        raise RegistryError("is nested too deep", path=path) from None
    except (ValueError, OverflowError) as error:  # TOMLDecodeError among them
        raise RegistryError(f"is not TOML: {str(error)[:200]}", path=path) from error
    top = Members(document, "the top of the file", path)
    version = top.value("version")
    if version != 1 or isinstance(version, bool | float):
        raise RegistryError("'version' is not 1, the only one there is", path=path)
    top.where = ""
    tables = top.tables("key", MOST_KEYS)
    top.where = "the top of the file"
    top.done()
    return tuple(from_plain(table) for table in tables)


def write_registry(records: Iterable[KeyRecord]) -> bytes:
    """The text that :func:`parse_registry` makes these records of."""
    lines = [_HEAD, "version = 1"]
    for record in records:
        lines += ["", "[[key]]", *_key_lines(to_plain(record))]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _key_lines(plain: Mapping[str, Any]) -> Iterator[str]:
    tables = ("certificate", "scope", "history")
    for name, value in plain.items():
        if name not in tables:
            yield f"{name} = {_value(value)}"
    for name in tables[:2]:
        if name in plain:
            yield f"[key.{name}]"
            yield from _lines(plain[name])
    for change in plain["history"]:
        yield "[[key.history]]"
        yield from _lines(change)


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        yield f"{name} = {value if name in _MOMENTS else _value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(member)}" for name, member in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # texts of a record hold no control characters and no surrogates
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
