"""What reading a source of keys gives: the keys, and notes on what was left out, taken in part, or is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from immure.errors import InputError, KeyFormatError, KeySourceError
from immure.keymaterial.key import Numbers, Origin, PublicKey, RsaNumbers

#: Gets the document at a URL, or raises KeySourceError.
Fetcher = Callable[[str], bytes]

#: Bits of an RSA modulus whose private numbers can be searched for.
SEARCHED_RSA_BITS = (1024, 8192)


@dataclass(frozen=True, slots=True)
class LoadedKeys:
    """Public keys in the order of their source, and notes for people; iterates over the keys."""

    keys: tuple[PublicKey, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(slots=True)
class Collector:
    """Gathers keys and notes from one source; ``source`` is the path or URL that notes and errors name."""

    source: str
    keys: list[PublicKey] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first_problem: InputError | None = None
    _kids: dict[str, Numbers] = field(default_factory=dict)

    def add(self, numbers: Numbers, origin: Origin) -> None:
        """Takes a key, and notes a size that is not searched or a kid that another key has too."""
        key = PublicKey(numbers, origin)
        self.keys.append(key)
        if isinstance(numbers, RsaNumbers) and not SEARCHED_RSA_BITS[0] <= key.size <= SEARCHED_RSA_BITS[1]:
            least, most = SEARCHED_RSA_BITS
            self.note(f"a key of {key.size} bits: RSA numbers are searched for from {least} to {most} bits")
        if origin.kid is not None:
            if origin.kid in self._kids:
                which = "the same key" if self._kids[origin.kid] == numbers else "another key"
                self.note(f"kid {origin.kid!r} is used twice, the second time for {which}")
            self._kids.setdefault(origin.kid, numbers)

    def note(self, text: str) -> None:
        """Remarks on the source."""
        self.notes.append(f"{self.source}: {text}")

    def problem(self, reason: str, where: str = "") -> None:
        """Something that claims to be a key and is none: a note, or the error if nothing else is found."""
        reason = f"{where}: {reason}" if where else reason
        self.note(reason)
        if self.first_problem is None:
            self.first_problem = KeyFormatError(reason, path=self.source)

    def result(self) -> LoadedKeys:
        """What was gathered.

        Raises:
            KeyFormatError: no key was, but something that should have been one.
            KeySourceError: nothing was.
        """
        if not self.keys:
            why = f" ({self.notes[0].removeprefix(self.source + ': ')})" if self.notes else ""
            raise self.first_problem or KeySourceError(f"holds no public key{why}", path=self.source)
        return LoadedKeys(tuple(self.keys), tuple(self.notes))
