"""Sends a set of letters that two people have approved, each letter once.

What is guaranteed, whenever this is killed:

- a letter that the timeline shows as ``sent`` is never sent again;
- none is skipped: a run ends with each of them sent, or tells which are not;
- before a letter leaves, the timeline says so. If there is no outcome behind that, nobody knows whether the
  server has it; the next run sends the same bytes with the same Message-ID (or webhook-id). A server that
  drops what it has seen delivers it once; one that does not may deliver it twice. No sender can do better.
"""

from __future__ import annotations

import asyncio

from immure import clock
from immure.response.errors import ConflictError
from immure.response.incident import Incident
from immure.response.notification.delivering import Progress, Run, Sleep
from immure.response.notification.errors import ApprovalError
from immure.response.notification.history import State
from immure.response.notification.letter_set import LetterSet
from immure.response.notification.radius_in_force import standing_radius
from immure.response.notification.settings import Settings
from immure.response.notification.status import APPROVALS, Sent, approvers, newest_letters, standing_of


def send_letters(
    incident: Incident,
    settings: Settings,
    *,
    actor: str,
    again: bool = False,
    clock: clock.Clock = clock.now,
    sleep: Sleep = asyncio.sleep,
    told: Progress | None = None,
) -> Sent:
    """Send what of the newest letters was not sent yet.

    Args:
        incident: the record.
        settings: servers, and secrets of webhooks.
        actor: who sends them.
        again: also try those that were refused for good.
        clock: tells the time.
        sleep: waits between attempts.
        told: is told how many deliveries are through, of how many.

    Raises:
        ApprovalError: not enough people have approved these letters.
        FormError: there are no letters, or they are not of the radius that stands.
        LettersError: a file of a letter is not what was approved.
        SettingsError: there is no mail server in the settings.
        BusyError: somebody else sends at this moment.
    """
    with incident.alone("notify"):
        letters = newest_letters(incident)
        _check(incident, letters)
        letters.check()
        left_alone = {State.SENT} if again else {State.SENT, State.REFUSED}
        due = [one for one in standing_of(incident, letters).deliveries if one.state not in left_alone]
        run = Run(incident, settings, letters, actor, clock, sleep, told)
        run.prepare(due)
        asyncio.run(run.all(due))
        return standing_of(incident, letters)


def _check(incident: Incident, letters: LetterSet) -> None:
    stands = standing_radius(incident.entries(), incident.opened.kid)
    if stands.body["radius"] != letters.radius:
        raise ConflictError(
            f"letters {letters.number} are of another blast radius than entry {stands.sequence} gives: "
            "write them anew (immure respond letters)"
        )
    who = approvers(incident, letters)
    if letters.deliveries and len(who) < APPROVALS:
        raise ApprovalError(
            f"letters {letters.number} need the approval of {APPROVALS} people and have that of {len(who)}"
            + (f" ({', '.join(who)})" if who else "")
            + f": immure respond approve, {letters.digest}",
            rule="two-approvals",
        )
