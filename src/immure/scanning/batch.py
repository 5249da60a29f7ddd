"""Many candidates against many moduli at once: product and remainder trees (Bernstein's batch gcd), on FLINT.

The product of a batch of candidates, modulo the product of all moduli, and then modulo each modulus, shares a
factor with a modulus if and only if one of the candidates does. So a batch costs about the same for ten
moduli as for a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd
from typing import Any


def product_tree(numbers: Sequence[Any]) -> list[list[Any]]:
    """Levels of products, the numbers themselves first, the product of all last."""
    levels = [list(numbers)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        level = [below[i] * below[i + 1] for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            level.append(below[-1])
        levels.append(level)
    return levels


def product_modulo(numbers: Sequence[Any], modulus: Any) -> Any:
    """The product of all numbers, modulo ``modulus``; reduced on the way, because the modulus of few keys is
    short."""
    level = list(numbers)
    while len(level) > 1:
        pairs = [level[i] * level[i + 1] % modulus for i in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
    return level[0] % modulus


def remainders(value: Any, tree: Sequence[Sequence[Any]]) -> list[Any]:
    """``value`` modulo each of the numbers that the tree was made of."""
    rest = [value % tree[-1][0]]
    for level in reversed(tree[:-1]):
        rest = [rest[i // 2] % modulus for i, modulus in enumerate(level)]
    return rest


class Batch:
    """Collects candidates for a group of moduli and tells which of them share a factor with which modulus.

    Args:
        moduli: RSA moduli.
        transform: from a candidate to the number that shares the factor (R² − x for the Montgomery
            constant x); the candidate itself by default.

    ``add`` returns hits whenever enough candidates came together; call ``flush`` at the end for the rest. A
    hit is (tag, index of the modulus, common factor); the tag is what was given with the candidate. The same
    candidate is tested once.
    """

    def __init__(self, moduli: Sequence[int], transform: Callable[[int], int] | None = None) -> None:
        from flint import fmpz

        self._fmpz = fmpz
        self._moduli = list(moduli)
        self._tree = product_tree([fmpz(n) for n in self._moduli])
        self._transform = transform
        self._size = max(2048, 2 * len(self._moduli))
        self._seen: set[int] = set()
        self._waiting: list[tuple[int, int]] = []

    def add(self, value: int, tag: int) -> list[tuple[int, int, int]]:
        """Queue a candidate."""
        if value in self._seen:
            return []
        self._seen.add(value)
        self._waiting.append((self._transform(value) if self._transform else value, tag))
        return self.flush() if len(self._waiting) >= self._size else []

    def flush(self) -> list[tuple[int, int, int]]:
        """Test what is queued."""
        waiting, self._waiting = self._waiting, []
        self._seen.clear()
        if not waiting or not self._moduli:
            return []
        product = product_modulo([self._fmpz(value) for value, _ in waiting], self._tree[-1][0])
        hits: list[tuple[int, int, int]] = []
        for index, rest in enumerate(remainders(product, self._tree)):
            n = self._moduli[index]
            # small factors, which only a modulus that is no key has, would cost a gcd for each candidate
            least = n.bit_length() // 4
            if gcd(int(rest), n).bit_length() <= least:
                continue
            for value, tag in waiting:
                common = gcd(value, n)
                if common.bit_length() > least and common < n:
                    hits.append((tag, index, common))
        return hits
