"""One replay: the acts in their order, with some controls on and the others off.

outcome = play(stage, frozenset({"gate"}))
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from immure.replay.gatehouse import Gatehouse
from immure.replay.mail import MailSystem
from immure.replay.noticing import CustomersRule
from immure.replay.reconciling import Reconciliation
from immure.replay.record import Tale
from immure.replay.relying import Doorkeeper
from immure.replay.responding import Responder
from immure.replay.stage import Scene, Stage
from immure.replay.thief import StolenKey, Thief
from immure.secret import Secret

Result = TypeVar("Result")


@dataclass
class World:
    """What the acts work on.

    Attributes:
        stage: what is shared with other worlds; ``scene`` is the signing system of this one.
        tale: what has happened so far.
        production, debugging: the two rooms.
        gatehouse: between them, if there is a gate.
        redaction: the record of a redaction, if there was one.
        shared: the secret that the mail system shares with an old program, if there is one.
        thief: the attacker, with the key that he has in the end.
        doorkeeper, mail: the mail system.
        responder: who answers, if that is prepared.
        inside: whether the attacker is in the debugging room.
        reconciliation, rule: those who notice.
    """

    stage: Stage
    scene: Scene
    tale: Tale
    production: Path
    debugging: Path
    gatehouse: Gatehouse | None = None
    redaction: dict[str, Any] | None = None
    shared: Secret[bytes] | None = None
    thief: Thief | None = None
    key: StolenKey | None = None
    doorkeeper: Doorkeeper | None = None
    mail: MailSystem | None = None
    reconciliation: Reconciliation | None = None
    rule: CustomersRule | None = None
    responder: Responder | None = None
    inside: bool = True
    ended: ExitStack = field(default_factory=ExitStack)

    def in_debugging(self, work: Callable[[], Result]) -> Result:
        """Do something where the network of the debugging room is the only one."""
        network = self.stage.debugging
        return work() if network is None else network.run(work)

    def link(self, control: str) -> int:
        """The number of the link of a control; of the first link if the scenario has no such control."""
        scenario = self.tale.scenario
        return scenario.link_of(control) if control in scenario.controls else 1
