"""A containment: its steps in order, each written down before and after, and what they came to.

    run = ContainmentRun(incident, settings, actor="ada")
    for line in run.plan(): ...        # nothing is done
    outcome = run.carry_out()

A run that was broken off, killed even, is followed by one that does what is missing: what is done stays done,
what was begun is done again, which changes nothing the second time. Targets of a step are seen to at the same
time, so that one that hangs does not keep the others waiting; a step that fails does not keep back the next
ones, as each takes something away from whoever has the key. What failed is tried once more at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Final

from immure import clock
from immure.errors import ImmureError
from immure.response.containment.action import Action, Scene
from immure.response.containment.list_steps import Deny, Publish, Push
from immure.response.containment.session_steps import Sessions
from immure.response.containment.settings import Containment
from immure.response.containment.signing_steps import Compromise, KeySets, Rotate, StopSigning
from immure.response.containment.telling_steps import Caches, Deliver, Events
from immure.response.containment.witness import TakeWitness
from immure.response.incident import Incident
from immure.response.steps import Steps
from immure.response.timeline import JsonValue

#: In the order in which they are carried out.
ACTIONS: Final[tuple[type[Action], ...]] = (
    TakeWitness,
    StopSigning,
    Compromise,
    KeySets,
    Deny,
    Publish,
    Push,
    Sessions,
    Events,
    Deliver,
    Rotate,
    Caches,
)
#: Steps that show something, and take nothing from whoever has the key: it is contained without them.
_HELPING: Final = frozenset({TakeWitness.name})
#: What is said when it could not be told before for whom a step is to be done.
_KNOWN: Final = "for whom it is to be done is known now"
_AT_ONCE: Final = 16
#: Seconds to wait for others in the first round: a signing service that does not answer keeps nobody waiting.
_FIRST: Final = 3.0


@dataclass(frozen=True, slots=True)
class Line:
    """One step for one target.

    Attributes:
        step, target: which.
        state: ``done``, ``failed``; in a plan ``planned``, or ``done`` if it was done before.
        words: what came of it, or would be done.
    """

    step: str
    target: str
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a containment came to."""

    lines: tuple[Line, ...]

    @property
    def failed(self) -> tuple[Line, ...]:
        """What must be asked for again."""
        return tuple(one for one in self.lines if one.state != "done" and one.step not in _HELPING)

    @property
    def is_done(self) -> bool:
        """Whether all is done."""
        return not self.failed


Told = Callable[[Line], None]


def _nobody(_: Line) -> None:
    """Tells nobody."""


class ContainmentRun:
    """See the module.

    Args:
        incident: whose key it is; opened for writing, but for a plan.
        settings: who is to be told what.
        actor: who contains it.
        time: where the time is from.
        told: is told of each step that has ended.
        only: names of steps; none means all.
        again: names of steps that are done even if they were done before.

    Raises:
        UnknownKeyOfIncidentError: the registry does not have the key.
        RegistryError: it cannot be read.
    """

    def __init__(
        self,
        incident: Incident,
        settings: Containment,
        *,
        actor: str,
        time: clock.Clock = clock.now,
        told: Told = _nobody,
        only: Sequence[str] = (),
        again: Sequence[str] = (),
    ) -> None:
        self._incident, self._told = incident, told
        self.scene = Scene.of(settings, incident, actor=actor, time=time)
        self._steps = Steps(incident, actor)
        everything = {one.name: one(self.scene) for one in ACTIONS}
        self._everything = everything
        self._actions = [one for name, one in everything.items() if not only or name in only]
        self._again = set(again)
        self._done_now: set[tuple[str, str]] = set()

    def plan(self) -> Iterator[Line]:
        """What would be done; nothing is."""
        for action in self._actions:
            for target in action.targets():
                if self._is_done(action, target):
                    yield Line(action.name, target, "done", "was done")
                    continue
                try:
                    yield Line(action.name, target, "planned", action.plan(target))
                except ImmureError as error:
                    yield Line(action.name, target, "planned", f"cannot be told now: {error}")

    def carry_out(self) -> Outcome:
        """Do what is not done yet.

        Raises:
            ResponseError: the timeline cannot be written, or another process contains the same key.
        """
        with self._incident.alone("contain"):
            lines: dict[tuple[str, str], Line] = {}
            for again in (False, True):
                for action in self._actions:
                    patience = self.scene.settings.patience
                    action.patience = patience if again else min(_FIRST, patience)
                    for line in self._carry_out(action, again=again):
                        lines[line.step, line.target] = line
                        self._told(line)
                if all(line.state == "done" for line in lines.values()):
                    break
            return Outcome(tuple(lines.values()))

    def _carry_out(self, action: Action, *, again: bool) -> Iterator[Line]:
        try:
            targets = list(action.targets())
        except ImmureError as error:
            self._steps.failed(action.name, "", str(error))
            yield Line(action.name, "", "failed", str(error))
            return
        if self._steps.state(action.name, "") == "failed":
            self._steps.done(action.name, "", _KNOWN)
            yield Line(action.name, "", "done", _KNOWN)
        missing = [target for target in targets if not self._is_done(action, target)]
        if not again:
            for target in targets:
                if target not in missing:
                    yield Line(action.name, target, "done", "was done")
        if action.name in _HELPING and again:
            return
        for target in missing:
            self._steps.begun(action.name, target)
        if len(missing) == 1:
            yield self._ended(action, missing[0], _attempt(action, missing[0]))
        elif missing:
            with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="immure-contain") as pool:
                running = {pool.submit(_attempt, action, target): target for target in missing}
                for one in as_completed(running):
                    yield self._ended(action, running[one], one.result())

    def _is_done(self, action: Action, target: str) -> bool:
        if action.name in self._again and (action.name, target) not in self._done_now:
            return False
        return self._steps.state(action.name, target) == "done"

    def _is_through(self, action: Action) -> bool:
        try:
            return all(self._steps.state(action.name, target) == "done" for target in action.targets())
        except ImmureError:
            return False

    def _ended(self, action: Action, target: str, result: JsonValue | ImmureError) -> Line:
        if isinstance(result, ImmureError):
            self._steps.failed(action.name, target, str(result)[:1000])
            return Line(action.name, target, "failed", str(result))
        waits = [name for name in action.needs if not self._is_through(self._everything[name])]
        if waits:
            words = f"must be done again after {waits[0]}"
            self._steps.failed(action.name, target, words)
            return Line(action.name, target, "failed", words)
        self._steps.done(action.name, target, result)
        self._done_now.add((action.name, target))
        return Line(action.name, target, "done", action.words)


def _attempt(action: Action, target: str) -> JsonValue | ImmureError:
    try:
        return action.act(target)
    except ImmureError as error:
        return error
