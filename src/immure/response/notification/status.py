"""How the letters of an incident stand: which count, who has approved them, who has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from immure.response.errors import FormError
from immure.response.incident import Incident
from immure.response.notification.history import History, State, Told
from immure.response.notification.letter_set import Delivery, LetterSet, Untold, load_set

#: How many people must have approved.
APPROVALS: Final = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """How a delivery stands: in which state, what was said last, and what was tried of it, if anything."""

    delivery: Delivery
    state: State
    detail: str = ""
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """How a set of letters stands.

    Attributes:
        letters: the set.
        deliveries: each with its state.
        approved_by: who has approved it.
    """

    letters: LetterSet
    deliveries: tuple[Standing, ...]
    approved_by: tuple[str, ...]

    @property
    def untold(self) -> tuple[Untold, ...]:
        """Tenants that cannot be told."""
        return self.letters.untold

    @property
    def complete(self) -> bool:
        """Whether everybody was told who has to be."""
        return not self.untold and all(one.state is State.SENT for one in self.deliveries)


def newest_letters(incident: Incident) -> LetterSet:
    """The set of letters that counts.

    Raises:
        FormError: there is none, or its entry was corrected.
        LettersError: its manifest is gone, or was changed.
    """
    history = History(incident.entries())
    newest = max(history.sets, default=0)
    if not newest:
        raise FormError("no letters were written yet: immure respond letters")
    if newest in history.withdrawn:
        by = history.withdrawn[newest]
        raise FormError(f"letters {newest} were taken back by entry {by}: write them anew")
    return load_set(incident, history.sets[newest])


def approvers(incident: Incident, letters: LetterSet) -> tuple[str, ...]:
    """Who has approved these letters, and is an approver still."""
    return tuple(sorted(incident.approvals(letters.digest) & incident.roles()["approver"]))


def standing_of(incident: Incident, letters: LetterSet) -> Sent:
    """How each delivery of a set stands."""
    history = History(incident.entries())
    found = []
    for one in letters.deliveries:
        told = history.of(one.id)
        state = State.WAITING if told is None else told.state
        found.append(Standing(one, state, "" if told is None else told.detail, told))
    return Sent(letters, tuple(found), approvers(incident, letters))
