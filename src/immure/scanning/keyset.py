"""The keys that a scan looks for: named ones and harvested ones, each numbers once, grouped as the kernels
want them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from immure.keymaterial.key import Numbers, PublicKey, RsaNumbers
from immure.scanning.finding import FindingKind

#: Sizes of moduli that can be searched for, in bits.
RSA_BITS = range(1024, 8192 + 1)


def prime_bits(n: int) -> int:
    """Bits of the primes of a modulus whose two primes have the same number of bits."""
    return (n.bit_length() + 1) // 2


@dataclass
class Entry:
    """One key, everything that was said of it, and how we came to look for it."""

    key: PublicKey
    kind: FindingKind
    others: list[PublicKey] = field(default_factory=list)


class KeySet:
    """Keys by their numbers. The first that brings a key gives it its name; later ones are kept beside it."""

    def __init__(self, keys: Iterable[PublicKey] = (), kind: FindingKind = "named") -> None:
        self._entries: dict[Numbers, Entry] = {}
        for key in keys:
            self.add(key, kind)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, numbers: Numbers) -> bool:
        return numbers in self._entries

    def add(self, key: PublicKey, kind: FindingKind) -> None:
        """Add a key, or another place where it was learned."""
        entry = self._entries.get(key.numbers)
        if entry is None:
            self._entries[key.numbers] = Entry(key, kind)
        elif kind == "named":
            if key.origin != entry.key.origin:
                entry.others.append(key)
        elif kind == "harvested" and entry.kind == "unnamed":
            self._entries[key.numbers] = Entry(
                key, kind
            )  # its public half stands in the image on its own, too

    def get(self, numbers: Numbers) -> Entry | None:
        """What is known of a key."""
        return self._entries.get(numbers)

    def copy(self) -> KeySet:
        """A set of its own with the same keys, to harvest into."""
        other = KeySet()
        other._entries = {
            numbers: Entry(entry.key, entry.kind, list(entry.others))
            for numbers, entry in self._entries.items()
        }
        return other

    def rsa_by_prime_bits(self) -> dict[int, list[RsaNumbers]]:
        """RSA keys that can be searched for, by the size of their primes; smallest first."""
        groups: dict[int, list[RsaNumbers]] = defaultdict(list)
        for numbers in self._entries:
            if isinstance(numbers, RsaNumbers) and numbers.n.bit_length() in RSA_BITS and numbers.n % 2:
                groups[prime_bits(numbers.n)].append(numbers)
        return dict(sorted(groups.items()))

    def on_curves(self) -> dict[str, list[Numbers]]:
        """The other keys, by curve."""
        groups: dict[str, list[Numbers]] = defaultdict(list)
        for numbers in self._entries:
            if not isinstance(numbers, RsaNumbers):
                groups[numbers.curve].append(numbers)
        return dict(groups)

    def unsearchable(self) -> list[PublicKey]:
        """Keys of a size that the scanner does not search for."""
        return [
            entry.key
            for numbers, entry in self._entries.items()
            if isinstance(numbers, RsaNumbers)
            and (numbers.n.bit_length() not in RSA_BITS or numbers.n % 2 == 0)
        ]

    def entries(self) -> list[Entry]:
        """All of them, in the order in which they came."""
        return list(self._entries.values())
