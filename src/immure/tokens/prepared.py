"""A key made ready for verifying: what is checked of a key once, and not for each token.

Kept by identity of the :class:`~immure.registry.scope.ScopedKey`: a source that learns something new of a key
answers with a new one, and so what was prepared is forgotten with what it was made from.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from immure.keymaterial.key import PublicKey
from immure.registry.scope import ScopedKey
from immure.tokens.algorithms import Verifier, fitting, verifier
from immure.tokens.errors import (
    AlgorithmError,
    KeyStateError,
    KeyUseError,
    KeyWindowError,
    TokenError,
    WeakKeyError,
)
from immure.tokens.weak import weakness

_MOST: Final = 1 << 15


class PreparedKey:
    """One key: which algorithms it may be used with, and when.

    Attributes:
        scoped: the key.
        algorithms: those that fit it and that its source and its scope allow.
        begins, ends: seconds since 1970 between which it is valid.
    """

    __slots__ = ("_refusal", "_verifiers", "algorithms", "begins", "ends", "name", "scoped")

    def __init__(self, scoped: ScopedKey) -> None:
        self.scoped = scoped
        self.name = f"the key {scoped.kid[:80]!r}" if scoped.kid is not None else "the key"
        self.algorithms = _algorithms(scoped)
        self.begins, self.ends = _window(scoped)
        self._refusal = _refusal(scoped, self.algorithms)
        self._verifiers: dict[str, Verifier] = {}

    def check_usable(self) -> None:
        """Raises WeakKeyError, KeyUseError or KeyStateError if no signature of this key may be accepted."""
        if self._refusal is not None:
            error, words = self._refusal
            raise error(f"{self.name} {words}")

    def check_time(self, moment: float, what: str) -> None:
        """Raises KeyWindowError if the key is not valid at that moment; ``what`` names it."""
        if not self.begins <= moment <= self.ends:
            when = "not valid yet" if moment < self.begins else "not valid any more"
            raise KeyWindowError(f"{self.name} is {when} {what}")

    def check_algorithm(self, alg: str, allowed: frozenset[str]) -> Verifier:
        """What verifies signatures, if the key and the policy (which may be silent) allow the algorithm.

        Raises:
            AlgorithmError: one of them does not.
        """
        found = self._verifiers.get(alg)
        if alg not in self.algorithms:
            raise AlgorithmError(f"{self.name} may not be used with {alg[:20]!a}")
        if allowed and alg not in allowed:
            raise AlgorithmError(f"the policy does not take {alg[:20]!a} of this issuer")
        if found is None:
            found = self._verifiers[alg] = verifier(self.scoped.key.numbers, alg)
        return found


class PreparedKeys:
    """Prepared keys, so many at most."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: dict[int, PreparedKey] = {}

    def get(self, scoped: ScopedKey) -> PreparedKey:
        """The same key, ready."""
        found = self._kept.get(id(scoped))
        if found is None:  # what is kept stays alive, so that no other key can have its id
            found = PreparedKey(scoped)
            if len(self._kept) >= self._most:
                self._kept = {}
            self._kept[id(scoped)] = found
        return found


def _algorithms(scoped: ScopedKey) -> frozenset[str]:
    allowed = fitting(scoped.key.numbers)
    if scoped.key.origin.alg is not None:
        allowed &= {scoped.key.origin.alg}
    if scoped.scope is not None and scoped.scope.algorithms:
        allowed &= scoped.scope.algorithms
    return allowed


def _window(scoped: ScopedKey) -> tuple[float, float]:
    origin, scope = scoped.key.origin, scoped.scope
    begins = [origin.not_before, scope.not_before if scope else None]
    ends = [origin.not_after, scope.not_after if scope else None]
    return (
        max((_seconds(one) for one in begins if one is not None), default=float("-inf")),
        min((_seconds(one) for one in ends if one is not None), default=float("inf")),
    )


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _refusal(scoped: ScopedKey, algorithms: frozenset[str]) -> tuple[type[TokenError], str] | None:
    key: PublicKey = scoped.key
    if not scoped.state.verifies:
        return KeyStateError, f"is {scoped.state.value}"
    if key.origin.use not in (None, "sig"):
        return KeyUseError, "is for another use"
    if not fitting(key.numbers):
        return KeyUseError, "is not for signatures at all"
    weak = weakness(key)
    if weak is not None:
        return WeakKeyError, weak
    return None if algorithms else (AlgorithmError, "may be used with no algorithm that fits it")
