"""Mail: people read theirs, the attacker reads it too if he can, and somebody may notice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from immure.errors import ImmureError
from immure.replay.errors import ReplayError
from immure.replay.issuers import MAIL
from immure.replay.mail import MailRefusedError, MailSystem, open_mail
from immure.replay.mail.system import STRANGER, USERS, Access
from immure.replay.noticing import CustomersRule, Watchers
from immure.replay.reconciling import reconciliation
from immure.replay.record import Notice, Reading
from immure.replay.relying import Doorkeeper
from immure.replay.scenario import Organization
from immure.replay.world import World
from immure.tokens.acceptance.reader import read_decisions

#: Seconds in which who can notice must have noticed: the ledger's watermark follows the clock by five.
_PATIENCE: Final = 120.0
#: By which rule a token is refused, and whose doing that is.
_RULES: Final = {
    "key-issuer": "key-scope",
    "key-class": "key-scope",
    "key-unknown": "rotation",
    "key-state": "rotation",
    "key-window": "rotation",
}
#: The same where what was stolen is a shared secret: no issuer has published it as a key.
_RULES_OF_SECRETS: Final = dict.fromkeys(("key-unknown", "key-use", "token-alg"), "key-scope")


def act(world: World) -> None:
    """See the module."""
    _open(world)
    mail = _mail(world)
    _people_read(world, mail)
    watchers = _watchers(world, mail)
    watchers.start()
    _attacker_reads(world, mail)
    if not world.tale.reading.mailboxes:
        watchers.wait(0.0)
        _say_why(world)
        return
    silent = watchers.wait(_PATIENCE)
    if watchers.error is not None and silent:
        raise ReplayError(f"{silent[0]} cannot look: {watchers.error}") from watchers.error


def begin(world: World) -> None:
    """Have the doorkeeper start; what it decides by does not change any more, but for the published keys."""
    tale, scene, scenario = world.tale, world.scene, world.tale.scenario
    world.doorkeeper = doorkeeper = Doorkeeper(
        world.stage.room("mail"),
        scene.publisher.path,
        scene.publisher.issuers,
        checks_scope=tale.has("key-scope") or "key-scope" not in scenario.controls,
        tenants=tuple(one.tenant for one in scenario.organizations),
        shared=world.shared,
        deny_list=None if world.responder is None else world.responder.pins,
    )
    world.ended.callback(doorkeeper.stop)
    doorkeeper.start()


def _open(world: World) -> None:
    tale, scene, scenario = world.tale, world.scene, world.tale.scenario
    if world.doorkeeper is None:  # it begins only now, with the keys of now
        begin(world)
    doorkeeper = world.doorkeeper
    if doorkeeper is None:
        raise ReplayError("there is no doorkeeper")
    doorkeeper.wait()
    _say_trust(world)
    mail = open_mail(
        world.stage.mail,
        world.stage.room("post"),
        doorkeeper,
        scenario.organizations,
        issuer=scene.victim.url,
        keeps_log=tale.has("mail-log"),
    )
    world.mail = world.ended.enter_context(mail)


def _say_trust(world: World) -> None:
    """What keys the mail system trusts, and for what: the sixth link of the incident."""
    tale = world.tale
    if "key-scope" not in tale.scenario.controls:
        return
    if tale.has("key-scope"):
        words = "has the keys of the common endpoint, and holds each of them to its own issuer"
    elif world.shared is not None:
        words = "takes the keys of the issuer, and the secret that it shares with a program"
    else:
        words = "has the keys of the common endpoint, and takes any of them for any issuer"
    tale.say(tale.scenario.link_of("key-scope"), "mail", f"the mail system {words}")


def _mail(world: World) -> MailSystem:
    if world.mail is None:
        raise ReplayError("there is no mail system")
    return world.mail


def _people_read(world: World, mail: MailSystem) -> None:
    """A day of normal work: everybody reads their own mail, with a token that was issued to them."""
    tale = world.tale
    for one in tale.scenario.organizations:
        token = world.scene.victim.token_for(one, world.stage.directory)
        if not mail.read(one.mailbox, token, USERS):
            raise ReplayError(f"{one.mailbox} is empty")
    count = len(tale.scenario.organizations)
    tale.say(_link(world), "mail", f"{count} people read their mail; {mail.words}")


def _attacker_reads(world: World, mail: MailSystem) -> None:
    tale, key, thief = world.tale, world.key, world.thief
    if key is None or thief is None:
        raise ReplayError("the attacker has not got so far")
    copied = tale.scenario.jti == "copied"
    name = "a stolen key" if key.genuine else "a key of his own"
    tale.say(
        _link(world), "attacker", f"he forges tokens of {world.scene.victim.url} with {name}, kid {key.kid}"
    )
    for one in tale.scenario.organizations:
        token = thief.forge(key, world.scene.victim.url, MAIL, one.mailbox, one.tenant, copied=copied)
        _try(world, mail, one, token)
    reading = tale.reading
    tale.say(
        _link(world), "attacker",
        f"mail of {reading.mailboxes} of {reading.tries} organizations read, {reading.messages} messages",
    )  # fmt: skip


def _try(world: World, mail: MailSystem, organization: Organization, token: str) -> None:
    tale = world.tale
    before = replace(tale.reading, tries=tale.reading.tries + 1)
    tale.reading = before
    try:
        messages = mail.read(organization.mailbox, token, STRANGER)
    except MailRefusedError:
        return
    tale.reading = replace(
        before,
        mailboxes=before.mailboxes + 1,
        messages=before.messages + len(messages),
        first=tale.now if before.first is None else before.first,
        last=tale.now,
    )


def _watchers(world: World, mail: MailSystem) -> Watchers:
    """Those who look, while the attacker reads."""
    tale = world.tale
    looks: dict[str, Callable[[], str | None]] = {}
    if tale.has("ledger") and world.doorkeeper is not None:
        room = world.stage.room("detection")
        world.reconciliation = reconciliation(world.doorkeeper.log, world.scene.victim, room)
        tale.reconciled_by = world.reconciliation.name
        looks["ledger"] = world.reconciliation.look
    if tale.has("mail-log"):
        known = frozenset((one.mailbox, one.remote) for one in _logged(world, mail))
        world.rule = CustomersRule(mail.accesses, known)
        looks["mail-log"] = world.rule.look

    def told(control: str, words: str) -> None:
        reading: Reading = tale.reading
        after = 0.0 if reading.first is None else max(0.0, tale.now - reading.first)
        tale.notice(Notice(control, after, reading.mailboxes, words))

    return Watchers(looks, told)


def _logged(world: World, mail: MailSystem) -> list[Access]:
    """The log of the day of normal work; it may be written a little later than mail is read."""
    end = time.monotonic() + _PATIENCE
    wanted = {one.mailbox for one in world.tale.scenario.organizations}
    while True:
        rows = mail.accesses()
        if wanted <= {one.mailbox for one in rows}:
            return list(rows)
        if time.monotonic() > end:
            raise ReplayError("the mail-access log lacks accesses that there were")
        time.sleep(0.1)


def _say_why(world: World) -> None:
    """No mail was read: by which rule the doorkeeper refused, and whether that is a control's doing."""
    tale = world.tale
    rules = _refusals(world)
    if not rules:
        raise ReplayError("nothing was read, and the doorkeeper has refused nothing")
    rule = max(sorted(set(rules)), key=rules.count)
    tale.reading = replace(tale.reading, refusal=rule)
    tale.say(_link(world), "mail", f"refused, {rules.count(rule)} times: {rule}")
    control = (_RULES if world.shared is None else _RULES_OF_SECRETS).get(rule)
    if world.key is not None and world.key.genuine and control is not None and tale.has(control):
        tale.break_by(control, f"the stolen key is worth nothing here: {rule}")


def _refusals(world: World) -> list[str]:
    """Codes of refusals, out of the log of acceptances, which has them, too."""
    if world.doorkeeper is None:
        return []
    try:
        rows = list(read_decisions(world.doorkeeper.log, notice=lambda _: None))
    except ImmureError as error:
        raise ReplayError(f"the log of acceptances cannot be read: {error}") from error
    return [row.rule for row in rows if row.verdict == "refused"]


def _link(world: World) -> int:
    scenario = world.tale.scenario
    return next(
        (scenario.link_of(one) for one in ("ledger", "mail-log") if one in scenario.controls),
        len(scenario.links),
    )
