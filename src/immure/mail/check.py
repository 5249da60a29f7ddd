"""Check a mail server that runs: who gets in by which door, with tokens that are good and tokens that are
not.

How a token is brought to a door is the caller's affair (:class:`Door`); what it means is decided here. A good
token must get in, else nothing that was kept out proves anything; a token that is out of scope must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from immure.keymaterial.sources_http import is_loopback_url
from immure.mail.capabilities import TOKENS, Entrance, Offer

Expected = Literal["let in", "refused"]
#: What :class:`Door` answers: ``let in`` and ``refused`` decide, all others leave it open.
LET_IN: Final = "let in"
REFUSED: Final = "refused"


class Verdict(Enum):
    """Of a check."""

    RIGHT = "right"
    """Whoever should gets in, nobody else does, and nothing was left open."""
    WRONG = "wrong"
    """Something was let in, or is offered, that must not be."""
    UNKNOWN = "cannot tell"
    """A good token was not let in, or not everything was answered."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A token that is brought to a door.

    Attributes:
        name: short, as in the catalogue of ``immure probe``, or of the file.
        title: what it is, in words.
        expected: what a right server does with it.
        token: the token itself; never printed.
        mailbox: the address that is asked for.
        everywhere: brought to every door by every mechanism; else to one door of each protocol, by one.
    """

    name: str
    title: str
    expected: Expected
    token: str
    mailbox: str
    everywhere: bool = False

    def __repr__(self) -> str:
        return f"Attempt({self.name!r}, {self.expected!r}, {self.mailbox!r})"


@dataclass(frozen=True, slots=True)
class Door:
    """A way in.

    Attributes:
        entrance: which port.
        mechanism: of SASL.
        ask: brings a token there for a mailbox; answers with the outcome, and a few words of ours.
    """

    entrance: Entrance
    mechanism: str
    ask: Callable[[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """What was seen: of a token, or of what a server offers.

    Attributes:
        door: name of the entrance.
        port: of it.
        mechanism: of SASL; empty where none was used.
        name, title: of the attempt.
        expected: what a right server does.
        outcome: what this one did.
        detail: a few words of ours.
    """

    door: str
    port: int
    mechanism: str
    name: str
    title: str
    expected: str
    outcome: str
    detail: str

    @property
    def verdict(self) -> Verdict:
        """Of this row alone."""
        if self.outcome == self.expected:
            return Verdict.RIGHT
        if self.expected == REFUSED and self.outcome == LET_IN:
            return Verdict.WRONG
        return Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All rows, and what follows from them."""

    host: str
    rows: Sequence[Row]

    @property
    def verdict(self) -> Verdict:
        """Wrong if anything was let in that must not be; right only if nothing was left open."""
        every = {row.verdict for row in self.rows}
        if Verdict.WRONG in every:
            return Verdict.WRONG
        controlled = any(row.expected == LET_IN for row in self.rows)
        return Verdict.RIGHT if every == {Verdict.RIGHT} and controlled else Verdict.UNKNOWN

    @property
    def wrong(self) -> list[Row]:
        """What was let in, or is offered, and must not be."""
        return [row for row in self.rows if row.verdict is Verdict.WRONG]


def check(
    host: str,
    doors: Sequence[Door],
    attempts: Sequence[Attempt],
    offer: Callable[[Entrance], Offer],
    *,
    progress: Callable[[int, int], object] | None = None,
) -> CheckReport:
    """Bring every token to its doors, one after the other.

    Args:
        host: for the report.
        doors: ways in.
        attempts: tokens.
        offer: looks at an entrance (:func:`immure.mail.capabilities.offered`).
        progress: is told how many of how many are done.
    """
    pairs = [(door, attempt) for attempt in attempts for door in _doors_of(doors, attempt)]
    rows: list[Row] = []
    for entrance in dict.fromkeys(door.entrance for door in doors):
        rows += _offers(entrance, offer(entrance))
    for number, (door, attempt) in enumerate(pairs, 1):
        rows.append(_asked(door, attempt))
        if progress is not None:
            progress(number, len(pairs))
    return CheckReport(host, rows)


def _doors_of(doors: Sequence[Door], attempt: Attempt) -> Iterable[Door]:
    if attempt.everywhere:
        return doors
    first: dict[str, Door] = {}
    for door in doors:
        first.setdefault(door.entrance.protocol, door)
    return first.values()


def _asked(door: Door, attempt: Attempt) -> Row:
    outcome, detail = door.ask(attempt.token, attempt.mailbox)
    entrance = door.entrance
    return Row(
        entrance.name,
        entrance.port,
        door.mechanism,
        attempt.name,
        attempt.title,
        attempt.expected,
        outcome,
        detail,
    )


def _offers(entrance: Entrance, offer: Offer) -> list[Row]:
    """Passwords are let in where a mechanism for them is offered, and tokens in the open where one is."""
    questions = [("offer.passwords", "A mechanism that takes passwords", offer.mechanisms - TOKENS)]
    # on this machine nobody listens in between, and Dovecot counts every connection as secured
    if not entrance.implicit and not is_loopback_url(f"http://{_bracketed(entrance.host)}"):
        questions.append(("offer.in-the-open", "Logins without TLS", offer.in_the_open))
    rows = []
    for name, title, found in questions:
        words = ", ".join(sorted(one if one.isalnum() else "?" for one in found))[:80]
        outcome = "no answer" if offer.failure else (LET_IN if found else REFUSED)
        detail = offer.failure or (f"offers {words}" if found else "not offered")
        rows.append(Row(entrance.name, entrance.port, "", name, title, REFUSED, outcome, detail))
    return rows


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
