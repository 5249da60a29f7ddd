"""Following a playbook: what the program can do is done, and people are told what is theirs.

    player = Player(playbook, incident, settings, actor="ann")
    player.say("ask-who", outcome="yes")        # a person says that a step is done
    turn = player.go_on()                        # does what can be done now, and says what waits

Where it stands is in the timeline, so that any number of people go on with it from anywhere.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from immure import clock
from immure.errors import ImmureError
from immure.response.containment.action import Scene
from immure.response.containment.running import ContainmentRun
from immure.response.containment.settings import Containment
from immure.response.errors import RoleError
from immure.response.incident import Incident
from immure.response.playbooks.errors import PlaybookError
from immure.response.playbooks.playbook import Playbook, Step
from immure.response.proof import Prover, seen_before, write_down
from immure.response.steps import Steps
from immure.response.timeline import JsonValue

#: What stands for something in a command that people are told.
_PLACE: Final = re.compile(r"\{(incident|config|kid|issuer)\}")
Standing = Literal["done", "waits for you", "waits for a step", "failed", "passed over", "open"]


@dataclass(frozen=True, slots=True)
class Line:
    """Where a step stands.

    Attributes:
        step: which.
        standing: see :data:`Standing`.
        words: what came of it, what is to be done, or what it waits for.
    """

    step: Step
    standing: Standing
    words: str = ""


Told = Callable[[Line], None]


def _nobody(_: Line) -> None:
    """Tells nobody."""


class Player:
    """See the module.

    Args:
        playbook: that is followed.
        incident: opened for writing, but for :meth:`lines`.
        settings: of containment; None if no step needs them.
        actor: who follows it.
        config: path of the settings, for commands that people are told.
        time: where the time is from.
        told: is told of each step that the program has ended.

    Raises:
        PlaybookError: it is for other findings.
    """

    def __init__(
        self,
        playbook: Playbook,
        incident: Incident,
        settings: Containment | None,
        *,
        actor: str,
        config: str = "",
        time: clock.Clock = clock.now,
        told: Told = _nobody,
    ) -> None:
        kind = incident.opened.kind
        if kind not in playbook.findings:
            words = f"the playbook {playbook.name} is for {', '.join(playbook.findings)}"
            raise PlaybookError(f"{words}; the incident was opened on {kind}")
        self._playbook, self._incident, self._settings = playbook, incident, settings
        self._actor, self._config, self._time, self._told = actor, config, time, told
        self._steps = Steps(incident, actor)

    # --- where it stands ---

    def lines(self) -> list[Line]:
        """All steps."""
        return [self._line(one) for one in self._playbook.steps]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return all(one.standing in ("done", "passed over") for one in self.lines())

    def _line(self, step: Step) -> Line:
        if self._is_passed_over(step):
            return Line(step, "passed over", "another outcome was found")
        state = self._steps.state(self._name, step.id)
        if state == "done":
            return Line(step, "done", self._outcome(step.id) or "")
        missing = [name for name in (*step.needs, *step.when) if not self._is_through(name)]
        if missing:
            return Line(step, "waits for a step", ", ".join(dict.fromkeys(missing)))
        if step.do == "ask":
            return Line(step, "waits for you", self._words(step))
        if state == "failed":
            entry = self._steps.last(self._name, step.id)
            return Line(step, "failed", "" if entry is None else str(entry.body.get("detail") or ""))
        return Line(step, "open")

    @property
    def _name(self) -> str:
        return f"play.{self._playbook.name}"

    def _is_through(self, name: str) -> bool:
        return self._steps.state(self._name, name) == "done" or self._is_passed_over(
            self._playbook.step(name)
        )

    def _is_passed_over(self, step: Step) -> bool:
        """A condition turned out otherwise, or hangs on a step that is passed over itself."""
        for name, wanted in step.when.items():
            if self._is_passed_over(self._playbook.step(name)):
                return True
            if self._steps.state(self._name, name) == "done" and self._outcome(name) != wanted:
                return True
        return False

    def _outcome(self, name: str) -> str | None:
        entry = self._steps.last(self._name, name)
        detail = None if entry is None else entry.body.get("detail")
        found = detail.get("outcome") if isinstance(detail, dict) else None
        return found if isinstance(found, str) else None

    def _words(self, step: Step) -> str:
        if not step.command:
            return step.text
        values = {
            "incident": str(self._incident.folder),
            "config": self._config or "contain.toml",
            "kid": self._incident.opened.kid,
            "issuer": self._incident.opened.issuer,
        }
        # a kid is what a token says, and whoever made it hopes that this line is pasted into a shell
        command = _PLACE.sub(lambda found: shlex.quote(values[found[1]]), step.command)
        return f"{step.text}\n$ {command}"

    # --- going on ---

    def say(self, name: str, *, outcome: str = "", note: str = "") -> None:
        """A person says that a step is done.

        Raises:
            PlaybookError: there is no such step for people, it waits for another one, or the outcome is none.
            RoleError: the step is for another role.
            ResponseError: it cannot be written down.
        """
        step = self._playbook.step(name)
        if step.do != "ask":
            raise PlaybookError(f"{name} is done by the program")
        standing = self._line(step)
        if standing.standing in ("waits for a step", "passed over"):
            raise PlaybookError(f"{name}: {standing.standing} {standing.words}".rstrip())
        if bool(step.outcomes) != bool(outcome) or (outcome and outcome not in step.outcomes):
            words = f"one of {', '.join(step.outcomes)}" if step.outcomes else "none"
            raise PlaybookError(f"{name}: the outcome is {words}")
        if step.role and self._actor not in self._incident.roles().get(step.role, frozenset()):
            raise RoleError(f"{name} is for a person with the role {step.role}, which {self._actor} has not")
        detail: dict[str, JsonValue] = {}
        detail |= {"outcome": outcome} if outcome else {}
        detail |= {"note": note[:1000]} if note else {}
        self._steps.done(self._name, step.id, detail)

    def go_on(self) -> list[Line]:
        """Do what the program can do now, and return where all steps stand.

        Raises:
            ResponseError: the timeline cannot be written, or another process follows the same playbook.
        """
        with self._incident.alone("play"):
            for step in self._playbook.steps:
                if step.do != "ask" and self._line(step).standing in ("open", "failed"):
                    self._do(step)
                    self._told(self._line(step))
        return self.lines()

    def _do(self, step: Step) -> None:
        self._steps.begun(self._name, step.id)
        try:
            problem = self._contain(step) if step.do == "contain" else self._prove(step)
        except ImmureError as error:
            problem = str(error)
        if problem:
            self._steps.failed(self._name, step.id, problem[:1000])
        else:
            self._steps.done(self._name, step.id)

    def _contain(self, step: Step) -> str:
        run = ContainmentRun(
            self._incident,
            self._needed(),
            actor=self._actor,
            time=self._time,
            only=step.only,
            again=step.only if step.again else (),
        )
        failed = run.carry_out().failed
        return "; ".join(f"{one.step} {one.target}: {one.words}" for one in failed)

    def _prove(self, step: Step) -> str:
        scene = Scene.of(self._needed(), self._incident, actor=self._actor, time=self._time)
        with self._incident.alone("prove"):
            proof = Prover(scene, before=seen_before(self._incident)).run(seconds=step.seconds)
            write_down(proof, self._incident, scene)
        if proof.holds:
            return ""
        if not proof.seen:
            return "the settings name no relying party"
        words = "; ".join(f"{one.party}: {one.verdict}: {one.why}" for one in proof.holding)
        return words or proof.why

    def _needed(self) -> Containment:
        if self._settings is None:
            raise PlaybookError("this step needs the settings of a containment (--config)")
        return self._settings
