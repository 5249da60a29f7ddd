"""Keys that are made, announced, used, retired and destroyed without anyone remembering to.

    rotator = Rotator(store, maker, {issuer: plan})
    for step in rotator.run():
        print(step.words)

Of each issuer one key signs. Some time before its end the next one is made and published, so that whoever
verifies tokens has it before it signs; then it takes over, and the old one stays published until its last
token has run out; then it is destroyed. All this is read off the registry, where each step is one change of
state: a process that is killed anywhere is followed by one that goes on from there, and two at once do no
harm, as the name of the next key follows from how many there were.

The clock decides all of it, so it is not believed when it was set: see :class:`Watch`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from immure import clock
from immure.keymaterial.key import PublicKey
from immure.registry.errors import DuplicateKeyError, TransitionError
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.registry.store import Store
from immure.signing.errors import ClockError, NoKeyError, SigningError
from immure.signing.watch import Watch

_BY: Final = "immure rotation"
#: Steps of one run for one issuer: more would go round in a circle.
_MOST_STEPS: Final = 20


@dataclass(frozen=True)
class Plan:
    """How the keys of an issuer are rotated.

    Attributes:
        scope: what its keys may sign for.
        algorithm: of its keys.
        bits: of an RSA key.
        prefix: their names are this, a hyphen and a number.
        lifetime: how long a key signs.
        announce: how long a key is published before it signs: longer than relying parties keep a key set.
        overlap: how long a key is published after it has signed its last token: longer than a token lives.
        most_uses: tokens that one key may sign; None if nobody counts.
    """

    scope: KeyScope
    algorithm: str
    prefix: str
    bits: int = 2048
    lifetime: timedelta = timedelta(days=30)
    announce: timedelta = timedelta(days=1)
    overlap: timedelta = timedelta(days=1)
    most_uses: int | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.announce < self.lifetime:
            raise SigningError("a key is announced for less time than it signs")
        if self.overlap < timedelta(0) or (self.most_uses is not None and self.most_uses < 1):
            raise SigningError("neither an overlap nor a number of uses is negative")


class KeyMaker(ABC):
    """Where private keys are. Both calls may come again after a crash, and then change nothing."""

    @abstractmethod
    def generate(self, kid: str, plan: Plan) -> PublicKey:
        """Make a key of that name, or find the one that was made; raises SignerError."""

    @abstractmethod
    def destroy(self, kid: str) -> None:
        """Destroy the key of that name, if it is there; raises SignerError."""

    def uses(self, kid: str) -> int:
        """How often the key has signed; 0 where nobody counts."""
        return 0


class Action(Enum):
    """What a step does."""

    GENERATE = "generate"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    DESTROY = "destroy"
    COMPROMISE = "compromise"


@dataclass(frozen=True)
class Step:
    """One thing that was done."""

    action: Action
    issuer: str
    kid: str
    reason: str

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.issuer}: {self.action.value} {self.kid} ({self.reason})"


class Rotator:
    """Keeps the keys of issuers as their plans say.

    Args:
        store: the registry.
        maker: where private keys are.
        plans: by issuer.
        watch: whether the clock may be believed.
    """

    def __init__(
        self, store: Store, maker: KeyMaker, plans: Mapping[str, Plan], *, watch: Watch | None = None
    ) -> None:
        for issuer, plan in plans.items():
            if plan.scope.issuer != issuer:
                raise SigningError(f"the plan of {issuer!a} has a scope of {plan.scope.issuer!a}")
        self._store = store
        self._maker = maker
        self._plans = dict(plans)
        self._watch = watch or Watch(clock.now)

    def run(self, *, urgent: bool = False) -> Iterator[Step]:
        """Do what is due, step by step; nothing is due twice.

        Args:
            urgent: see only to issuers none of whose keys signs; another process does the rest.

        Raises:
            ClockError: the clock was set. Nothing is done by it; only an issuer none of whose keys signs, as
                its own was compromised, gets one.
            SignerError, RegistryError: a step failed; the next run does it.
        """
        doubt: ClockError | None = None
        try:
            now = self._watch.moment()
        except ClockError as error:
            now, doubt = self._watch.unchecked(), error
        for issuer, plan in self._plans.items():
            for _ in range(_MOST_STEPS):
                step = self._step(issuer, plan, now, sure=doubt is None and not urgent)
                if step is None:
                    break
                yield step
        if doubt is not None:
            raise doubt

    def signing(self, issuer: str) -> KeyRecord:
        """The key that signs for an issuer now; the newest, if two are active between two steps.

        Raises:
            NoKeyError: there is none.
        """
        return signing_key(self._records(issuer), issuer)

    def replace_now(self, issuer: str, kid: str, *, reason: str, by: str) -> Iterator[Step]:
        """Emergency: a new key signs at once, and the old one is compromised: out of the key set.

        The clock is not asked, as this cannot wait. The new key is there first, so that signing goes on;
        killed in between, the same call goes on.

        Args:
            issuer: whose key it is.
            kid: of the key that others may have.
            reason, by: for its history.

        Raises:
            SigningError: the issuer has no such key.
        """
        plan = self._plans.get(issuer)
        records = {record.kid: record for record in self._records(issuer)}
        if plan is None or kid not in records:
            raise SigningError(f"{issuer!a} has no key {kid[:80]!a}")
        now = self._watch.unchecked()
        others = [
            record for record in records.values() if record.kid != kid and record.state is KeyState.ACTIVE
        ]
        if not others:
            waiting = [record for record in records.values() if record.state is KeyState.PRE_ACTIVE]
            fresh = next((record for record in waiting if record.kid != kid), None)
            if fresh is None:
                fresh, step = self._generate(issuer, plan, list(records.values()), now, f"in place of {kid}")
                yield step
            yield self._become(fresh, KeyState.ACTIVE, f"in place of {kid}: {reason}", by, now)
        if records[kid].state is not KeyState.COMPROMISED:
            yield self._become(records[kid], KeyState.COMPROMISED, reason, by, now)

    # --- what is due ---

    def _step(self, issuer: str, plan: Plan, now: datetime, *, sure: bool) -> Step | None:
        records = self._records(issuer)
        active = sorted((one for one in records if one.state is KeyState.ACTIVE), key=_activated)
        waiting = [one for one in records if one.state is KeyState.PRE_ACTIVE]
        if not active:
            return self._begin(issuer, plan, records, waiting, now)
        if not sure:
            return None
        if len(active) > 1:
            return self._become(active[0], KeyState.DEACTIVATED, "another key signs", _BY, now)
        return self._follow(issuer, plan, records, active[0], waiting, now) or self._clear(plan, records, now)

    def _begin(
        self, issuer: str, plan: Plan, records: list[KeyRecord], waiting: list[KeyRecord], now: datetime
    ) -> Step | None:
        """No key signs: the issuer is new, or its key was compromised or suspended. The first key of all
        signs at once; one that is suspended is a person's decision, which is not undone here."""
        if any(record.state is KeyState.SUSPENDED for record in records):
            return None
        if waiting:
            return self._become(waiting[0], KeyState.ACTIVE, "no other key signs", _BY, now)
        return self._generate(issuer, plan, records, now, "no other key signs")[1]

    def _follow(
        self,
        issuer: str,
        plan: Plan,
        records: list[KeyRecord],
        active: KeyRecord,
        waiting: list[KeyRecord],
        now: datetime,
    ) -> Step | None:
        age, uses = now - _activated(active), 0
        if plan.most_uses is not None:
            uses = self._maker.uses(active.kid)
        spent = plan.most_uses is not None and uses >= plan.most_uses * 0.9
        if not waiting:
            if age < plan.lifetime - plan.announce and not spent:
                return None
            return self._generate(issuer, plan, records, now, "the next key is announced")[1]
        known = now - waiting[0].history[0].at
        worn = plan.most_uses is not None and uses >= plan.most_uses
        due = age >= plan.lifetime or worn
        if not due or known < plan.announce or not self._watch.has_seen(plan.announce):
            return None
        reason = "the key before has signed long enough" if age >= plan.lifetime else "signed often enough"
        return self._become(waiting[0], KeyState.ACTIVE, reason, _BY, now)

    def _clear(self, plan: Plan, records: list[KeyRecord], now: datetime) -> Step | None:
        for record in records:
            if record.state is KeyState.DEACTIVATED and now - record.history[-1].at >= plan.overlap:
                if not self._watch.has_seen(plan.overlap):
                    return None
                self._maker.destroy(record.kid)
                return self._become(record, KeyState.DESTROYED, "its last token has run out", _BY, now)
        return None

    # --- how it is done ---

    def _generate(
        self, issuer: str, plan: Plan, records: list[KeyRecord], now: datetime, reason: str
    ) -> tuple[KeyRecord, Step]:
        """Make the next key. Its name follows from how many there were, so that one that was made before a
        crash is found again, and another process makes the same."""
        kid = f"{plan.prefix}-{len(records) + 1:04d}"
        public = self._maker.generate(kid, plan)
        record = KeyRecord.new(public, kid, plan.scope, by=_BY, at=now, reason=reason)
        try:
            self._store.add([record])
        except DuplicateKeyError:
            record = self._store.get(public.thumbprint)  # another process was quicker
        return record, Step(Action.GENERATE, issuer, kid, reason)

    def _become(self, record: KeyRecord, state: KeyState, reason: str, by: str, now: datetime) -> Step:
        step = Step(_ACTIONS[state], record.issuer or "", record.kid, reason)
        at = max(now, record.history[-1].at)
        try:
            self._store.change_state(record.thumbprint, state, reason=reason, by=by, now=lambda: at)
        except TransitionError:
            if self._store.get(record.thumbprint).state is not state:  # else another process was quicker
                raise
        return step

    def _records(self, issuer: str) -> list[KeyRecord]:
        return [record for record in self._store.records() if record.issuer == issuer]


_ACTIONS: Final = {
    KeyState.ACTIVE: Action.ACTIVATE,
    KeyState.DEACTIVATED: Action.DEACTIVATE,
    KeyState.DESTROYED: Action.DESTROY,
    KeyState.COMPROMISED: Action.COMPROMISE,
}


def signing_key(records: Iterable[KeyRecord], issuer: str) -> KeyRecord:
    """The key that signs for an issuer, by records of the registry; raises :class:`NoKeyError`."""
    active = [one for one in records if one.issuer == issuer and one.state is KeyState.ACTIVE]
    if not active:
        raise NoKeyError(f"no active key of {issuer!a}")
    return max(active, key=_activated)


def _activated(record: KeyRecord) -> datetime:
    return record.activated_at or record.history[0].at
