"""The search of one image for what is left of damaged keys, after the search for whole ones.

Only keys are looked for that are not found by then: of those that are, the sweep lists every piece anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers
from immure.scanning.chunks import Chunk
from immure.scanning.deep.budget import Budget
from immure.scanning.deep.crt import CrtExponents
from immure.scanning.deep.erased import ErasedEncodings
from immure.scanning.deep.exponent_parts import ExponentParts
from immure.scanning.deep.fragments import exponent_fragments, seed_fragments
from immure.scanning.deep.primes import PrimeParts
from immure.scanning.deep.rebuilt import Rebuilt
from immure.scanning.deep.scalar_parts import ScalarParts
from immure.scanning.deep.work import Work
from immure.scanning.finding import Finding, NotSearched, Occurrence, Partial
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.keyset import Entry, KeySet
from immure.scanning.occurrences import occurrence


class Parts(Protocol):
    """Looks for what is left of one kind of number."""

    def examine(self, space: Workspace, chunk: Chunk) -> Any:
        """Gather from the chunk in the workspace; by any thread."""

    def take(self, examined: Any) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""

    def solve(self, work: Work) -> Iterator[Rebuilt]:
        """Try what was gathered."""


class Deep:
    """The search for damaged keys in one image.

    Args:
        lost: the keys that are not found.
        everywhere: try every place that looks random, not only ends of runs.
        is_jvm: Java's layout of numbers is to be expected.
        budget: how much to try.

    Attributes:
        partials: how much there was of each key that was rebuilt.
        pieces: where, as far as the sweep may not find it.
        fragments: findings of which nothing could be rebuilt.
    """

    def __init__(
        self,
        lost: Sequence[Entry],
        *,
        everywhere: bool = False,
        is_jvm: bool = False,
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._searches: list[Parts] = []
        self._exponents: list[ExponentParts] = []
        self._scalars: list[ScalarParts] = []
        self._entries = {entry.key.numbers: entry for entry in lost}
        self.partials: dict[Numbers, Partial] = {}
        self.pieces: dict[Numbers, list[Occurrence]] = {}
        self.fragments: list[Finding] = []
        # those that the user named come first, and have the whole budget
        for is_named in (True, False):
            keys = [entry.key for entry in lost if (entry.kind == "named") is is_named]
            self._add_rsa(KeySet(keys), everywhere, is_jvm)
            scalars = ScalarParts([key.numbers for key in keys])
            if not scalars.is_idle:
                self._scalars.append(scalars)
                self._searches.append(scalars)

    def _add_rsa(self, keys: KeySet, everywhere: bool, is_jvm: bool) -> None:
        for bits, numbers in keys.rsa_by_prime_bits().items():
            if bits % 64:
                self._budget.skip(len(numbers), f"primes of {bits} bits, which is no multiple of 64")
                continue
            exponents = ExponentParts(numbers, 2 * bits, everywhere=everywhere, words=is_jvm)
            self._budget.skip(exponents.too_great, "private exponents of keys whose e has more than 24 bits")
            self._exponents.append(exponents)
            self._searches += [
                PrimeParts(numbers, bits, everywhere=everywhere, words=is_jvm),
                exponents,
                ErasedEncodings(numbers),
                CrtExponents(numbers, bits, words=is_jvm),
            ]

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._searches

    def examine(self, space: Workspace, chunk: Chunk) -> list[Any]:
        """Gather from the chunk in the workspace; by any thread."""
        if not space.find_runs():
            return [None] * len(self._searches)
        space.find_quiet_runs(chunk.read_start)
        return [search.examine(space, chunk) for search in self._searches]

    def take(self, examined: Sequence[Any]) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        for search, one in zip(self._searches, examined, strict=True):
            if one is not None:
                search.take(one)

    def solve(self, image: Image) -> Iterator[Rebuilt]:
        """Try what was gathered; every key that could be rebuilt."""
        work = Work(self._budget, image.reader)
        for search in self._searches:
            for rebuilt in search.solve(work):
                if rebuilt.proof.public not in self.partials:
                    self.partials[rebuilt.proof.public] = rebuilt.partial
                    self.pieces[rebuilt.proof.public] = [
                        occurrence(image, offset, length, rebuilt.proof.secret, encoding, whole=False)
                        for offset, length, encoding in rebuilt.pieces
                    ]
                    work.done.add(rebuilt.proof.public)
                    yield rebuilt
        for exponents in self._exponents:
            self.fragments += exponent_fragments(exponents, self._entries, work.done, image)
        for scalars in self._scalars:
            self.fragments += seed_fragments(scalars, self._entries, work.done, image)

    @property
    def attempts(self) -> int:
        """How many were made, of all kinds."""
        return sum(self._budget.tried.values())

    def not_searched(self, size: int) -> list[NotSearched]:
        """What was not tried."""
        return list(self._budget.not_searched(size))
