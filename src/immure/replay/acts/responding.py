"""The response, once somebody knows: contained, proved, everybody told; and the attacker tries again."""

from __future__ import annotations

import time
from typing import Final

from immure.replay.errors import ReplayError
from immure.replay.issuers import MAIL
from immure.replay.mail import MailRefusedError
from immure.replay.mail.system import STRANGER
from immure.replay.record import Notice, Response
from immure.replay.responding import Answer, Case
from immure.replay.world import World
from immure.scanning.report.words import count_words

#: How the response hears of it where nobody has noticed anything.
_STRANGER: Final = "a stranger writes that mail was read which nobody had given away"


def act(world: World) -> None:
    """See the module. There is nothing to answer where no mail was read."""
    tale = world.tale
    if world.responder is None or not tale.reading.mailboxes:
        return
    link, opened = world.link("response"), tale.now
    first = tale.notices[0] if tale.notices else None
    tale.say(link, "issuer", f"an incident is opened: {first.words if first else _STRANGER}")
    world.stage.spend(world.scene)  # its key is burnt from here on, for every world
    answer = world.responder.answer(_case(world, first))
    if answer.failed:
        raise ReplayError(f"the containment has failed: {'; '.join(answer.failed)}")
    _say(world, answer)
    again = _again(world)
    tale.response = Response(
        told_by=first.control if first else "report",
        refused_after=answer.refused_after,
        organizations_told=answer.told,
        letters=answer.letters,
        at_least=answer.radius.at_least,
        mailboxes_read_again=again,
    )
    if again:
        raise ReplayError(f"{again} mailboxes were read again after the key was seen to be refused")
    reading = tale.reading
    words = f"the key is refused {answer.refused_after:.1f} s after the incident was opened; all are told"
    after = 0.0 if reading.first is None else opened - reading.first
    tale.notice(Notice("response", after, reading.mailboxes, words))


def _case(world: World, first: Notice | None) -> Case:
    tale, scene, key, thief = world.tale, world.scene, world.key, world.thief
    if key is None or thief is None or world.doorkeeper is None:
        raise ReplayError("the attacker has not got so far")
    one = tale.scenario.organizations[0]
    forged = thief.forge(key, scene.victim.url, MAIL, one.mailbox, one.tenant, copied=False)
    rule = world.rule
    return Case(
        kind="forged-token" if first else "report",
        summary=(first.words if first else _STRANGER)[:200],
        burnt=scene.issuer,
        kid=scene.lost_kid,
        forged=forged,
        good=lambda: scene.victim.token_for(one, world.stage.directory),
        doorkeeper=world.doorkeeper,
        organizations=tale.scenario.organizations,
        since=int(time.time() - tale.now) - 1,
        accepted=world.doorkeeper.log if tale.has("ledger") else None,
        ledger_of=scene.victim if tale.has("ledger") else None,
        opened=world.mail.events if world.mail is not None and tale.has("mail-log") else None,
        thief=STRANGER if rule is not None and rule.strange else None,
    )


def _say(world: World, answer: Answer) -> None:
    link, say = world.link("response"), world.tale.say
    steps = count_words(answer.steps, "step")
    say(link, "issuer", f"contained in {steps}: stopped, taken out of the key set, denied, replaced")
    say(link, "mail", f"the last relying party is seen to refuse the key, {answer.refused_after:.1f} s later")
    known = sum(len(one.mailboxes) for one in answer.radius.tenants)
    what = f"at least {known} mailboxes" if answer.radius.at_least else f"{known} mailboxes"
    if not known:
        what = "what was read is not known: no log says it, so it is not said to be nothing"
    say(link, "issuer", f"blast radius: {what}")
    say(link, "customer", f"{answer.letters} letters, approved by two, reach {answer.told} organizations")
    world.tale.proofs.append(f"what was done, in {answer.entries} entries of a log that verifies")


def _again(world: World) -> int:
    """How many mailboxes the attacker can read now, with tokens of the same key."""
    read = 0
    for one in world.tale.scenario.organizations:
        if world.mail is None or world.key is None or world.thief is None:
            break
        token = world.thief.forge(
            world.key, world.scene.victim.url, MAIL, one.mailbox, one.tenant, copied=False
        )
        try:
            world.mail.read(one.mailbox, token, STRANGER)
        except MailRefusedError:
            continue
        read += 1
    world.tale.say(world.link("response"), "attacker", f"he tries again, and reads {read or 'no'} mailboxes")
    return read
