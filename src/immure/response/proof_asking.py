"""Asking one relying party what it does with a token of a burnt key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from immure.errors import ImmureError
from immure.probe.answer import Answer, Outcome
from immure.probe.channels.channel import Channel
from immure.probe.target import open_channel, parse_target
from immure.response.containment.action import Scene
from immure.response.containment.settings import Party
from immure.response.containment.witness import burnt_token, control_token, digest, expires
from immure.response.proof_logs import Logged
from immure.response.timeline import JsonValue

Verdict = Literal["refuses", "accepts", "cannot tell"]
_JUNK: Final = "immure-proof-junk"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a relying party.

    Attributes:
        party: its name.
        verdict: see :data:`Verdict`.
        why: in words.
        at: when, seconds since 1970.
        witness: digest of the token of the burnt key, "" if there was none.
        asked: how often it was asked.
        logged: what its log says; None if it has none.
        hopeless: asking again would tell no more: there is nothing to ask with, or no way.
    """

    party: str
    verdict: Verdict
    why: str
    at: float
    witness: str = ""
    asked: int = 0
    logged: Logged | None = None
    hopeless: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it need not be asked again."""
        return self.hopeless or self.verdict == "refuses"

    def plain(self) -> dict[str, JsonValue]:
        """As the timeline has it: whole seconds."""
        made: dict[str, JsonValue] = {
            "party": self.party,
            "verdict": self.verdict,
            "why": self.why,
            "at": int(self.at),
            "asked": self.asked,
        }
        made |= {"witness": self.witness} if self.witness else {}
        return made | ({"logged": self.logged.plain()} if self.logged is not None else {})


def ask(scene: Scene, party: Party) -> Seen:
    """What a relying party does with the witness, now."""
    now = scene.time().timestamp()
    try:
        if party.door is None:
            return Seen(party.name, "cannot tell", "nobody said how it is asked", now, hopeless=True)
        witness = burnt_token(scene, party)
        if witness is None:
            words = "there is no token of the key to ask it with"
            return Seen(party.name, "cannot tell", words, now, hopeless=True)
        named = digest(witness)
        control = control_token(scene, party)
        if control is None:
            words = "there is no good token: that it refuses one of the key would mean nothing"
            return Seen(party.name, "cannot tell", words, now, named, hopeless=True)
        channel = _channel(scene, party)
    except ImmureError as error:
        return Seen(party.name, "cannot tell", str(error)[:500], now, asked=1)
    verdict, why, at = _asked(scene, channel, control, witness)
    if verdict == "refuses" and expires(witness) <= at:
        words = "the token of the key has run out: it would be refused for that"
        return Seen(party.name, "cannot tell", words, at, named, 1, hopeless=True)
    return Seen(party.name, verdict, why, at, named, 1)


def _channel(scene: Scene, party: Party) -> Channel:
    door: Any = party.door
    return open_channel(parse_target(door.url, scene.settings.owned, tls=door.tls), door.how)


def _asked(scene: Scene, channel: Channel, control: str, witness: str) -> tuple[Verdict, str, float]:
    """Between two controls; also when it was asked with the witness."""
    at = scene.time().timestamp()
    for token, wanted, what in (
        (control, Outcome.LET_IN, "a good token is not let in"),
        (_JUNK, Outcome.REFUSED, "junk is not refused"),
    ):
        answer = channel.ask(token)
        if answer.outcome is not wanted:
            return "cannot tell", f"{what} ({_words(answer)})", at
    at = scene.time().timestamp()
    answer = channel.ask(witness)
    if answer.outcome is Outcome.LET_IN:
        return "accepts", f"a token of the key is let in ({answer.detail})", at
    if answer.outcome is not Outcome.REFUSED:
        return "cannot tell", f"it neither refuses a token of the key nor lets it in ({_words(answer)})", at
    again = channel.ask(control)
    if again.outcome is not Outcome.LET_IN:
        return "cannot tell", f"a good token is not let in any more ({_words(again)})", at
    return "refuses", f"a token of the key is refused ({answer.detail}), and a good one is let in", at


def _words(answer: Answer) -> str:
    return f"{answer.outcome.value}: {answer.detail}"
