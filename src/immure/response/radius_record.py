"""A radius that was worked out, in the incident: its file, and the entry that names it.

A radius that says the same as the one that stands is not written twice. One that says something else corrects
it: whatever was sent out on the strength of the old one is then known to need a correction.

The entry has the key's kid and, where a registry knows it, its thumbprint: an incident that was opened on one
of them finds the radius of the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from immure.files import write_whole
from immure.response.errors import IncidentError, RadiusError
from immure.response.incident import WORK, Incident
from immure.response.radius import BlastRadius
from immure.response.radius_json import MOST_BYTES
from immure.response.report.formats import to_text
from immure.response.timeline import Confidence, Entry, JsonValue, standing

_SOURCE = "immure respond blast-radius"


def keep_radius(incident: Incident, radius: BlastRadius, *, actor: str) -> Entry:
    """Write a radius into the incident. The file is there before the entry is.

    Returns:
        The entry that stands for it: a new one, or the one that was there.

    Raises:
        IncidentError: it cannot be written.
        RadiusError: it is too long.
    """
    name = f"radius-{radius.version}.json"
    data = to_text(radius).encode("ascii")
    if len(data) > MOST_BYTES:
        raise RadiusError(f"a radius of {len(data):,} bytes, which nobody reads: narrow the time")
    try:
        incident.work.mkdir(exist_ok=True)
        write_whole(incident.work / name, data, mode=0o600)
    except OSError as error:
        raise IncidentError(error.strerror or str(error), path=str(incident.work / name)) from error
    names = [radius.kid, radius.thumbprint] if radius.thumbprint else [radius.kid]
    standing_before = radii_of(incident.entries(), *names)
    before = standing_before[-1] if standing_before else None
    body: dict[str, JsonValue] = {
        "radius": radius.version,
        "kid": radius.kid,
        "file": f"{WORK}/{name}",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    if radius.thumbprint:
        body["thumbprint"] = radius.thumbprint
    if before is not None and before.body.get("radius") == radius.version and _has(before, *names):
        return before
    sure = Confidence.LIKELY if radius.at_least else Confidence.CONFIRMED
    if before is None:
        return incident.add("fact", body, actor=actor, source=_SOURCE, confidence=sure)
    return incident.add(
        "correction", body, actor=actor, source=_SOURCE, confidence=sure, corrects=before.sequence
    )


def radii_of(entries: Iterable[Entry], *names: str) -> list[Entry]:
    """The entries that stand and give the blast radius of a key, the oldest first.

    Args:
        entries: a whole timeline.
        names: what the key is called: kids, or its thumbprint. An entry that names no key is of every one.
    """
    found = all_radii(entries)
    return [one for one in found if "kid" not in one.body or any(_is(one, name) for name in names)]


def all_radii(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that stand and give a blast radius, of whichever key."""
    return [one for one in standing(entries, "fact") if isinstance(one.body.get("radius"), str)]


def _is(entry: Entry, name: str) -> bool:
    return name in (entry.body.get("kid"), entry.body.get("thumbprint"))


def _has(entry: Entry, *names: str) -> bool:
    """Whether an entry has all that is to be said of the key."""
    return "kid" not in entry.body or all(_is(entry, name) for name in names)
