"""An RSA key rebuilt from bits that are scattered over its numbers (Heninger and Shacham, "Reconstructing RSA
private keys from random key bits", CRYPTO 2009).

The numbers are tied by p·q = n, g·e·d = g + k·φ(n) (g = 1 for d modulo φ; it is gcd(p − 1, q − 1) for d
modulo λ), e·dp = 1 + kp·(p − 1) and e·dq = 1 + kq·(q − 1). From the lowest bit upwards, each bit of p fixes
one of each of the others. So there are two ways to go on at each bit, of which the bits that are known cut
off the wrong ones. From 27 of 100 bits of all five numbers on, at random, few wrong ways are left at any
time. As soon as enough low bits of p are found for a lattice, that gives the rest, so the upper bits need not
be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from immure.errors import KeyFormatError, UsageError
from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.private import RsaPrivate, rsa_from_prime
from immure.scanning.deep.lattice import Stretch, reach
from immure.scanning.deep.multipliers import NUMBERS, KnownBits, Multipliers, multipliers, twos

#: Ways that are followed side by side, at most, and in all.
MOST_WIDE: Final = 1 << 15
MOST_NODES: Final = 3_000_000
#: Bits to which each choice of multipliers is followed before one is followed to the end, and how widely.
_TRIAL_BITS: Final = 48
_TRIAL_WIDE: Final = 512


@dataclass(slots=True)
class _Nodes:
    """How many have been looked at, of how many."""

    most: int
    count: int = 0


def rebuild_rsa(
    public: RsaNumbers,
    known: Mapping[str, KnownBits],
    *,
    most_wide: int = MOST_WIDE,
    most_nodes: int = MOST_NODES,
) -> RsaPrivate | None:
    """The private key, if its numbers follow from the bits that are known; None if they do not, or it is too
    much work.

    Args:
        public: the public key; its primes are taken to have the same length.
        known: by number (:data:`NUMBERS`); d may be modulo φ(n) or λ(n). Bits that are said to be known have
            to be right: with one that is wrong, nothing is found.
        most_wide: ways that are followed side by side.
        most_nodes: ways that are looked at in all.

    Raises:
        UsageError: a number is none of these.
    """
    if unknown := [name for name in known if name not in NUMBERS]:
        raise UsageError(f"bits of {', '.join(unknown)}: only those of {', '.join(NUMBERS)} can be used")
    if public.n % 2 == 0 or public.e % 2 == 0:
        return None
    nodes = _Nodes(most_nodes)
    # what is no key at all ends here, before any multiplier is tried
    if _Tree(public, known, Multipliers()).grow(_TRIAL_BITS, _TRIAL_WIDE, nodes) == []:
        return None
    for ways in _ordered(public, known, nodes):
        found = _finish(public, ways, _Tree(public, known, ways), most_wide, nodes)
        if found is not None:
            return found
    return None


def _ordered(public: RsaNumbers, known: Mapping[str, KnownBits], nodes: _Nodes) -> list[Multipliers]:
    """Multipliers that survive a short trial, those with the fewest ways left first."""
    choices = list(multipliers(public, known))
    if len(choices) <= 2:
        return choices
    trials: list[tuple[int, int, Multipliers]] = []
    for number, ways in enumerate(choices):
        states = _Tree(public, known, ways).grow(_TRIAL_BITS, _TRIAL_WIDE, nodes)
        if states is None:
            trials.append((_TRIAL_WIDE + 1, number, ways))
        elif states:
            trials.append((len(states), number, ways))
    return [ways for _, _, ways in sorted(trials, key=lambda trial: trial[:2])]


def _finish(
    public: RsaNumbers, ways: Multipliers, tree: _Tree, most_wide: int, nodes: _Nodes
) -> RsaPrivate | None:
    bits = (public.n.bit_length() + 1) // 2
    low = bits - reach(public.n.bit_length(), 3)
    states = tree.grow(low, most_wide, nodes)
    if not states:
        return None
    stretch = Stretch(public.n, low, bits - low, 3)
    for p, _, _ in states:
        prime = stretch.factor(p)
        if prime is not None:
            try:
                return rsa_from_prime(public, prime)
            except KeyFormatError:
                return None
    return None


#: p, q and (n − p·q)/2^i, as far as i bits go.
_State = tuple[int, int, int]


@dataclass(slots=True)
class _Exponent:
    """How bits of d, dp or dq follow from those of p and q: number·``divisor`` = ``one`` +
    ``multiplier``·f(p, q)."""

    known: KnownBits
    inverse: int  # of the odd part of the divisor
    down: int  # twos in the divisor
    up: int  # twos in the multiplier
    value: Callable[[int, int], int]

    def disagrees(self, at: int, p: int, q: int) -> bool:
        """Whether the bit that bit ``at`` of p and q fixes is another one than is known."""
        index = at + self.up - self.down
        bits = (1 << at + self.up + 1) - 1
        number = (self.value(p, q) & bits) * self.inverse >> self.down
        return bool((number ^ self.known.value) >> index & 1)

    def is_known(self, at: int) -> bool:
        """Whether that bit is known."""
        index = at + self.up - self.down
        return index >= 0 and bool(self.known.mask >> index & 1)


@dataclass(slots=True)
class _Tree:
    """Ways to choose the low bits of p and q."""

    public: RsaNumbers
    known: Mapping[str, KnownBits]
    ways: Multipliers
    _states: list[_State] = field(default_factory=list)
    _level: int = 1

    def __post_init__(self) -> None:
        self._states = [(1, 1, (self.public.n - 1) >> 1)]

    def grow(self, level: int, most_wide: int, nodes: _Nodes) -> list[_State] | None:
        """The ways that are left at ``level`` bits; None if they are too many."""
        nothing = KnownBits(0, 0)
        p_known, q_known = self.known.get("p", nothing), self.known.get("q", nothing)
        exponents = list(self._exponents())
        for at in range(self._level, level):
            checks = [one for one in exponents if one.is_known(at)]
            choices = (p_known.value >> at & 1,) if p_known.mask >> at & 1 else (0, 1)
            wanted = q_known.value >> at & 1 if q_known.mask >> at & 1 else None
            self._states = list(_next(self._states, at, choices, wanted, checks))
            nodes.count += len(self._states)
            if len(self._states) > most_wide or nodes.count > nodes.most:
                return None
            if not self._states:
                break
        self._level = level
        return self._states

    def _exponents(self) -> Iterator[_Exponent]:
        n, e, ways = self.public.n, self.public.e, self.ways
        modulus = 1 << n.bit_length() + 64
        if ways.k and "d" in self.known:
            down = twos(ways.common)
            inverse = pow((ways.common >> down) * e, -1, modulus)
            yield _Exponent(
                self.known["d"],
                inverse,
                down,
                twos(ways.k),
                lambda p, q: ways.common + ways.k * (n + 1 - p - q),
            )
        inverse = pow(e, -1, modulus)
        if ways.kp and "dp" in self.known:
            yield _Exponent(self.known["dp"], inverse, 0, twos(ways.kp), lambda p, q: 1 + ways.kp * (p - 1))
        if ways.kq and "dq" in self.known:
            yield _Exponent(self.known["dq"], inverse, 0, twos(ways.kq), lambda p, q: 1 + ways.kq * (q - 1))


def _next(
    states: list[_State],
    at: int,
    choices: tuple[int, ...],
    wanted: int | None,
    checks: list[_Exponent],
) -> Iterator[_State]:
    bit = 1 << at
    for p, q, rest in states:
        for one in choices:
            other = one ^ (rest & 1)
            if wanted is not None and other != wanted:
                continue
            higher_p = p | bit if one else p
            higher_q = q | bit if other else q
            if any(check.disagrees(at, higher_p, higher_q) for check in checks):
                continue
            # n − p·q changes by the products with the new bits
            less = (q if one else 0) + (p if other else 0) + (bit if one and other else 0)
            yield higher_p, higher_q, (rest - less) >> 1
