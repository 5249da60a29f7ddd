"""The blast radius that the timeline says is so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from immure.response.errors import ConflictError, FormError, RadiusError
from immure.response.incident import WORK, Incident
from immure.response.radius import BlastRadius
from immure.response.radius_json import MOST_BYTES, parse_radius
from immure.response.timeline import Entry, standing


@dataclass(frozen=True, slots=True)
class InForce:
    """A blast radius, and the entry that says it."""

    radius: BlastRadius
    entry: Entry


def radius_in_force(incident: Incident) -> InForce:
    """The one blast radius that stands in the timeline.

    Raises:
        FormError: none was worked out yet.
        ConflictError: two stand that differ, and none corrects the other.
        RadiusError: its file is gone, or is another one.
    """
    entry = standing_radius(incident.entries(), incident.opened.kid)
    digest = str(entry.body["radius"])
    path = incident.folder / WORK / f"radius-{digest}.json"
    radius = parse_radius(_read(path), path=str(path))
    if radius.version != digest:
        raise RadiusError(f"is another radius than entry {entry.sequence} says", path=str(path))
    return InForce(radius, entry)


def has_radius(entries: Iterable[Entry], kid: str) -> bool:
    """Whether any blast radius of a key stands in a timeline."""
    return bool(_radii(entries, kid))


def standing_radius(entries: Iterable[Entry], kid: str) -> Entry:
    """The newest entry that gives the radius of a key; raises FormError and ConflictError as above."""
    found = _radii(entries, kid)
    if not found:
        raise FormError("no blast radius was worked out yet: immure respond blast-radius")
    if len({one.body["radius"] for one in found}) > 1:
        first, last = found[0].sequence, found[-1].sequence
        raise ConflictError(f"entries {first} and {last} give two blast radii: correct the one that is wrong")
    return found[-1]


def _radii(entries: Iterable[Entry], kid: str) -> list[Entry]:
    return [
        one
        for one in standing(entries, "fact")
        if isinstance(one.body.get("radius"), str) and one.body.get("kid", kid) == kid
    ]


def _read(path: Path) -> bytes:
    if not path.name.removeprefix("radius-").removesuffix(".json").isalnum():
        raise RadiusError("the timeline names a radius by what is no digest", path=str(path))
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); work it out again"
        raise RadiusError(reason, path=str(path)) from error
