"""Whose sessions a key concerns: of those who are signed in, and of those whom forged tokens named."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from immure.response.containment.action import Scene
from immure.response.containment.errors import ContainmentError

#: Subjects that events are sent about; more than that are in the blast radius.
MOST: Final = 1_000_000


def subjects_of(scene: Scene) -> tuple[list[str], int]:
    """Subjects, each once, in order; and how many are left out because there are too many.

    Raises:
        StateError, RadiusError: the state of the signing service, or a blast radius, cannot be read.
    """
    found: set[str] = set()
    if scene.settings.signing is not None and scene.signing_name is not None:
        from immure.signing.state_opening import open_state

        state = open_state(scene.settings.signing.state)
        try:
            found.update(state.subjects(scene.signing_name))
        finally:
            state.close()
    for path in sorted(scene.work.glob("radius-*.json")):
        found.update(_named(path, scene))
    return sorted(found)[:MOST], max(0, len(found) - MOST)


def _named(path: Path, scene: Scene) -> set[str]:
    """Those whom a blast radius of this key names."""
    import json

    from immure.response.radius import BlastRadius

    try:
        radius = BlastRadius.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ContainmentError("is no blast radius that can be read", path=str(path)) from error
    if (radius.kid, radius.issuer) != (scene.kid, scene.issuer):
        return set()
    return {subject for tenant in radius.tenants for subject in tenant.subjects}
