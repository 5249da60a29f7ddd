"""One replay: the acts in their order, with some controls on and the others off.

outcome = play(stage, frozenset({"gate"}))
"""

from __future__ import annotations

import shutil

from immure.replay.acts import debugging, losing, mailing, reporting, responding, taking
from immure.replay.issuers import CUSTODIES
from immure.replay.record import Narrator, Outcome, Tale
from immure.replay.responding import Responder
from immure.replay.stage import Stage
from immure.replay.world import World


def play(stage: Stage, controls: frozenset[str], narrator: Narrator = lambda _: None) -> Outcome:
    """Act it out.

    Args:
        stage: see :class:`Stage`.
        controls: those that are on.
        narrator: hears of each moment.

    Raises:
        ReplayError: a part does not do what it is there for; nothing can be concluded.
    """
    tale = Tale(stage.scenario, controls - stage.lacking, narrator)
    scene = stage.scene(custody=tale.has("custody"), rotation=tale.has("rotation"))
    tale.custody = scene.issuer.custody
    world = World(stage, scene, tale, stage.room("world"), stage.room("debugging"))
    with world.ended:
        if not stage.options.keep:
            for room in (world.production, world.debugging):
                world.ended.callback(shutil.rmtree, room, ignore_errors=True)
        if tale.has("response"):
            world.responder = Responder(stage.room("response"))
            world.responder.prepare()
        losing.act(world)
        if not tale.has("rotation"):  # else the keys that it trusts are still to change
            mailing.begin(world)
        debugging.act(world)
        taking.act(world)
        mailing.act(world)
        responding.act(world)
        reporting.act(world)
    tale.parts += [*_parts(world)]
    return tale.outcome()


def _parts(world: World) -> list[str]:
    mail = world.mail
    parts = [
        "issuers, scanner, redactor, gate, validator, ledger and logs: Immure's own, as shipped",
    ]
    if world.stage.debugging is not None:
        parts.append("rooms: each with a network of its own (network namespaces), and no way out of it")
    parts.append(f"custody: {CUSTODIES[world.scene.issuer.custody]}")
    if world.reconciliation is not None:
        parts.append(f"reconciliation: {world.reconciliation.words}")
    if world.tale.has("access"):
        parts.append("door: Immure's own; security keys: software STANDS IN for hardware")
    if world.scene.how:
        parts.append(f"dump: {world.scene.how}")
    if mail is not None:
        parts.append(f"mail: {mail.words}{'' if mail.is_real else ' (STANDS IN for a real mail server)'}")
    return parts
