"""The blast radius that the timeline says is so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from immure.response.errors import ConflictError, FormError, RadiusError
from immure.response.incident import WORK, Incident
from immure.response.radius import BlastRadius
from immure.response.radius_json import MOST_BYTES, parse_radius
from immure.response.radius_record import radii_of
from immure.response.timeline import Entry
from immure.toml_file import read_bounded


@dataclass(frozen=True, slots=True)
class InForce:
    """A blast radius, and the entry that says it."""

    radius: BlastRadius
    entry: Entry


def radius_in_force(incident: Incident, *others: str) -> InForce:
    """The one blast radius that stands in the timeline.

    Args:
        incident: its record; the radius is that of the key which it was opened on.
        others: what the key is called besides: its kid in a registry, its thumbprint.

    Raises:
        FormError: none was worked out yet.
        ConflictError: two stand that differ, and none corrects the other.
        RadiusError: its file is gone, or is another one.
    """
    entry = standing_radius(incident.entries(), incident.opened.kid, *others)
    digest = str(entry.body["radius"])
    path = incident.folder / WORK / f"radius-{digest}.json"
    radius = parse_radius(_read(path), path=str(path))
    if radius.version != digest:
        raise RadiusError(f"is another radius than entry {entry.sequence} says", path=str(path))
    return InForce(radius, entry)


def has_radius(entries: Iterable[Entry], *names: str) -> bool:
    """Whether any blast radius of a key stands in a timeline; ``names`` as of :func:`standing_radius`."""
    return bool(radii_of(entries, *names))


def standing_radius(entries: Iterable[Entry], *names: str) -> Entry:
    """The newest entry that gives the radius of a key.

    Args:
        entries: a whole timeline.
        names: what the key is called: kids, or its thumbprint.

    Raises:
        FormError, ConflictError: as :func:`radius_in_force`.
    """
    found = radii_of(entries, *names)
    if not found:
        raise FormError("no blast radius was worked out yet: immure respond blast-radius")
    if len({one.body["radius"] for one in found}) > 1:
        first, last = found[0].sequence, found[-1].sequence
        raise ConflictError(f"entries {first} and {last} give two blast radii: correct the one that is wrong")
    return found[-1]


def _read(path: Path) -> bytes:
    if not path.name.removeprefix("radius-").removesuffix(".json").isalnum():
        raise RadiusError("the timeline names a radius by what is no digest", path=str(path))
    try:
        return read_bounded(path, MOST_BYTES, RadiusError)[1]
    except RadiusError as error:
        raise RadiusError(f"{error.reason}; work it out again", path=error.path) from error
