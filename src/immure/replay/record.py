"""What came of a replay, as values: what was said and when, what became of each link, what can be proved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from immure.replay.controls import CONTROLS
from immure.replay.issuers import Custody
from immure.replay.scenario import Link, Scenario
from immure.scanning.finding import ImageReport

#: ``failed``: the chain went through; ``broke``: it ended here; ``noticed``: it went through, and somebody
#: knows; ``missing``: no control is for it; ``idle``: the chain had ended before.
Status = Literal["failed", "broke", "noticed", "missing", "idle"]
#: What held accepted tokens against issued ones: ``immure detect``, or the ledger alone.
Reconciler = Literal["detect", "ledger"]
#: Who does, or sees, something.
Who = Literal["production", "debugging", "attacker", "mail", "issuer", "customer", "world"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: seconds since the replay began, at which link, who, and what."""

    at: float
    link: int
    who: Who
    words: str


@dataclass(frozen=True, slots=True)
class LinkResult:
    """What became of a link; ``by`` are the controls that broke it or noticed something."""

    link: Link
    status: Status
    by: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the attacker read.

    Attributes:
        mailboxes: how many.
        messages: of how many he has the text.
        tries: how many mailboxes he tried.
        refusal: by which rule his tokens were refused, if they were.
        first, last: when the first and the last one was read, in seconds since the replay began.
    """

    mailboxes: int = 0
    messages: int = 0
    tries: int = 0
    refusal: str = ""
    first: float | None = None
    last: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody knows.

    Attributes:
        control: what told them.
        after: seconds after the first mailbox was read.
        read_before: mailboxes that had been read by then.
        words: what was seen.
    """

    control: str
    after: float
    read_before: int
    words: str


@dataclass(frozen=True, slots=True)
class Response:
    """What the response came to.

    Attributes:
        told_by: the control that had noticed; ``report`` if a stranger had to write.
        refused_after: seconds from the opening of the incident until every relying party refused the key.
        organizations_told: to how many a letter came; ``letters`` how many came.
        at_least: whether more may have been read than is known.
        mailboxes_read_again: by the same key, afterwards.
    """

    told_by: str
    refused_after: float
    organizations_told: int
    letters: int
    at_least: bool
    mailboxes_read_again: int

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "told_by": self.told_by,
            "refused_after_seconds": round(self.refused_after, 3),
            "organizations_told": self.organizations_told,
            "letters": self.letters,
            "radius_is_at_least": self.at_least,
            "mailboxes_read_again": self.mailboxes_read_again,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """One replay.

    Attributes:
        scenario: what was acted out.
        controls: those that were on.
        links: in their order.
        broke_at: number of the link at which the chain ended; None if mail was read.
        broken_by: the control that ended it.
        notices: in the order in which they came.
        proofs: what a report could prove, each in a sentence.
        moments: what happened.
        dump: what a search of the dump says, as it left production or would have left it; for its map.
        parts: which real parts took part, and what stood in for others.
        seconds: how long it took.
        custody: what had the key.
        reconciled_by: what looked for forged tokens; None if nobody did.
        response: None if there was none.
    """

    scenario: Scenario
    controls: frozenset[str]
    links: tuple[LinkResult, ...]
    broke_at: int | None
    broken_by: str | None
    reading: Reading
    notices: tuple[Notice, ...]
    proofs: tuple[str, ...]
    moments: tuple[Moment, ...]
    dump: ImageReport | None
    parts: tuple[str, ...]
    seconds: float
    custody: Custody = "file"
    reconciled_by: Reconciler | None = None
    response: Response | None = None

    @property
    def is_as_expected(self) -> bool:
        """Whether the controls did what the scenario says of them; if not, one of them is a sham."""
        if self.broke_at != self.scenario.expected_break(self.controls):
            return False
        if self.broke_at is not None:
            return self.reading.mailboxes == 0
        wanted = {name for name in self.controls if CONTROLS[name].notices}
        everything = len(self.scenario.organizations)
        return self.reading.mailboxes == everything and {one.control for one in self.notices} == wanted

    @property
    def verdict(self) -> str:
        """In one sentence."""
        if self.broke_at is not None:
            title = self.scenario.links[self.broke_at - 1].title
            return (
                f"The chain broke at link {self.broke_at} ({title}), by {self.broken_by}. No mail was read."
            )
        read = f"The mail of {self.reading.mailboxes} organizations was read"
        if not self.notices:
            return f"{read}, and nobody knows."
        first = self.notices[0]
        return f"{read}; noticed after {first.after:.1f} s, by {first.control}."

    def to_json(self) -> dict[str, Any]:
        """For machines (``docs/reference/replay.md``)."""
        reading = self.reading
        return {
            "scenario": self.scenario.name,
            "controls": [name for name in self.scenario.controls if name in self.controls],
            "verdict": self.verdict,
            "as_expected": self.is_as_expected,
            "broke_at": self.broke_at,
            "broken_by": self.broken_by,
            "mailboxes_read": reading.mailboxes,
            "messages_read": reading.messages,
            "mailboxes_tried": reading.tries,
            "refused_by": reading.refusal or None,
            "noticed": [
                {
                    "by": one.control,
                    "seconds": round(one.after, 3),
                    "mailboxes_read_before": one.read_before,
                    "what": one.words,
                }
                for one in self.notices
            ],
            "proofs": list(self.proofs),
            "links": [
                {
                    "number": one.link.number,
                    "title": one.link.title,
                    "controls": list(one.link.controls),
                    "status": one.status,
                    "by": list(one.by),
                    "what": one.words,
                }
                for one in self.links
            ],
            "moments": [
                {"seconds": round(one.at, 3), "link": one.link, "who": one.who, "what": one.words}
                for one in self.moments
            ],
            "custody": self.custody,
            "reconciled_by": self.reconciled_by,
            "response": None if self.response is None else self.response.to_json(),
            "parts": list(self.parts),
            "seconds": round(self.seconds, 3),
        }


#: Is told of each moment as it comes.
Narrator = Callable[[Moment], None]


@dataclass
class Tale:
    """What happens, written down as it happens.

    Attributes:
        scenario: that is acted out.
        controls: that are on.
        narrator: hears of each moment.
    """

    scenario: Scenario
    controls: frozenset[str]
    narrator: Narrator = field(default=lambda _: None)
    began: float = field(default_factory=time.monotonic)
    moments: list[Moment] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)
    dump: ImageReport | None = None
    proofs: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    custody: Custody = "file"
    reconciled_by: Reconciler | None = None
    response: Response | None = None

    def has(self, control: str) -> bool:
        """Whether a control is on."""
        return control in self.controls

    @property
    def now(self) -> float:
        """Seconds since the replay began."""
        return time.monotonic() - self.began

    def say(self, link: int, who: Who, words: str) -> None:
        """Something happened."""
        moment = Moment(self.now, link, who, words)
        self.moments.append(moment)
        self.narrator(moment)

    def break_by(self, control: str, words: str) -> None:
        """A control ended the chain."""
        self.broken.append((control, words))
        self.say(self.scenario.link_of(control), "world", f"LINK BROKEN by {control}: {words}")

    def notice(self, notice: Notice) -> None:
        """Somebody knows."""
        self.notices.append(notice)
        who: Who = "customer" if notice.control == "mail-log" else "issuer"
        self.say(self.scenario.link_of(notice.control), who, f"NOTICED by {notice.control}: {notice.words}")

    def outcome(self) -> Outcome:
        """What came of it."""
        broke_at, broken_by = None, None
        if self.broken and not self.reading.mailboxes:
            control, _ = min(self.broken, key=lambda one: self.scenario.link_of(one[0]))
            broke_at, broken_by = self.scenario.link_of(control), control
        return Outcome(
            self.scenario,
            self.controls,
            tuple(self._result(link, broke_at, broken_by) for link in self.scenario.links),
            broke_at,
            broken_by,
            self.reading,
            tuple(self.notices),
            tuple(self.proofs),
            tuple(self.moments),
            self.dump,
            tuple(self.parts),
            self.now,
            self.custody,
            self.reconciled_by,
            self.response,
        )

    def _result(self, link: Link, broke_at: int | None, broken_by: str | None) -> LinkResult:
        if link.number == broke_at:
            words = next(words for control, words in self.broken if control == broken_by)
            return LinkResult(link, "broke", (str(broken_by),), words)
        if broke_at is not None and link.number > broke_at:
            return LinkResult(link, "idle")
        noticed = [one for one in self.notices if one.control in link.controls]
        if noticed:
            return LinkResult(link, "noticed", tuple(one.control for one in noticed), noticed[0].words)
        if all(name not in self.scenario.controls for name in link.controls):
            return LinkResult(link, "missing", (), "no control is for it")
        return LinkResult(link, "failed")
