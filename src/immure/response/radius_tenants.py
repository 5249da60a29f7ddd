"""Tenants, while a radius is worked out: what was seen of each, and when nobody knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from immure.detections.engine import Engine
from immure.response.errors import RadiusError
from immure.response.radius import Interval, Mailbox, RelyingParty, TenantImpact
from immure.response.radius_mail import Mail
from immure.response.radius_settings import MOST_SUBJECTS
from immure.response.radius_unknown import coverage, merged, of_pieces, silences


@dataclass(slots=True)
class _Impact:
    tokens: int = 0
    subjects: tuple[str, ...] = ()
    mailboxes: tuple[Mailbox, ...] = ()
    unknown: list[Interval] = field(default_factory=list)
    times: list[int] = field(default_factory=list)


class Tenants:
    """All of them, by id.

    Args:
        names: tenants that are known to exist, also if nothing is seen of them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._all: dict[str, _Impact] = defaultdict(_Impact)
        for name in names:
            self._all[name] = _Impact()

    def not_known(self, tenant: str, gap: Interval) -> None:
        """Something may have happened to a tenant in an interval."""
        self._all[tenant].unknown.append(gap)

    @property
    def tokens(self) -> int:
        """Of all of them."""
        return sum(one.tokens for one in self._all.values())

    @property
    def affected(self) -> set[str]:
        """Those to whom something happened."""
        return {name for name, one in self._all.items() if one.tokens or one.mailboxes}

    def take_tokens(self, engine: Engine) -> None:
        """Take over the tables ``cells`` and ``subjects``; raises RadiusError if there are too many."""
        sql = "SELECT tenant, sum(tokens)::BIGINT, min(first), max(last) FROM cells GROUP BY tenant"
        for tenant, count, first, last in engine.rows(sql):
            self._all[tenant].tokens = count
            self._all[tenant].times += [first, last]
        (count,) = engine.one("SELECT count(*) FROM subjects")
        if count > MOST_SUBJECTS:
            reason = f"{count:,} subjects are more than a radius holds: narrow the time, or give the ledger"
            raise RadiusError(reason)
        sql = "SELECT tenant, list_sort(list(sub)) FROM subjects GROUP BY tenant"
        for tenant, subjects in engine.rows(sql):
            self._all[tenant].subjects = tuple(subjects)

    def take_mail(self, mail: Mail) -> None:
        """Take over what was done in mailboxes. Records that name no token make only the time of affected
        tenants unknown: of others their logs of acceptances say that there was no token."""
        for tenant, boxes in mail.mailboxes.items():
            self._all[tenant].mailboxes = tuple(boxes)
            self._all[tenant].times += mail.seen[tenant]
        for tenant, gaps in mail.unknown.items():
            self._all[tenant].unknown += gaps
        for tenant in self.affected:
            self._all[tenant].unknown += mail.nameless.get(tenant, [])

    def take_mail_silences(
        self, engine: Engine, span: str, begin: int, end: int, *, least: int, mail: bool
    ) -> None:
        """Of affected tenants: when nobody knows what was done in their mailboxes."""
        found = coverage(engine, "raw_mail", "tenant", span, least=least) if mail else {}
        for tenant in self.affected:
            pieces = of_pieces(found.get(tenant, ()))
            what = "the mailbox log of this tenant"
            self._all[tenant].unknown += silences(pieces, begin, end, least=least, what=what)

    def impacts(
        self, parties: Sequence[RelyingParty], everywhere: Sequence[Interval], begin: int, end: int
    ) -> tuple[TenantImpact, ...]:
        """Each tenant, the most affected first. What is unknown of a relying party that might have taken the
        tokens is unknown of every tenant."""
        shared = [*everywhere]
        for party in parties:
            if party.would_accept != "no":
                shared += party.unknown
        made, common = [], merged(shared, begin, end)
        for tenant, one in self._all.items():
            unknown = merged([*shared, *one.unknown], begin, end) if one.unknown else common
            first, last = (min(one.times), max(one.times)) if one.times else (None, None)
            made.append(TenantImpact(tenant, one.tokens, one.subjects, one.mailboxes, unknown, first, last))
        return tuple(sorted(made, key=lambda each: (-each.tokens, -len(each.mailboxes), each.tenant)))
