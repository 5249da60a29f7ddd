"""Proof that relying parties refuse a burnt key: each is asked, until it does or patience is over.

    proof = Prover(scene).run(seconds=30)
    proof.holding                          # those that were not seen to refuse

A relying party is asked four things: a good token of the key that signs now, which it must let in; junk; the
witness, a genuine token of the burnt key; and the good token again. What it says of the witness counts only
between two answers that show that it works. Where it keeps a log of what it accepts, that is read, too: a
token of the key that was accepted after it refused the witness outweighs the refusal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from immure.errors import ImmureError
from immure.response.containment.action import Scene
from immure.response.containment.settings import Party
from immure.response.containment.witness import forget
from immure.response.incident import Incident
from immure.response.proof_asking import Seen, ask
from immure.response.proof_logs import RowsOfKey, accepted_since, reconcile_again
from immure.response.steps import Steps
from immure.response.timeline import JsonValue

#: Name of the step in the timeline.
STEP: Final = "prove"
#: Seconds between two looks at those that do not refuse yet: the first one, and the longest.
_FIRST, _LONGEST = 0.1, 2.0
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen of all.

    Attributes:
        issuer, kid: of the key.
        seen: by relying party, in the order of the settings.
        forged: tokens that were accepted after the containment and never issued; None if nobody looked.
        why: what the reconciliation says, or why there is none.
        reconciles: whether the settings ask for it: then a proof without it does not hold.
    """

    issuer: str
    kid: str
    seen: tuple[Seen, ...]
    forged: int | None = None
    why: str = ""
    reconciles: bool = False

    @property
    def holding(self) -> tuple[Seen, ...]:
        """Those that were not seen to refuse."""
        return tuple(one for one in self.seen if one.verdict != "refuses")

    @property
    def accepting(self) -> tuple[Seen, ...]:
        """Those that were seen to accept."""
        return tuple(one for one in self.seen if one.verdict == "accepts")

    @property
    def holds(self) -> bool:
        """Whether all were seen to refuse, and nothing contradicts it: neither a forged token, nor a
        comparison with the ledger that was to be made and failed."""
        looked = self.forged is not None or not self.reconciles
        return bool(self.seen) and not self.holding and looked and not self.forged

    @property
    def refused_at(self) -> float | None:
        """When the last one was first seen to refuse; None if one was not, or there is none."""
        return None if self.holding or not self.seen else max(one.at for one in self.seen)

    def plain(self) -> dict[str, JsonValue]:
        """As the timeline and JSON have it."""
        refused = self.refused_at
        made: dict[str, JsonValue] = {
            "issuer": self.issuer,
            "kid": self.kid,
            "refused_everywhere_at": None if refused is None else int(refused),
            "relying_parties": [one.plain() for one in self.seen],
            "holding": [one.party for one in self.holding],
        }
        if self.why:
            made["reconciliation"] = {"forged": self.forged, "words": self.why}
        return made


Told = Callable[[Seen], None]


def _nobody(_: Seen) -> None:
    """Tells nobody."""


class Prover:
    """See the module.

    Args:
        scene: whose key it is, and who is asked.
        told: is told whenever the verdict on a relying party changes.
        before: relying parties that were seen to refuse before, and when, in seconds since 1970: that counts
            where the token of the key is not there any more (:func:`seen_before`).
        sleep: for tests.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        told: Told = _nobody,
        before: Mapping[str, int] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._scene, self._told, self._sleep = scene, told, sleep
        self._before = dict(before or {})

    def run(self, *, seconds: float = 30.0) -> Proof:
        """Ask until all refuse, or so many seconds are over. Raises nothing for what relying parties do."""
        end, pause = time.monotonic() + seconds, _FIRST
        seen: dict[str, Seen] = {}
        waiting = list(self._scene.settings.parties.values())
        while waiting:
            for one in self._look(waiting):
                before = seen.get(one.party)
                seen[one.party] = replace(one, asked=one.asked + (before.asked if before else 0))
                if before is None or before.verdict != one.verdict:
                    self._told(seen[one.party])
            waiting = [one for one in waiting if not seen[one.name].is_over]
            left = end - time.monotonic()
            if not waiting or left <= 0:
                break
            self._sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST)
        scene = self._scene
        ordered = self._with_logs(seen)
        forged, why = reconcile_again(scene, scene.work / "reconcile", since=scene.since())
        reconciles = scene.settings.reconcile is not None
        return Proof(scene.issuer, scene.kid, ordered, forged, why, reconciles)

    def _look(self, parties: Sequence[Party]) -> list[Seen]:
        if len(parties) == 1:
            return [self._ask(parties[0])]
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="immure-prove") as pool:
            return list(pool.map(self._ask, parties))

    def _ask(self, party: Party) -> Seen:
        seen, before = ask(self._scene, party), self._before.get(party.name)
        if not seen.hopeless or seen.witness or before is None:
            return seen
        words = "it was seen to refuse a token of the key, which is deleted since"
        return Seen(party.name, "refuses", words, float(before))

    def _with_logs(self, seen: Mapping[str, Seen]) -> tuple[Seen, ...]:
        """What was seen of all, and what their logs say of it."""
        parties = self._scene.settings.parties
        found = {name: seen[name] for name in parties}
        if all(party.accepted is None for party in parties.values()):
            return tuple(found.values())
        try:
            rows = RowsOfKey.of(self._scene)
        except ImmureError as error:
            words = f"which rows of its log are of the key cannot be told: {error}"[:500]
            for name, party in parties.items():
                if party.accepted is not None:
                    found[name] = replace(found[name], verdict="cannot tell", why=words)
            return tuple(found.values())
        return tuple(_with_log(found[name], party, rows) for name, party in parties.items())


def _with_log(seen: Seen, party: Party, rows: RowsOfKey) -> Seen:
    if party.accepted is None:
        return seen
    try:
        logged = accepted_since(party.accepted, rows, since=seen.at, party=party.logged_as)
    except ImmureError as error:
        return replace(seen, verdict="cannot tell", why=f"its log cannot be read: {error}"[:500])
    if seen.verdict == "refuses" and logged.count:
        words = f"its log has {logged.count} tokens of the key that were accepted since it refused one"
        return replace(seen, verdict="accepts", why=words, logged=logged)
    return replace(seen, logged=logged)


def seen_before(incident: Incident) -> dict[str, int]:
    """Relying parties that the timeline says were seen to refuse, and when, in seconds since 1970."""
    found = {}
    for step, party, entry in Steps(incident, "").all():
        detail = entry.body.get("detail")
        if step == STEP and entry.body.get("state") == "done" and isinstance(detail, Mapping):
            at = detail.get("at")
            if isinstance(at, int):
                found[party] = at
    return found


def write_down(proof: Proof, incident: Incident, scene: Scene) -> None:
    """Write a proof into the timeline: the whole as a fact, and for each relying party a step. When all
    refuse, the witnesses are deleted: nobody needs them any more.

    Raises:
        ResponseError: it cannot be written.
    """
    incident.add("fact", {"proof": proof.plain()}, actor=scene.actor, source="immure respond prove")
    steps = Steps(incident, scene.actor)
    for one in proof.seen:
        if one.verdict == "refuses":
            if steps.state(STEP, one.party) != "done":
                steps.done(STEP, one.party, {"at": int(one.at)})
        else:
            steps.failed(STEP, one.party, one.why[:1000])
    if proof.holds:
        for one in proof.seen:
            forget(scene, one.party)
