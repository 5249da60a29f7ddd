"""Rows of a database as key records, and back.

>>> decoded('{"kid": "k1"}', "example")
{'kid': 'k1'}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from immure.registry.errors import DuplicateKeyError, RegistryError
from immure.registry.form import change_to_plain, from_plain, to_plain
from immure.registry.members import Members
from immure.registry.record import MOST_CHANGES, KeyRecord
from immure.registry.sql_tables import MOST_BYTES


def records_of(
    keys: Iterable[tuple[str, str, str, str]], changes: Iterable[tuple[str, str]], path: str
) -> Iterator[KeyRecord]:
    """The records of rows (thumbprint, kid, issuer, record), with their histories (thumbprint, change).

    Raises:
        RegistryError: (all of its kinds) what is there cannot be a record.
    """
    histories: dict[str, list[Any]] = {}
    for thumbprint, change in changes:
        histories.setdefault(thumbprint, []).append(decoded(change, path))
    for thumbprint, kid, issuer, text in keys:
        plain = decoded(text, path)
        if isinstance(plain, dict):
            plain["history"] = histories.get(thumbprint, [])[: MOST_CHANGES + 1]
        record = from_plain(Members(plain, f"[key {str(thumbprint)[:43]!r}]", path))
        if (record.thumbprint, record.kid, record.issuer or "") != (thumbprint, kid, issuer):
            raise RegistryError(f"[key {kid!r}] contradicts its own index", path=path)
        yield record


def key_row(record: KeyRecord, path: str) -> dict[str, str]:
    """The row of a record, without its history; raises RegistryError if that is too long."""
    plain = to_plain(record)
    del plain["history"]
    text = json.dumps(plain)
    if len(text) > MOST_BYTES:
        raise RegistryError(f"key {record.kid!r} is longer than {MOST_BYTES >> 20} MiB", path=path)
    names = {"thumbprint": record.thumbprint, "kid": record.kid, "issuer": record.issuer or ""}
    return names | {"record": text}


def change_rows(record: KeyRecord, start: int = 0) -> list[dict[str, str | int]]:
    """The rows of a history, from one of its changes on."""
    return [
        {"thumbprint": record.thumbprint, "number": number, "change": json.dumps(change_to_plain(change))}
        for number, change in enumerate(record.history[start:], start)
    ]


def check_new(records: Iterable[KeyRecord], there: Iterable[tuple[str, str, str]], path: str) -> None:
    """See that no key is there (as thumbprint, kid, issuer) or twice; raises DuplicateKeyError."""
    kids: dict[str, str] = {}
    names: set[tuple[str, str]] = set()
    for thumbprint, kid, issuer in there:
        kids[thumbprint] = kid
        names.add((issuer, kid))
    for record in records:
        known = kids.get(record.thumbprint)
        if known is not None:
            raise DuplicateKeyError(f"key {record.kid!r} is there already, as {known!r}", path=path)
        if (record.issuer or "", record.kid) in names:
            raise another_key(record, path)
        kids[record.thumbprint] = record.kid
        names.add((record.issuer or "", record.kid))


def another_key(record: KeyRecord, path: str) -> DuplicateKeyError:
    """What to raise if the kid of a record is taken."""
    whose = f"of {record.issuer}" if record.issuer else "without an issuer"
    return DuplicateKeyError(f"kid {record.kid!r} is that of another key {whose}", path=path)


def decoded(text: Any, path: str) -> Any:
    """A cell as JSON; raises RegistryError."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise RegistryError("holds something that is not JSON", path=path) from None
