"""A key in the registry: what it is, what it may sign for, and every state that it has been in.

>>> from immure.keymaterial.key import OkpNumbers, Origin
>>> key = PublicKey(OkpNumbers("Ed25519", bytes(32)), Origin("example"))
>>> record = KeyRecord.new(key, "k1", None, by="ops", at=datetime(2026, 1, 1, tzinfo=UTC))
>>> record.become(KeyState.SUSPENDED, reason="?", by="ops", at=datetime(2026, 1, 2, tzinfo=UTC))
Traceback (most recent call last):
...
immure.registry.errors.TransitionError: key 'k1' is pre-active; it can become active, compromised or destroyed
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Final

from immure.keymaterial.key import PublicKey
from immure.registry.errors import RegistryError, TransitionError
from immure.registry.fit import check_scope, is_plain_text
from immure.registry.scope import KeyScope, ScopedKey
from immure.registry.state import KeyState

#: States in which a key may come into the registry: made and not used yet, or in use already.
FIRST: Final = (KeyState.PRE_ACTIVE, KeyState.ACTIVE)
#: Changes of state in the longest history.
MOST_CHANGES: Final = 1000


@dataclass(frozen=True)
class StateChange:
    """When, why and by whom a key came into a state.

    Attributes:
        at: when it was written down.
        since: of a compromise: since when others may have had the key, if that is known.
    """

    state: KeyState
    at: datetime
    reason: str = ""
    by: str = ""
    since: datetime | None = None

    def check(self) -> None:
        """See that it can be kept; raises RegistryError."""
        for name, text in (("reason", self.reason), ("by", self.by)):
            if text and not is_plain_text(text):
                raise RegistryError(f"'{name}' of a change is too long, or has control characters in it")
        if self.at.tzinfo is None or (self.since is not None and self.since.tzinfo is None):
            raise RegistryError("a time without a time zone")
        if self.since is not None and self.state is not KeyState.COMPROMISED:
            raise RegistryError("only a compromise has 'since'")
        if self.since is not None and self.since > self.at:
            raise RegistryError("a compromise that begins in the future")


@dataclass(frozen=True)
class KeyRecord:
    """A key of the registry; only its public half is ever in here.

    Attributes:
        key: its numbers, and where they were learned.
        kid: its name in the key sets of its issuer.
        scope: what it may sign for; None means nothing.
        history: its states, oldest first; never empty, never rewritten.

    Raises:
        RegistryError: (all of its kinds) the parts cannot be so.
    """

    key: PublicKey
    kid: str
    scope: KeyScope | None
    history: tuple[StateChange, ...]

    def __post_init__(self) -> None:
        if not is_plain_text(self.kid):
            raise RegistryError("a kid is empty, too long, or has control characters in it")
        if self.scope is not None:
            check_scope(self.scope, self.key.numbers)
        if not 0 < len(self.history) <= MOST_CHANGES:
            raise RegistryError(f"key {self.kid!r}: a history has 1 to {MOST_CHANGES} states")
        for change in self.history:
            change.check()
        if self.history[0].state not in FIRST:
            raise TransitionError(
                f"key {self.kid!r} cannot begin as {self.history[0].state.value}: "
                f"only as {_either([state.value for state in FIRST])}"
            )
        for before, after in pairwise(self.history):
            _check_step(self.kid, before, after)

    @classmethod
    def new(
        cls,
        key: PublicKey,
        kid: str,
        scope: KeyScope | None,
        *,
        by: str,
        at: datetime,
        state: KeyState = KeyState.PRE_ACTIVE,
        reason: str = "",
    ) -> KeyRecord:
        """A key that comes into the registry now."""
        return cls(key, kid, scope, (StateChange(state, at.astimezone(UTC), reason, by),))

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint, which names the record in a store."""
        return self.key.thumbprint

    @property
    def state(self) -> KeyState:
        """The state it is in."""
        return self.history[-1].state

    @property
    def issuer(self) -> str | None:
        """The issuer (or template of issuers) it may sign for."""
        return self.scope.issuer if self.scope is not None else None

    @cached_property
    def scoped(self) -> ScopedKey:
        """The key as validators take it."""
        return ScopedKey(self.key, self.kid, self.scope, self.state)

    @property
    def activated_at(self) -> datetime | None:
        """When it became active for the first time."""
        return next((change.at for change in self.history if change.state is KeyState.ACTIVE), None)

    def become(
        self, state: KeyState, *, reason: str, by: str, at: datetime, since: datetime | None = None
    ) -> KeyRecord:
        """The record with one state more.

        Raises:
            TransitionError: that state cannot follow; the reason says which can.
            RegistryError: ``at`` is before the last change.
        """
        change = StateChange(state, at.astimezone(UTC), reason, by, since)
        return replace(self, history=(*self.history, change))

    def with_scope(self, scope: KeyScope | None) -> KeyRecord:
        """The record with another scope; raises ScopeError if that does not fit."""
        return replace(self, scope=scope)


def next_states(state: KeyState) -> tuple[KeyState, ...]:
    """The states that can follow."""
    return tuple(other for other in KeyState if state.may_become(other))


def _check_step(kid: str, before: StateChange, after: StateChange) -> None:
    if not before.state.may_become(after.state):
        can = _either([state.value for state in next_states(before.state)])
        raise TransitionError(f"key {kid!r} is {before.state.value}; it can become {can}")
    if after.at < before.at:
        raise RegistryError(
            f"key {kid!r}: a change at {after.at.isoformat()}, before the last at {before.at.isoformat()}"
        )


def _either(words: list[str]) -> str:
    if not words:
        return "nothing else"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
