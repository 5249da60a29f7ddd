"""Frozen dataclasses as JSON, and back from foreign JSON: every member there, and of its type.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Point:
...     x: int
...     names: tuple[str, ...] = ()
>>> to_plain(Point(1, ("a",)))
{'x': 1, 'names': ['a']}
>>> from_plain(Point, {"x": 1, "names": ["a"]}, "the point")
Point(x=1, names=('a',))
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from immure.auditlog.canonical import MAX_INTEGER
from immure.response.errors import RadiusError


def to_plain(value: Any) -> Any:
    """A dataclass as JSON. There may be millions of texts, which are not looked at one by one."""
    if isinstance(value, tuple):
        return list(value) if value and isinstance(value[0], str) else [to_plain(part) for part in value]
    if is_dataclass(value):
        return {one.name: to_plain(getattr(value, one.name)) for one in fields(value)}
    return value


def from_plain(kind: type, value: object, where: str) -> Any:
    """The object of a dataclass that :func:`to_plain` has made this of; raises RadiusError with ``where``."""
    names = [one.name for one in fields(kind)]
    if not isinstance(value, Mapping) or set(value) != set(names):
        raise RadiusError(f"{where} is an object of {', '.join(names)}")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _fitting(hints[name], value[name], f"{name} of {where}") for name in names})


def _fitting(hint: Any, value: object, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise RadiusError(f"{where} is a list")
        return tuple(_fitting(arguments[0], one, where) for one in value)
    if origin is types.UnionType:
        if value is None and type(None) in arguments:
            return None
        (kind,) = (one for one in arguments if one is not type(None))
        return _fitting(kind, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise RadiusError(f"{where} is one of {', '.join(arguments)}")
        return value
    if is_dataclass(hint):
        return from_plain(hint, value, where)  # type: ignore[arg-type]
    if type(value) is not hint or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        raise RadiusError(f"{where} is {'a text' if hint is str else 'a whole number'}")
    return value
