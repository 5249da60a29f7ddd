"""How somebody gets to know: the issuer (:mod:`.reconciling`), and a customer by who opened their mail.

Both look again and again while the attack goes on, as they would in life, and each says it once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.errors import ImmureError
from immure.replay.mail.system import Access

_EVERY: Final = 0.5


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
