"""A set of letters: files in ``work/letters-0001/``, and a manifest whose digest is what people approve.

The manifest has every recipient, and the digest of every file that the recipient is to get. So an approval of
the manifest is one of the very letters and of those who get them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from immure.auditlog.canonical import canonical, parse_canonical
from immure.errors import LogError
from immure.response.incident import WORK, Incident
from immure.response.notification.errors import LettersError
from immure.response.notification.settings import Channel
from immure.response.timeline import Entry
from immure.toml_file import read_bounded

SCHEMA_ID: Final = "https://immure.example/schemas/letters-1.json"
MANIFEST: Final = "manifest.json"
MOST_MANIFEST: Final = 64 << 20
#: The longest list, as JSON; by mail it would not arrive anyway.
MOST_STATEMENT: Final = 128 << 20
SUFFIXES: Final = ("json", "txt", "html")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A letter for a recipient.

    Attributes:
        id: names it for ever: follows from the recipient and the letter.
        tenant: whom it is about.
        channel: how it is sent.
        to: an address, or a URL.
        language: of the letter.
        edition: of the statement to this recipient, from 1.
        statement: digest of what it says (:func:`~.statement.core_digest`).
        subject: of the letter.
        stem: the name of its files, without suffix.
        sha256: digests of the files, by suffix.
        message_id: of the message, or id of the call.
        answers: message id of the one that it corrects; empty if it corrects none.
    """

    id: str
    tenant: str
    channel: Channel
    to: str
    language: str
    edition: int
    statement: str
    subject: str
    stem: str
    sha256: Mapping[str, str]
    message_id: str
    answers: str

    @property
    def place(self) -> tuple[str, Channel, str]:
        """Tenant, channel and address."""
        return self.tenant, self.channel, self.to


@dataclass(frozen=True, slots=True)
class Untold:
    """A tenant that should be told, and cannot be."""

    tenant: str
    reason: str


@dataclass(frozen=True, slots=True)
class LetterSet:
    """A set of letters.

    Attributes:
        number: of the set, from 1; a newer one takes the place of all before it.
        radius: digest of the blast radius that it was made of.
        sender_name, sender_address: who writes.
        deliveries: every recipient with what he gets.
        untold: tenants that cannot be told.
        folder: where its files are.
    """

    number: int
    incident: str
    radius: str
    sender_name: str
    sender_address: str
    deliveries: tuple[Delivery, ...]
    untold: tuple[Untold, ...]
    folder: Path

    def manifest(self) -> bytes:
        """What is approved: canonical JSON."""
        return canonical(
            {
                "schema": SCHEMA_ID,
                "number": self.number,
                "incident": self.incident,
                "radius": self.radius,
                "sender": {"name": self.sender_name, "address": self.sender_address},
                "deliveries": [asdict(one) for one in self.deliveries],
                "untold": [asdict(one) for one in self.untold],
            }
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, in hex."""
        return hashlib.sha256(self.manifest()).hexdigest()

    @property
    def tenants(self) -> tuple[str, ...]:
        """Tenants that get a letter."""
        return tuple(dict.fromkeys(one.tenant for one in self.deliveries))

    def read(self, delivery: Delivery, suffix: str) -> bytes:
        """A file of a letter, held against its digest.

        Raises:
            LettersError: it is gone, or is another one than was approved.
        """
        path = self.folder / f"{delivery.stem}.{suffix}"
        return _read(path, MOST_STATEMENT, delivery.sha256[suffix])

    def check(self) -> None:
        """Hold every file against its digest; raises LettersError."""
        for one in self.deliveries:
            for suffix in SUFFIXES:
                self.read(one, suffix)


def folder_name(number: int) -> str:
    """The name of the folder of a set."""
    return f"letters-{number:04d}"


def load_set(incident: Incident, entry: Entry) -> LetterSet:
    """The set that an entry names, its manifest held against the entry's digest.

    Raises:
        LettersError: the manifest is gone, or is another one.
    """
    number, digest = entry.body.get("number"), entry.body.get("sha256")
    if type(number) is not int or not isinstance(digest, str):
        raise LettersError(f"entry {entry.sequence} names no letters")
    folder = incident.folder / WORK / folder_name(number)
    path = folder / MANIFEST
    return parse_manifest(_read(path, MOST_MANIFEST, digest), folder)


def parse_manifest(data: bytes, folder: Path) -> LetterSet:
    """The set that a manifest describes; raises LettersError."""
    path = str(folder / MANIFEST)
    try:
        value: Any = parse_canonical(data)
    except LogError as error:
        raise LettersError(error.reason, path=path) from error
    try:
        if value["schema"] != SCHEMA_ID or set(value) != _MEMBERS:
            raise _unfit(path)
        made = LetterSet(
            _fit(value["number"], int, path),
            _fit(value["incident"], str, path),
            _fit(value["radius"], str, path),
            _fit(value["sender"]["name"], str, path),
            _fit(value["sender"]["address"], str, path),
            tuple(_delivery(one, path) for one in value["deliveries"]),
            tuple(Untold(one["tenant"], one["reason"]) for one in value["untold"]),
            folder,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _unfit(path) from error
    if made.manifest() != data:
        raise _unfit(path)
    return made


_MEMBERS: Final = {"schema", "number", "incident", "radius", "sender", "deliveries", "untold"}


def _delivery(value: Any, path: str) -> Delivery:
    names = [one.name for one in fields(Delivery)]
    if (
        not isinstance(value, Mapping)
        or set(value) != set(names)
        or value["channel"] not in ("mail", "webhook")
    ):
        raise _unfit(path)
    for name in names:
        _fit(value[name], int if name == "edition" else dict if name == "sha256" else str, path)
    stem, digests = value["stem"], value["sha256"]
    if set(digests) != set(SUFFIXES) or not all(isinstance(one, str) for one in digests.values()):
        raise _unfit(path)
    if not stem.replace("-", "").isalnum() or not stem.isascii() or len(stem) > 80:
        raise _unfit(path)  # it becomes the name of a file
    return Delivery(**value)


def _fit(value: Any, kind: type, path: str) -> Any:
    if type(value) is not kind:
        raise _unfit(path)
    return value


def _unfit(path: str) -> LettersError:
    return LettersError("is no manifest of letters", path=path)


def _read(path: Path, most: int, sha256: str) -> bytes:
    _, data = read_bounded(path, most, LettersError)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise LettersError("is not what was written down: it was changed", path=str(path))
    return data


def statement_in(data: bytes, path: str) -> dict[str, Any]:
    """The statement that a file of a letter holds; raises LettersError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LettersError("is no JSON", path=path) from error
    if not isinstance(value, dict):
        raise LettersError("is no statement", path=path)
    return value
