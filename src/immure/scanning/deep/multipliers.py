"""The multipliers that tie the numbers of an RSA key to each other, from bits of d.

g·e·d = g + k·φ(n), e·dp = 1 + kp·(p − 1), e·dq = 1 + kq·(q − 1). k is what makes k·(n + 1)/(e·g) agree with
the known bits in the upper half of d; kp and kq follow from k modulo e (Heninger and Shacham, section 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Final

from immure.keymaterial.key import RsaNumbers

#: Numbers of which bits may be known.
NUMBERS: Final = ("p", "q", "d", "dp", "dq")
#: Greatest public exponents whose multipliers are tried one by one.
MOST_E_BITS: Final = 20
#: gcd(p − 1, q − 1) that are tried: all up to 16, and if none fits, up to 128 (of random keys one in 300 has
#: more).
_COMMON: Final = ((1, *range(2, 17, 2)), tuple(range(18, 129, 2)))
#: Bits of d that have to be known in its upper half to tell k.
_LEAST_OF_D: Final = 48
#: Bits below the middle of d that k·(n + 1)/(e·g) need not have right.
_BLURRED: Final = 40


@dataclass(frozen=True, slots=True)
class KnownBits:
    """Bits of a number that are known: those in ``mask``; the others of ``value`` do not count. Secret."""

    value: int
    mask: int

    def __repr__(self) -> str:
        return f"KnownBits({self.mask.bit_count()} bits)"


@dataclass(frozen=True, slots=True)
class Multipliers:
    """g, k, kp and kq, where they are needed; 0 where they are not."""

    common: int = 1
    k: int = 0
    kp: int = 0
    kq: int = 0


def multipliers(public: RsaNumbers, known: Mapping[str, KnownBits]) -> Iterator[Multipliers]:
    """All choices of g, k, kp and kq that agree with the bits that are known of the upper half of d; none if
    d is no private exponent of the key. Where too little is known of d, it is left out, and kp and kq may be
    any."""
    d = known.get("d")
    exponents = list(_of_exponent(public, d)) if d is not None and _tells_k(public, d) else [Multipliers()]
    crt = any(known[name].mask for name in ("dp", "dq") if name in known)
    for one in exponents:
        if not crt or public.e.bit_length() > MOST_E_BITS:
            yield one
        elif one.k:
            for kp, kq in _of_crt(public, one):
                yield Multipliers(one.common, one.k, kp, kq)
        else:
            for kp in range(1, public.e):
                if (partner := _partner(public, kp)) is not None:
                    yield Multipliers(1, 0, kp, partner)


def _tells_k(public: RsaNumbers, d: KnownBits) -> bool:
    low = public.n.bit_length() // 2 + _BLURRED
    return (d.mask >> low).bit_count() >= _LEAST_OF_D and public.e.bit_length() <= MOST_E_BITS


def _of_exponent(public: RsaNumbers, d: KnownBits) -> Iterator[Multipliers]:
    n, e = public.n, public.e
    low = n.bit_length() // 2 + _BLURRED
    mask = d.mask >> low
    value = (d.value >> low) & mask
    shifted = (n + 1) >> low - 32
    for group in _COMMON:
        found = False
        for common in group:
            divisor = e * common
            for k in range(1, e):
                if (k * shifted // divisor >> 32) & mask == value and _is_first(common, k):
                    found = True
                    yield Multipliers(common, k)
        if found:
            return


def _is_first(common: int, k: int) -> bool:
    """Whether k/g has not been tried in lower terms."""
    reduced = common // gcd(common, k)
    return reduced == common or (reduced > 1 and reduced % 2 == 1)


def _of_crt(public: RsaNumbers, ways: Multipliers) -> list[tuple[int, int]]:
    """(kp, kq): kp·kq = −k/g and (kp − 1)·(kq − 1) = kp·kq·n, modulo e."""
    n, e = public.n, public.e
    try:
        ratio = ways.k * pow(ways.common, -1, e) % e
    except ValueError:
        return []
    linear = (ratio * (n - 1) + 1) % e
    found = []
    for kp in range(1, e):
        if (kp * kp - linear * kp - ratio) % e == 0:
            kq = _partner(public, kp)
            if kq is not None:
                found.append((kp, kq))
    return found


def _partner(public: RsaNumbers, kp: int) -> int | None:
    """kq, which kp fixes modulo e."""
    n, e = public.n, public.e
    try:
        return (kp - 1) * pow(kp * (1 - n) - 1, -1, e) % e or None
    except ValueError:
        return None


def twos(number: int) -> int:
    """How often 2 divides it."""
    return (number & -number).bit_length() - 1
