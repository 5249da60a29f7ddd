"""Writes a set of letters, which people can then read and approve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from immure.response.incident import Incident
from immure.response.notification.errors import LettersError
from immure.response.notification.history import KIND, LETTERS, History, State
from immure.response.notification.letter_set import MANIFEST, Delivery, LetterSet, folder_name, load_set
from immure.response.notification.new_folder import new_folder
from immure.response.notification.planning import Plan
from immure.response.notification.radius_in_force import radius_in_force
from immure.response.notification.rendering import Templates
from immure.response.notification.settings import Settings
from immure.response.timeline import Entry, JsonValue

_MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Prepared:
    """The set of letters that is to be approved and sent, its entry, and whether it is new."""

    letters: LetterSet
    entry: Entry
    new: bool


def prepare_letters(incident: Incident, settings: Settings, templates: Templates, *, actor: str) -> Prepared:
    """Write a set of letters, unless the newest says just what is to be said.

    Args:
        incident: the record, with a blast radius in it.
        settings: who writes, and to whom.
        templates: of the letters.
        actor: who writes them.

    Raises:
        FormError: no blast radius was worked out, two contradict each other, or a template is wrong.
        RadiusError: the radius cannot be read.
        LettersError: what was sent earlier is gone, or was changed; or nothing can be written.
        BusyError: letters are written, or sent, at this moment.
    """
    with incident.alone("notify"):
        force = radius_in_force(incident)
        history = History(incident.entries())
        newest = max(history.sets, default=0)
        last = load_set(incident, history.sets[newest]) if newest else None
        stands = last is not None and newest not in history.withdrawn
        target = incident.work / folder_name(newest + 1)
        try:
            with new_folder(target) as folder:
                made = Plan(incident, settings, templates, force, history, folder).made(newest + 1)
                if last is not None and stands and _says_the_same(made, last, history):
                    return Prepared(last, history.sets[newest], new=False)
                folder.write(MANIFEST, made.manifest())
                folder.appear()
        except OSError as error:
            raise LettersError(error.strerror or str(error), path=str(target)) from error
        entry = incident.add(KIND, _body(made), actor=actor)
        return Prepared(made, entry, new=True)


def _says_the_same(made: LetterSet, last: LetterSet, history: History) -> bool:
    """Whether what is due is just what the newest set has and was not sent yet."""
    sent = {one.id for one in history if one.state is State.SENT}
    due, before = _ids(made.deliveries), _ids(last.deliveries)
    same_frame = all(
        getattr(made, name) == getattr(last, name)
        for name in ("radius", "sender_name", "sender_address", "untold")
    )
    return due <= before and before - sent <= due and same_frame


def _ids(deliveries: Iterable[Delivery]) -> set[str]:
    return {one.id for one in deliveries}


def _body(letters: LetterSet) -> dict[str, JsonValue]:
    corrections = sum(bool(one.answers) for one in letters.deliveries)
    untold = [one.tenant for one in letters.untold]
    says = f"letters {letters.number}: {len(letters.deliveries)} to {len(letters.tenants)} tenants"
    return {
        "notice": LETTERS,
        "number": letters.number,
        "file": f"work/{folder_name(letters.number)}/{MANIFEST}",
        "sha256": letters.digest,
        "radius": letters.radius,
        "deliveries": len(letters.deliveries),
        "corrections": corrections,
        "untold": len(untold),
        "untold_tenants": [tenant[:200] for tenant in untold[:_MOST_NAMED]],
        "says": says + (f", {corrections} of them corrections" if corrections else ""),
    }
