"""What is left of each key in pieces that are too short to be fragments, held against what is enough.

A redaction erases parts of 15 bytes. What is left then are single words of a number, by accident of what
overwrote the rest. Bits of them are collected by number, and compared with the bounds in
:mod:`immure.redact.prove.options`. That the bits of one number may lie anywhere, while some bounds are for
bits side by side, makes the comparison stricter than it had to be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.keymaterial.private import RsaPrivate
from immure.redact.prove.arithmetic import Number
from immure.redact.prove.bits import bits_of
from immure.redact.prove.lattice import attempt
from immure.redact.prove.options import EXPONENT_SHARE, PRIME_SHARE, REBUILD_SHARE, ResidueLimits
from immure.redact.prove.report import Attempt, Bound, KeyResidue
from immure.redact.prove.secrets import KnownSecret, kind_of, name_of
from immure.redact.prove.strings import Hit, Strings

_EXPONENTS: Final = ("d", "d_lambda", "d_given")
_REBUILT_FROM: Final = ("p", "q", "dp", "dq")


@dataclass
class _Left:
    """Bits that are left of one key's numbers, and the places in the image that they were read at."""

    masks: dict[str, int] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)

    def add(self, number: Number, mask: int) -> None:
        name = number.name
        if number.tells is not None:
            name, skip, bits = number.tells
            # of 1/p as many low bits tell the same number of low bits of p; a word in its middle tells none,
            # but a whole one is all there is
            mask = mask & ((1 << bits) - 1) >> skip << skip
        if mask:
            self.masks[name] = self.masks.get(name, 0) | mask

    def explain(self, hits: Sequence[Hit]) -> None:
        """Remember the places of hits, which are in order."""
        for hit in hits:
            start, stop = hit.offset, hit.offset + hit.length
            if self.stops and start <= self.stops[-1]:
                self.stops[-1] = max(self.stops[-1], stop)
            else:
                self.starts.append(start)
                self.stops.append(stop)

    def unexplained(self, hit: Hit) -> list[tuple[int, int]]:
        """(start, stop) of a hit, in its own bytes, where no other was."""
        at, end, result = hit.offset, hit.offset + hit.length, []
        index = max(0, bisect_right(self.starts, at) - 1)
        while index < len(self.starts) and self.starts[index] < end:
            if at < self.starts[index]:
                result.append((at - hit.offset, self.starts[index] - hit.offset))
            at = max(at, self.stops[index])
            index += 1
        return [*result, (at - hit.offset, hit.length)] if at < end else result


def residues(
    secrets: Sequence[KnownSecret], strings: Strings, hits: Sequence[Hit], limits: ResidueLimits
) -> list[KeyResidue]:
    """What is left of each secret, by all hits (in order of place), fragments included."""
    by_secret: list[list[Hit]] = [[] for _ in secrets]
    for hit in hits:
        by_secret[strings.all[hit.string].secret].append(hit)
    return [
        _residue(secret, numbers, _left(strings, own), limits)
        for secret, numbers, own in zip(secrets, strings.numbers, by_secret, strict=True)
    ]


def _left(strings: Strings, hits: Sequence[Hit]) -> _Left:
    """Numbers that repeat others count only where no other number explains what was found."""
    left = _Left()
    first = [hit for hit in hits if not strings.all[hit.string].writing.number.part_of]
    for hit in first:
        writing = strings.all[hit.string].writing
        left.add(writing.number, bits_of(writing, hit.at, hit.length))
    left.explain(first)
    for hit in hits:
        writing = strings.all[hit.string].writing
        if writing.number.part_of:
            for start, stop in left.unexplained(hit):
                left.add(writing.number, bits_of(writing, hit.at + start, stop - start))
    return left


def _residue(
    secret: KnownSecret, numbers: Sequence[Number], left: _Left, limits: ResidueLimits
) -> KeyResidue:
    bits = {number.name: number.bits for number in numbers}
    counts = {name: mask.bit_count() for name, mask in left.masks.items()}
    bounds: list[Bound] = []
    attempts: list[Attempt] = []
    if isinstance(secret, RsaPrivate):
        bounds = _rsa_bounds(counts, bits, limits)
        primes = {"p": secret.p.reveal(), "q": secret.q.reveal()}
        for name, prime in primes.items():
            attempts += attempt(name, secret.public.n, prime, left.masks.get(name, 0))
    else:
        bounds = [Bound("bits of all numbers", sum(counts.values()), 64, limits.scalar_bits)]
    return KeyResidue(name_of(secret), kind_of(secret), counts, bits, tuple(bounds), tuple(attempts))


def _rsa_bounds(counts: dict[str, int], bits: dict[str, int], limits: ResidueLimits) -> list[Bound]:
    exponent = max((name for name in _EXPONENTS if name in bits), key=lambda name: counts.get(name, 0))
    together = (*_REBUILT_FROM, exponent)
    share = sum(counts.get(name, 0) for name in together) / sum(bits.get(name, 0) for name in together)
    bounds = [Bound("Heninger–Shacham: p, q, d, dp, dq", share, REBUILD_SHARE, limits.rsa_share)]
    for name, count in counts.items():
        is_exponent = name in _EXPONENTS
        enough = EXPONENT_SHARE if is_exponent else PRIME_SHARE
        limit = limits.number_share / 2 if is_exponent else limits.number_share
        bounds.append(Bound(f"Coppersmith: {name}", count / bits[name], enough, limit))
    return bounds
