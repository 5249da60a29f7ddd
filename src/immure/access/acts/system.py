"""Acts of the door itself that concern no person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immure.access.records import Fact
from immure.access.room import Event, Room, deny
from immure.access.texts import spelled


def metadata(room: Room, event: Event) -> None:
    """A verified blob of the FIDO Metadata Service was imported; never an older one than there is."""
    number, models = event.document.get("number"), event.document.get("models")
    if type(number) is not int or not isinstance(models, Mapping):
        deny("document", "metadata without a number or models")
    if not all(_is_status(one) for one in models.values()):
        deny("document", "metadata with a model that has no roots or statuses")
    before: Mapping[str, Any] = room.fact("metadata") or {}
    if number < before.get("number", 0):
        deny("metadata-old", f"the metadata in force have the number {before['number']}, these {number}")
    names = ("number", "sha256", "next_update", "models")
    body = {name: event.document[name] for name in names if name in event.document}
    room.rows.put(Fact("metadata", "in force", {**body, "imported": spelled(event.at)}))


def _is_status(value: object) -> bool:
    """Whether it is what is kept of a model: whoever holds the log's key may have written anything."""
    lists = [value.get(name) for name in ("roots", "statuses")] if isinstance(value, Mapping) else [None]
    return all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists)


def note(room: Room, event: Event) -> None:
    """Something to be remembered that changes nothing: a refusal, an alarm."""
