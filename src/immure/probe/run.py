"""The probe: controls, questions, controls again.

    report = Probe(channel, kit, CATALOGUE).run()

A good token of each of the target's keys must be let in, and junk refused; otherwise nothing can be told.
The same is asked again after every twenty questions, after each answer that is none, and at the end: what a
server says counts only between two controls that held. A server that has begun to refuse everybody is not
secure, and one that lets everything in has no holes that we could name.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

from immure import clock
from immure.digest import signed_digest
from immure.errors import UsageError
from immure.probe.answer import Answer, Outcome
from immure.probe.case import Case
from immure.probe.channels.channel import Channel
from immure.probe.errors import CarryError, KitError, MissingError
from immure.probe.kit import Kit, ProbeKey
from immure.probe.mint import Mint
from immure.probe.pace import Pace
from immure.probe.result import Control, ProbeReport, Result

#: Questions between two controls.
BETWEEN: Final = 20
_JUNK: Final = "immure-probe-junk"


class Progress(Protocol):
    """Is told how far a probe is."""

    def __call__(self, done: int, total: int, what: str, /) -> None:
        """``what`` is asked next."""


def digest(token: str) -> str:
    """The name of a token in reports: of what is signed in it, or of all of it where there is no telling."""
    return signed_digest(token.rpartition(".")[0].encode("utf-8", "surrogatepass")).hex()


class Probe:
    """One relying party, one kit, some questions.

    Args:
        channel: how the relying party is asked.
        kit: whose keys sign.
        cases: the questions.
        pace: how fast.
        time: where the time is from.
        progress: is told how far it is.

    Raises:
        KitError: the kit has no key of the target.
        UsageError: there are no questions.
    """

    def __init__(
        self,
        channel: Channel,
        kit: Kit,
        cases: Iterable[Case],
        *,
        pace: Pace | None = None,
        time: clock.Clock = clock.now,
        progress: Progress = lambda done, total, what: None,
    ) -> None:
        self._channel = channel
        self._kit = kit
        self._cases = list(cases)
        self._pace = pace or Pace()
        self._time = time
        self._progress = progress
        self._controls: list[Control] = []
        self._sure: list[Result] = []
        self._unsure: list[Result] = []
        self._home: list[ProbeKey] = []
        if not self._cases:
            raise UsageError("no question is left to ask")
        if not kit.home_keys(self._moment()):
            raise KitError("the kit has no key of the target that is valid now")

    def run(self) -> ProbeReport:
        """Ask everything; the report. Only faults of ours are raised."""
        begun = self._time()
        reason = self._first_controls()
        if reason is None:
            reason = self._ask_all()
        return self._report(begun, reason)

    def _moment(self) -> int:
        return int(self._time().timestamp())

    def _mint(self) -> Mint:
        return Mint(self._kit, self._moment(), frozenset(key.kid for key in self._home), self._made())

    def _made(self) -> int:
        """Another number for each token, so that no two have the same ``jti``."""
        return 100 * (len(self._controls) + len(self._sure) + len(self._unsure))

    # --- controls ---

    def _first_controls(self) -> str | None:
        """Which of the target's keys are taken; why nothing can be told, or None."""
        for key in self._kit.home_keys(self._moment()):
            good = Mint(self._kit, self._moment(), made=self._made()).good(key)
            if self._control(f"a good token ({key.alg})", good, Outcome.LET_IN):
                self._home.append(key)
        if not self._home:
            return "no good token is let in, so that refusals mean nothing"
        if not self._control("junk", _JUNK, Outcome.REFUSED):
            return "junk is not refused, so that being let in means nothing"
        if self._channel.asks_without and not self._control("no token", None, Outcome.REFUSED):
            return "no token is needed there, so that being let in means nothing"
        return None

    def _holds_still(self) -> bool:
        good = self._mint().good(self._home[0])
        return self._control("a good token", good, Outcome.LET_IN) and self._control(
            "junk", _JUNK, Outcome.REFUSED
        )

    def _control(self, name: str, token: str | None, wanted: Outcome) -> bool:
        if self._pace.wait():
            answer = self._channel.ask(token)
        else:
            answer = Answer(Outcome.NOT_ASKED, "the time is over")
        control = Control(name, wanted, answer, len(self._sure) + len(self._unsure))
        self._controls.append(control)
        return control.holds

    # --- questions ---

    def _ask_all(self) -> str | None:
        for number, case in enumerate(self._cases):
            self._progress(number, len(self._cases), case.id)
            result = self._ask(case)
            if result is None:
                break
            self._unsure.append(result)
            silent = result.answer.outcome in (Outcome.BROKE, Outcome.NO_ANSWER, Outcome.UNCLEAR)
            if (silent or len(self._unsure) >= BETWEEN) and not self._settle():
                return "the controls do not hold any more, so that what was seen since they did means nothing"
        self._progress(len(self._cases), len(self._cases), "")
        if self._unsure and not self._settle():
            return "the controls do not hold at the end, so that what was seen since they did means nothing"
        if len(self._sure) < len(self._cases):
            return "the time is over"
        return None

    def _settle(self) -> bool:
        """Believe what was seen, if the controls hold."""
        if (
            not any(one.answer.outcome is not Outcome.NOT_ASKED for one in self._unsure)
            or self._holds_still()
        ):
            self._sure += self._unsure
            self._unsure = []
            return True
        return False

    def _ask(self, case: Case) -> Result | None:
        """None if the time is over."""
        try:
            tokens = case.tokens(self._mint())
        except MissingError as error:
            return Result(case, Answer(Outcome.NOT_ASKED, error.reason))
        digests = tuple(digest(token) for token in tokens)
        answer, seconds = Answer(Outcome.NOT_ASKED, ""), 0.0
        for token in tokens:
            if not self._pace.wait():
                return None
            begun = time.perf_counter()
            try:
                answer = self._channel.ask(token)
            except CarryError as error:
                return Result(case, Answer(Outcome.NOT_ASKED, error.reason))
            seconds = time.perf_counter() - begun
            if token is not tokens[-1] and answer.outcome is not Outcome.LET_IN:
                return Result(case, Answer(Outcome.UNCLEAR, "the first of its tokens is not let in"), digests)
        return Result(case, answer, digests, seconds)

    # --- the report ---

    def _report(self, begun: datetime, reason: str | None) -> ProbeReport:
        doubtful = [Result(one.case, _doubted(one.answer), one.digests, one.seconds) for one in self._unsure]
        seen = [*self._sure, *doubtful]
        rest = [Result(case, Answer(Outcome.NOT_ASKED, "the probe ended before")) for case in self._cases]
        return ProbeReport(
            target=self._channel.target,
            channel=self._channel.name,
            begun=begun,
            ended=self._time(),
            issuer=self._kit.target.issuer,
            audience=self._kit.target.audience,
            keys=tuple((key.kid, key.alg, key.thumbprint) for key in self._home),
            controls=tuple(self._controls),
            results=(*seen, *rest[len(seen) :]),
            reason=reason,
        )


def _doubted(answer: Answer) -> Answer:
    if answer.outcome is Outcome.NOT_ASKED:
        return answer
    return Answer(Outcome.UNCLEAR, f"{answer.outcome.value} ({answer.detail}), but the controls did not hold")
