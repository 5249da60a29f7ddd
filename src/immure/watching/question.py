"""What a scan is asked: which keys are looked for, and how.

An old scan answers a new question if it was asked for the same keys, or more, in the same way, or a more
thorough one. A key that it was not asked for has to be looked for once more, that key only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final, Protocol

from immure.dumps.dump import Image
from immure.keymaterial.key import PublicKey
from immure.scanning.options import Mode, ScanOptions
from immure.scanning.report import tool
from immure.watching.finding import Hit
from immure.watching.item import Trouble

#: To be counted up when a scan finds what it did not find before, within a version of Immure.
EDITION: Final = "1"
_SKETCHED: Final = "sketch:"
#: Options that change what a scan costs, or that stand in the question in another way.
_NOT_MANNER: Final = frozenset({"mode", "threads", "chunk_bytes", "sketches"})


class TextRules(Protocol):
    """Rules by which bytes look like something, whatever engine they are of."""

    @property
    def name(self) -> str:
        """Names the rules: another one if they may find something else."""

    def search(self, image: Image, inside: str) -> tuple[list[Hit], list[Trouble]]:
        """What matches in an image, and what could not be searched."""


@dataclass(frozen=True)
class Question:
    """Keys, options and rules of a scan; ``seeks_keys`` is False if only the rules are asked."""

    keys: tuple[PublicKey, ...]
    options: ScanOptions
    rules: tuple[TextRules, ...] = ()
    seeks_keys: bool = True

    @cached_property
    def names(self) -> frozenset[str]:
        """What is looked for by name: thumbprints, and the fingerprints of secrets of sketches."""
        sketched = (secret.fingerprint for sketch in self.options.sketches for secret in sketch.secrets)
        ruled = [one.name for one in self.rules]
        return frozenset(
            [*(key.thumbprint for key in self.keys), *(_SKETCHED + name for name in sketched), *ruled]
        )

    @cached_property
    def sought(self) -> int:
        """How many keys and secrets are looked for by name; rules are neither."""
        return len(self.names) - len(self.rules)

    @cached_property
    def manner(self) -> str:
        """Names how it is looked for: 32 hexadecimal digits."""
        return _manner(self.options, self.options.mode)

    @cached_property
    def manners(self) -> tuple[str, ...]:
        """All manners that are as thorough: an exhaustive scan answers a quick question."""
        return tuple({self.manner, _manner(self.options, "exhaustive")})

    @cached_property
    def version(self) -> str:
        """The version of the key set: the manner and all names, digested; 32 hexadecimal digits."""
        return _digest([self.manner, *sorted(self.names)])

    def only(self, names: frozenset[str]) -> Question:
        """The same question for some of the names. What only the image names is not sought again."""
        keys = tuple(key for key in self.keys if key.thumbprint in names)
        sketches = tuple(
            sketch
            for sketch in self.options.sketches
            if any(_SKETCHED + secret.fingerprint in names for secret in sketch.secrets)
        )
        rules = tuple(one for one in self.rules if one.name in names)
        options = replace(self.options, harvest=False, sketches=sketches)
        return Question(keys, options, rules, seeks_keys=bool(keys or sketches))


def ask(keys: Sequence[PublicKey], options: ScanOptions, *rules: TextRules | None) -> Question:
    """The question; of keys that are given twice one is taken, and rules that are None are none."""
    unique = tuple({key.thumbprint: key for key in keys}.values())
    return Question(unique, options, tuple(one for one in rules if one is not None))


def _manner(options: ScanOptions, mode: Mode) -> str:
    words = [
        f"{name}={getattr(options, name)!r}"
        for name in sorted(_field_names(options))
        if name not in _NOT_MANNER
    ]
    return _digest([tool.version(), EDITION, mode, *words])


def _field_names(options: ScanOptions) -> list[str]:
    return [field.name for field in fields(options)]


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:32]
