"""Findings of which nothing could be rebuilt: what is there, and that it is not enough."""

from __future__ import annotations

from collections.abc import Iterator

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers
from immure.scanning.deep.exponent_parts import ExponentParts
from immure.scanning.deep.scalar_parts import ScalarParts
from immure.scanning.finding import Finding, Partial
from immure.scanning.keyset import Entry
from immure.scanning.occurrences import occurrence

_HALF_BITS = 128


def exponent_fragments(
    search: ExponentParts, entries: dict[Numbers, Entry], done: set[Numbers], image: Image
) -> Iterator[Finding]:
    """Upper parts of private exponents: certainly of the key, and no more than its public half tells."""
    for key, place, layout, bits in search.fragments:
        entry = entries.get(key)
        if entry is None or key in done:
            continue
        whole = key.n.bit_length()
        # the bits below are of d, too, though only who has it can say so: they are told, and erased, with it
        offset, length = place.standing(whole // 8)
        words = (
            f"the highest {bits} of the {whole} bits of d are there, which e and n fix but for a factor"
            " below e: what is missing cannot be computed"
        )
        found = occurrence(image, offset, length, "d", layout, whole=False)
        yield Finding(
            entry.key, "partial", words, [found], entry.others, Partial("d", bits, whole, rebuilt=False)
        )


def seed_fragments(
    search: ScalarParts, entries: dict[Numbers, Entry], done: set[Numbers], image: Image
) -> Iterator[Finding]:
    """Halves of seeds beside their public keys: not proved."""
    by_key: dict[Numbers, list[int]] = {}
    for half in search.halves:
        by_key.setdefault(half.public, []).append(half.offset)
    for key, offsets in by_key.items():
        entry = entries.get(key)
        if entry is None or key in done:
            continue
        words = (
            "16 bytes that look random, in a freed chunk of 64 bytes before the public key, where a key"
            " of OpenSSH has the second half of its seed; the 128 missing bits cannot be computed, so this"
            " is not proved"
        )
        found = [
            occurrence(image, offset, _HALF_BITS // 8, "seed", "raw", whole=False)
            for offset in sorted(offsets)
        ]
        partial = Partial("seed", _HALF_BITS, 2 * _HALF_BITS, rebuilt=False)
        yield Finding(entry.key, "partial", words, found, entry.others, partial)
