"""Names in the room: accounts, people, and what a grant is for.

>>> parse_account("prd-ada", "prd-")
'prd-ada'
>>> parse_account("ada@corp.example", "prd-")
Traceback (most recent call last):
...
immure.errors.UsageError: 'ada@corp.example' is not an account of this room: 'prd-' and 2 to 30 of a-z, 0-9, -
>>> parse_resource("dump:9f86d081").kind
'dump'

An account of the room is never that of another place: the form has no room for ``@``, ``\\``, ``:`` or ``/``,
so no mail address, no user principal name, no ``DOMAIN\\user`` and no issuer and subject of a federated
sign-in can be one. Nothing in the room takes a password, an assertion of SAML or a token of OpenID Connect.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from immure.errors import UsageError

#: What a grant may be for.
KINDS: Final = ("room", "key", "dump", "relying-party")
#: What may be done, by kind.
ACTIONS: Final = {
    "room": ("enter", "sudo"),
    "key": ("use", "rotate", "export-public"),
    "dump": ("open", "redact", "release"),
    "relying-party": ("register", "change", "remove"),
}

_MOST_ROLES = 16
_NAMESPACE = re.compile(r"[a-z][a-z0-9]{1,15}-", re.ASCII)
_ACCOUNT = re.compile(r"[a-z0-9](?:-?[a-z0-9]){1,29}", re.ASCII)
_PERSON = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_ROLE = re.compile(r"[a-z](?:-?[a-z0-9]){0,30}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/@-]{0,253}[A-Za-z0-9])?", re.ASCII)


class Resource(NamedTuple):
    """What a grant is for: its kind, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def parse_namespace(text: str) -> str:
    """The prefix of all accounts of a room; raises UsageError."""
    if not _NAMESPACE.fullmatch(text):
        raise UsageError(f"{text[:40]!r} is not a namespace: a-z, 2 to 16 of a-z and 0-9, and a - at the end")
    return text


def parse_account(text: str, namespace: str) -> str:
    """The name of an account of the room; raises UsageError."""
    rest = text.removeprefix(namespace)
    if not text.startswith(namespace) or not _ACCOUNT.fullmatch(rest):
        raise UsageError(
            f"{text[:64]!r} is not an account of this room: {namespace!r} and 2 to 30 of a-z, 0-9, -"
        )
    return text


def parse_person(text: str) -> str:
    """What whoever screens calls a human being, one for each, whatever accounts there are; raises UsageError.

    A mail address is refused: it names a corporate account."""
    if not _PERSON.fullmatch(text):
        raise UsageError(f"{text[:64]!r} is not the id of a person: up to 64 of A-Z, a-z, 0-9, . _ and -")
    return text


def same_person(one: str, other: str) -> bool:
    """Whether two ids are that of one human being: nobody is another one for writing it in capitals."""
    return one.casefold() == other.casefold()


def parse_role(text: str) -> str:
    """The name of a role; raises UsageError."""
    if not _ROLE.fullmatch(text):
        raise UsageError(f"{text[:40]!r} is not a role: up to 31 of a-z, 0-9 and -")
    return text


def parse_roles(values: object) -> tuple[str, ...]:
    """A list of roles, each once; raises UsageError."""
    if not isinstance(values, list) or len(values) > _MOST_ROLES or len(set(map(str, values))) != len(values):
        raise UsageError(f"roles are a list of up to {_MOST_ROLES} texts, each once")
    return tuple(parse_role(str(one)) for one in values)


def parse_deed(resource: object, actions: object) -> tuple[Resource, tuple[str, ...]]:
    """What is done with what: ``KIND:NAME``, and a list of actions; raises UsageError."""
    known = parse_resource(str(resource))
    if not isinstance(actions, list) or not all(isinstance(one, str) for one in actions):
        raise UsageError("actions are a list of texts")
    if len(set(actions)) != len(actions):
        raise UsageError("actions are named once each")
    return known, check_actions(known, tuple(actions))


def parse_resource(text: str) -> Resource:
    """``KIND:NAME``; raises UsageError."""
    kind, _, name = text.partition(":")
    if kind not in KINDS or not _NAME.fullmatch(name):
        raise UsageError(f"{text[:80]!r} is not KIND:NAME, with a KIND of {', '.join(KINDS)}")
    return Resource(kind, name)


def check_actions(resource: Resource, actions: tuple[str, ...]) -> tuple[str, ...]:
    """``actions``, in order, if they are known for the resource and there is one; raises UsageError."""
    known = ACTIONS[resource.kind]
    for action in actions:
        if action not in known:
            raise UsageError(
                f"{action[:40]!r} is nothing that is done with a {resource.kind}: {', '.join(known)}"
            )
    if not actions:
        raise UsageError(f"no action is named; with a {resource.kind} there are {', '.join(known)}")
    return tuple(action for action in known if action in actions)
