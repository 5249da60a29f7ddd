"""What the vault says of a dump: while it is there, and after it was destroyed.

>>> Sealed(id="sha256:" + 64 * "0", size=5, sealed_at=MOMENT, name="app.core").digest[:4]   # doctest: +SKIP
'0000'
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from immure.clock import from_rfc3339, to_rfc3339
from immure.errors import VaultError

SEALED_SCHEMA: Final = "https://immure.example/schemas/sealed-1.json"
TOMBSTONE_SCHEMA: Final = "https://immure.example/schemas/tombstone-1.json"
#: Longest record that is read.
MOST_BYTES: Final = 1 << 14
MOST_NAME: Final = 255

_ID = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_FILE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A dump in the vault.

    Attributes:
        id: ``sha256:`` and the SHA-256 of its plain bytes, in hex.
        size: how many these are.
        sealed_at: when the last of them was sealed, in UTC.
        name: what it was called when it came; for people.
        file: random name of the sealed file that holds it.
    """

    id: str
    size: int
    sealed_at: datetime
    name: str
    file: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the plain bytes, in hex."""
        return self.id.removeprefix("sha256:")

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "schema": SEALED_SCHEMA,
            "id": self.id,
            "size": self.size,
            "sealed_at": to_rfc3339(self.sealed_at),
            "name": self.name,
            "file": self.file,
        }


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stays of a dump that was destroyed.

    ``replaced`` says that the same bytes came again and its file was found to be damaged.
    """

    sealed: Sealed
    destroyed_at: datetime
    replaced: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        more = {"destroyed_at": to_rfc3339(self.destroyed_at), "replaced": self.replaced}
        return self.sealed.to_json() | more | {"schema": TOMBSTONE_SCHEMA}


def check_id(text: str) -> str:
    """``text``, if it names a dump.

    Raises:
        VaultError: it does not.
    """
    if not _ID.fullmatch(text):
        raise VaultError("names no dump: sha256: and 64 hexadecimal digits are needed", path=text[:80])
    return text


def clean_name(name: str) -> str:
    """``name`` as a record can hold it: printable, and not too long."""
    shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)[:MOST_NAME]


def to_bytes(record: Sealed | Tombstone) -> bytes:
    """The JSON text of a record."""
    return json.dumps(record.to_json(), sort_keys=True).encode("ascii")


def parse_sealed(data: bytes, path: str) -> Sealed:
    """The record in ``data``.

    Raises:
        VaultError: there is none.
    """
    return _sealed(_members(data, path, SEALED_SCHEMA), path)


def parse_tombstone(data: bytes, path: str) -> Tombstone:
    """The tombstone in ``data``.

    Raises:
        VaultError: there is none.
    """
    members = _members(data, path, TOMBSTONE_SCHEMA)
    replaced = members.get("replaced") is True
    return Tombstone(_sealed(members, path), _moment(members.get("destroyed_at"), path), replaced)


def _members(data: bytes, path: str, schema: str) -> dict[str, Any]:
    try:
        members = json.loads(data) if len(data) <= MOST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise VaultError("is not a record: no JSON", path=path) from error
    if not isinstance(members, dict) or members.get("schema") != schema:
        raise VaultError(f"is not a record of {schema}", path=path)
    return members


def _sealed(members: dict[str, Any], path: str) -> Sealed:
    name, size, file = members.get("name"), members.get("size"), members.get("file")
    identity = members.get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise VaultError("is not a record: its id names no dump", path=path)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise VaultError("is not a record: its size is no number of bytes", path=path)
    if not isinstance(name, str) or not isinstance(file, str) or not _FILE_ID.fullmatch(file):
        raise VaultError("is not a record: its name or file is missing", path=path)
    return Sealed(identity, size, _moment(members.get("sealed_at"), path), clean_name(name), file)


def _moment(text: Any, path: str) -> datetime:
    try:
        return from_rfc3339(text)
    except (TypeError, ValueError) as error:
        raise VaultError("is not a record: it has no time", path=path) from error
