"""A radius that was worked out, in the incident: its file, and the entry that names it.

A radius that says the same as the one that stands is not written twice. One that says something else corrects
it: whatever was sent out on the strength of the old one is then known to need a correction.
"""

from __future__ import annotations

import hashlib

from immure.files import write_whole
from immure.response.errors import IncidentError, RadiusError
from immure.response.incident import WORK, Incident
from immure.response.radius import BlastRadius
from immure.response.radius_json import MOST_BYTES
from immure.response.report.formats import to_text
from immure.response.timeline import Confidence, Entry, standing

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
    before = _before(incident, radius.kid)
    if before is not None and before.body.get("radius") == radius.version:
        return before
    body = {
        "radius": radius.version,
        "kid": radius.kid,
        "file": f"{WORK}/{name}",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    sure = Confidence.LIKELY if radius.at_least else Confidence.CONFIRMED
    if before is None:
        return incident.add("fact", body, actor=actor, source=_SOURCE, confidence=sure)
    return incident.add(
        "correction", body, actor=actor, source=_SOURCE, confidence=sure, corrects=before.sequence
    )


def _before(incident: Incident, kid: str) -> Entry | None:
    """The entry of the radius of a key that stands."""
    found = [one for one in standing(incident.entries(), "fact") if isinstance(one.body.get("radius"), str)]
    mine = [one for one in found if one.body.get("kid", kid) == kid]
    return mine[-1] if mine else None
