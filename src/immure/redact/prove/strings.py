"""Every byte string that the prover looks for, and what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from immure.redact.prove.arithmetic import Number, numbers_of
from immure.redact.prove.kernels.probe import Needle, Prober, Room
from immure.redact.prove.lines import lines_of
from immure.redact.prove.secrets import KnownSecret
from immure.redact.prove.writings import Writing, writings

#: Bytes of a window: what is shorter is compared with the image string by string.
_WINDOW: Final = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """A part of a string: ``length`` bytes at ``offset`` of the image, ``at`` bytes into the string."""

    string: int
    offset: int
    at: int
    length: int


@dataclass(frozen=True, slots=True)
class SecretString:
    """A number of the secret with this index, in an encoding."""

    secret: int
    writing: Writing


class Strings:
    """All strings of some secrets, ready to be looked for; used by all threads.

    Attributes:
        all: the strings, equal ones once.
        numbers: the numbers of each secret.
    """

    def __init__(self, secrets: Sequence[KnownSecret]) -> None:
        self.numbers = [numbers_of(secret) for secret in secrets]
        self.all = list(_distinct(_strings(secrets, self.numbers)))
        sizes = [len(one.writing.data) for one in self.all]
        self._long = [index for index, size in enumerate(sizes) if size >= _WINDOW]
        self._short = [
            (index, self.all[index].writing.data) for index, size in enumerate(sizes) if size < _WINDOW
        ]
        self._prober = Prober([self._needle(index) for index in self._long])
        self.facts = self._prober.facts

    def _needle(self, index: int) -> Needle:
        writing = self.all[index].writing
        # a single word is enough to be told of; whether it is a fragment or residue is decided later
        return Needle(writing.data, max(_WINDOW, writing.least), writing.by_words)

    @property
    def longest(self) -> int:
        """Bytes of the longest string."""
        return max((len(one.writing.data) for one in self.all), default=0)

    def find(self, room: Room, length: int, start: int, stop: int, base: int, most: int) -> list[Hit]:
        """Hits in the first ``length`` bytes of the room, which begin at ``base`` of the image, of which a
        window lies in [start, stop)."""
        found = self._prober.find(room, length, start, stop, most=most)
        hits = [Hit(self._long[needle], base + offset, at, size) for needle, offset, at, size in found]
        for index, data in self._short:
            at = room.buffer.find(data, start, min(length, stop + len(data) - 1))
            while at >= 0:
                hits.append(Hit(index, base + at, 0, len(data)))
                at = room.buffer.find(data, at + 1, min(length, stop + len(data) - 1))
        return hits

    def chance(self, searched: int) -> float:
        """Odds that in so many random bytes some part of a string that counts stands by chance."""
        odds = 0.0
        for one in self.all:
            writing = one.writing
            if not writing.number.words_only:
                bits = writing.least * writing.number.bits / len(writing.data)
                odds += searched * len(writing.data) * 2.0 ** -min(bits, 1000)
        return min(1.0, odds)

    def chance_of_words(self, searched: int) -> float:
        """Odds that in so many random bytes some word of a number stands by chance."""
        return min(1.0, searched * self.facts.words * 2.0**-64)


def _strings(secrets: Sequence[KnownSecret], numbers: Sequence[list[Number]]) -> Iterator[SecretString]:
    for index, (secret, own) in enumerate(zip(secrets, numbers, strict=True)):
        for number in own:
            for writing in writings(number):
                yield SecretString(index, writing)
        for writing in lines_of(secret, own):
            yield SecretString(index, writing)


def _distinct(strings: Iterator[SecretString]) -> Iterator[SecretString]:
    """The first of those with equal bytes."""
    seen: set[bytes] = set()
    for one in strings:
        if one.writing.data not in seen:
            seen.add(one.writing.data)
            yield one
