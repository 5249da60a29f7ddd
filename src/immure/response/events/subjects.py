"""Whom an event is about (RFC 9493, and complex subjects of the Shared Signals Framework 1.0, section 3).

>>> check_subject({"format": "iss_sub", "iss": "https://login.example/", "sub": "ada"})["sub"]
'ada'
>>> matches({"format": "email", "email": "ADA@a.example"}, {"format": "email", "email": "ada@a.example"})
False
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from immure.response.events.errors import EventFormError

Subject = Mapping[str, Any]
#: Formats of simple subjects and their members (RFC 9493, section 3.2).
FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("uri",),
    "did": ("url",),
    "email": ("email",),
    "iss_sub": ("iss", "sub"),
    "jwt_id": ("iss", "jti"),
    "opaque": ("id",),
    "phone_number": ("phone_number",),
    "uri": ("uri",),
}
COMPLEX: Final = "complex"
_MOST_TEXT: Final = 2048
_MOST_MEMBERS: Final = 16


def check_subject(value: Any) -> Subject:
    """A subject that is one; raises EventFormError."""
    if not isinstance(value, dict):
        raise EventFormError("a subject is not an object")
    kind = value.get("format")
    if kind == COMPLEX:
        parts = {name: part for name, part in value.items() if name != "format"}
        if not 0 < len(parts) <= _MOST_MEMBERS:
            raise EventFormError(f"a complex subject has 1 to {_MOST_MEMBERS} parts")
        for part in parts.values():
            if not isinstance(part, dict) or part.get("format") == COMPLEX:
                raise EventFormError("a part of a complex subject is not a simple one")
            check_subject(part)
        return value
    members = FORMATS.get(kind) if isinstance(kind, str) else None
    if members is None:
        raise EventFormError(f"a subject of no known format: {str(kind)[:40]!a}")
    for name in members:
        text = value.get(name)
        if not isinstance(text, str) or not 0 < len(text) <= _MOST_TEXT:
            raise EventFormError(f"a subject of format {kind} has no {name}")
    return value


def issuer_subject(issuer: str, subject: str) -> dict[str, str]:
    """Somebody as an issuer's tokens name them."""
    return {"format": "iss_sub", "iss": issuer, "sub": subject}


def of_stream(stream: str) -> dict[str, str]:
    """A stream as the subject of events about it (Shared Signals Framework 1.0, section 8.1)."""
    return {"format": "opaque", "id": stream}


class Subjects:
    """Many subjects, among which one is looked up that was not named by itself.

    >>> Subjects([issuer_subject("https://login.example/", "ada")]).match(issuer_subject("x", "ada"))
    False
    """

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._simple: set[str] = set()
        self._complex: list[Subject] = []
        for one in subjects:
            if one.get("format") == COMPLEX:
                self._complex.append(one)
            else:
                self._simple.add(as_text(one))

    def match(self, given: Subject) -> bool:
        """Whether one of them fits, as of :func:`matches`."""
        if given.get("format") != COMPLEX:
            return bool(self._simple) and as_text(given) in self._simple
        return any(matches(one, given) for one in self._complex)


def as_text(subject: Subject) -> str:
    """A subject as text, the same whatever the order of its members."""
    return json.dumps(subject, sort_keys=True, separators=(",", ":"))


def matches(wanted: Subject, given: Subject) -> bool:
    """Whether an event's subject is one that a receiver asked for.

    A simple subject fits its like, to the letter. A complex one fits if every part that both have is alike,
    and they have one (Shared Signals Framework 1.0, section 8.1).
    """
    if wanted.get("format") != COMPLEX or given.get("format") != COMPLEX:
        return dict(wanted) == dict(given)
    common = (wanted.keys() & given.keys()) - {"format"}
    return bool(common) and all(wanted[name] == given[name] for name in common)
