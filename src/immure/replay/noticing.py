"""How somebody gets to know: the issuer, by its ledger; a customer, by the log of who opened their mail.

Both look again and again while the attack goes on, as they would in life, and each says it once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from immure.errors import ImmureError
from immure.ledger.opening import open_ledger
from immure.ledger.verdict import look_up
from immure.replay.mail.system import Access
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.reader import read_decisions

_EVERY: Final = 0.25


@dataclass
class Reconciliation:
    """Accepted tokens against issued ones, by the digest of what was signed.

    ``never-issued`` may be said only of tokens from before the watermark of the ledger; until it has passed
    them, nothing is said.

    Args:
        log: directory of the log of acceptances.
        ledger: of the issuer that the tokens name.

    Attributes:
        forged: acceptances of tokens that were never issued.
        issued: how many were.
        waiting: how many the ledger cannot speak of yet.
    """

    log: Path
    ledger: Path
    forged: dict[bytes, Decision] = field(default_factory=dict)
    issued: int = 0
    waiting: int = 0

    def look(self) -> str | None:
        """Compare; what was found, in words, if anything was.

        Raises:
            ImmureError: log or ledger cannot be read.
        """
        self.issued = self.waiting = 0
        with open_ledger(str(self.ledger)) as store:
            for row in read_decisions(self.log, notice=lambda _: None):
                if row.verdict != "accepted" or row.digest is None or row.digest in self.forged:
                    continue
                answer = look_up(store, row.digest, issuer=row.issuer, issued_at=row.issued_at)
                self.issued += answer.verdict == "issued"
                self.waiting += answer.verdict == "not-yet-known"
                if answer.verdict == "never-issued":
                    self.forged[row.digest] = row
        if not self.forged:
            return None
        kids = sorted({row.kid or "?" for row in self.forged.values()})
        return f"a token was accepted that the issuer has never issued, signed by {', '.join(kids)}"


@dataclass
class CustomersRule:
    """First seen: a mailbox is opened from where it never was.

    Args:
        known: where each mailbox is opened from, as a time of normal work has shown.

    Attributes:
        strange: rows of the log that the rule is on.
    """

    accesses: Callable[[], Sequence[Access]]
    known: frozenset[tuple[str, str]]
    strange: list[Access] = field(default_factory=list)

    def look(self) -> str | None:
        """Go through the log; what was found, in words, if anything was.

        Raises:
            ImmureError: the log cannot be read.
        """
        self.strange = [one for one in self.accesses() if (one.mailbox, one.remote) not in self.known]
        if not self.strange:
            return None
        first = self.strange[0]
        return f"{first.mailbox} was opened from {first.remote}, from where it never was before"


class Watchers(threading.Thread):
    """Looks until all have seen something, or the time is over.

    Args:
        looks: by control: what says in words what it has found.
        told: is told, once for each control.
    """

    def __init__(self, looks: dict[str, Callable[[], str | None]], told: Callable[[str, str], None]) -> None:
        super().__init__(name="immure replay watchers", daemon=True)
        self._looks = dict(looks)
        self._told = told
        self._stop_asked = threading.Event()
        self.error: ImmureError | None = None

    def run(self) -> None:
        """What the thread does."""
        while self._looks and not self._stop_asked.is_set():
            for control, look in list(self._looks.items()):
                try:
                    words = look()
                except ImmureError as error:
                    self.error = error  # said by who waits, if nothing is found in the end
                    continue
                if words is not None:
                    del self._looks[control]
                    self._told(control, words)
            self._stop_asked.wait(_EVERY)

    def wait(self, seconds: float) -> list[str]:
        """Until all have seen something, or for so long; those that have not."""
        end = time.monotonic() + seconds
        while self._looks and time.monotonic() < end:
            time.sleep(0.05)
        self._stop_asked.set()
        self.join()
        return list(self._looks)
