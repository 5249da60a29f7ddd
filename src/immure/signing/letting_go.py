"""When the last relying party stopped accepting a key that was taken out of the set.

Two witnesses: who read which key set when (:mod:`.fetches`), and, where relying parties keep one, their logs
of what they accepted (:mod:`immure.tokens.acceptance`). The first says until when those who obey ``max-age``
may have accepted a key; the second says what was in fact accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.signing.discovery import MAX_AGE
from immure.signing.fetches import Acceptance, acceptances
from immure.signing.state import State
from immure.tokens.acceptance.decision import ACCEPTED
from immure.tokens.acceptance.reader import read_decisions


@dataclass(frozen=True, slots=True)
class Accepted:
    """Tokens of a key that a relying party says it accepted.

    Attributes:
        count: after the key was out.
        last: the last of all; None if there was none.
    """

    party: str
    count: int
    last: datetime


@dataclass(frozen=True)
class LettingGo:
    """Who has let go of a key.

    Attributes:
        out: since when the key is not in the set.
        certain: when everybody who obeys has let go of it, whether that was written down or not.
        parties: who had it, and until when; the one that keeps it longest is last.
        accepted: by the logs that were given.
        now: when this was looked at.
    """

    kid: str
    out: datetime
    certain: datetime
    parties: tuple[Acceptance, ...]
    accepted: tuple[Accepted, ...]
    now: datetime

    @property
    def holding(self) -> tuple[Acceptance, ...]:
        """Those who may still accept the key."""
        return tuple(one for one in self.parties if one.until > self.now)

    @property
    def stopped(self) -> datetime | None:
        """When the last one stopped accepting the key; None if one may still do so. Without relying parties
        it is when the key was taken out."""
        if self.holding:
            return None
        known = [one.until for one in self.parties]
        known += [one.last for one in self.accepted if one.count]
        return max([self.out, *known])


def look(
    state: State, record: KeyRecord, logs: Iterable[str] = (), *, now: datetime, max_age: int = MAX_AGE
) -> LettingGo:
    """Look at what is known now.

    Args:
        record: of the key.
        logs: of acceptances: directories or files.
        max_age: seconds for which a key set may be kept.

    Raises:
        StateError, AcceptanceLogError: something cannot be read.
    """
    out = next(
        (one.at for one in record.history if one.state in (KeyState.COMPROMISED, KeyState.DESTROYED)), now
    )
    parties = acceptances(state.fetches(record.issuer or ""), record.kid, max_age)
    certain = out + timedelta(seconds=max_age)
    return LettingGo(record.kid, out, certain, tuple(parties), _accepted(record, logs, out), now)


def _accepted(record: KeyRecord, logs: Iterable[str], out: datetime) -> tuple[Accepted, ...]:
    found: dict[str, tuple[int, float]] = {}
    begun = out.timestamp()
    for log in logs:
        for row in read_decisions(log):
            if row.verdict == ACCEPTED and (row.issuer, row.kid) == (record.issuer, record.kid):
                count, last = found.get(row.relying_party, (0, 0.0))
                found[row.relying_party] = count + (row.time > begun), max(last, row.time)
    return tuple(
        Accepted(party, count, datetime.fromtimestamp(last, UTC))
        for party, (count, last) in sorted(found.items())
    )
