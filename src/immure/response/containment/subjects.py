"""Whose sessions a key concerns: of those who are signed in, and of those whom forged tokens named."""

from __future__ import annotations

from typing import Final

from immure.response.containment.action import Scene
from immure.response.containment.errors import ContainmentError
from immure.response.notification.radius_in_force import has_radius, radius_in_force
from immure.response.radius_record import all_radii

#: Subjects that events are sent about; more than that are in the blast radius.
MOST: Final = 1_000_000


def subjects_of(scene: Scene) -> tuple[list[str], int]:
    """Subjects, each once, in order; and how many are left out because there are too many.

    Raises:
        StateError: the state of the signing service cannot be read.
        ResponseError: the blast radius in the timeline cannot be read, two stand that differ, or it cannot be
            told whether it is of this key: nobody is left out in silence.
    """
    found = _signed_in(scene) | _named(scene)
    return sorted(found)[:MOST], max(0, len(found) - MOST)


def _signed_in(scene: Scene) -> set[str]:
    """Those who are signed in at a service of our own."""
    if scene.settings.signing is None or scene.signing_name is None:
        return set()
    from immure.signing.state_opening import open_state

    state = open_state(scene.settings.signing.state)
    try:
        return set(state.subjects(scene.signing_name))
    finally:
        state.close()


def _named(scene: Scene) -> set[str]:
    """Those whom the blast radius that stands in the timeline names."""
    names, entries = (scene.kid, scene.thumbprint), scene.log.entries()
    if not has_radius(entries, scene.log.opened.kid, *names):
        for one in all_radii(entries):
            if "thumbprint" not in one.body:
                raise ContainmentError(
                    f"entry {one.sequence} gives the blast radius of a key {str(one.body['kid'])[:80]!a}, and"
                    " nothing says that it is not this one: work it out again, with --registry"
                )
        return set()
    radius = radius_in_force(scene.log, *names).radius
    if radius.thumbprint and radius.thumbprint != scene.thumbprint:
        raise ContainmentError(
            f"the blast radius is of another key under the name {radius.kid[:80]!a}: work it out again"
        )
    if not radius.thumbprint and radius.issuer not in ("", scene.issuer):
        raise ContainmentError(
            f"the blast radius is of an issuer {radius.issuer[:80]!a}, and the key of {scene.issuer[:80]!a}:"
            " work it out again, with --registry"
        )
    return {subject for tenant in radius.tenants for subject in tenant.subjects}
