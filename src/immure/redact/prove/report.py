"""What a proof says: four parts, each with a status; none of them holds a secret."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["ok", "failed", "not done"]

#: So many of the fragments and changes are listed in JSON; all of them are counted.
MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a secret number that is still there. ``at`` is where in its encoding the part begins."""

    offset: int
    length: int
    key: str
    number: str
    encoding: str
    at: int
    region: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ScanPart:
    """The independent scan.

    Attributes:
        searched_bytes: bytes of the image without holes and zero chunks at a stretch.
        strings, windows: byte strings that were looked for, and windows of them.
        bare: strings a part of which cannot be looked for, being zeros (such as those of a very small
            scalar).
        chance: odds that a fragment is none, but agrees by chance; an upper bound.
        fragments: what was found, longest parts only.
    """

    status: Status
    reason: str = ""
    searched_bytes: int = 0
    strings: int = 0
    windows: int = 0
    bare: int = 0
    chance: float = 0.0
    fragments: tuple[Fragment, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "status": self.status,
            "reason": self.reason,
            "searched_bytes": self.searched_bytes,
            "strings": self.strings,
            "windows": self.windows,
            "strings_with_zeros": self.bare,
            "chance_of_a_false_fragment": self.chance,
            "fragments": len(self.fragments),
            "listed": [fragment.to_json() for fragment in self.fragments[:MOST_LISTED]],
        }


@dataclass(frozen=True, slots=True)
class Bound:
    """A share that was held against what is known to be enough to rebuild the key."""

    name: str
    share: float
    enough: float
    limit: float

    @property
    def ok(self) -> bool:
        """Whether it is below the limit."""
        return self.share <= self.limit


@dataclass(frozen=True, slots=True)
class Attempt:
    """A real attempt to compute a prime from what is left of it."""

    number: str
    unknown_bits: int
    dimension: int
    recovered: bool


@dataclass(frozen=True, slots=True)
class KeyResidue:
    """What is left of one key.

    Attributes:
        bits_left: distinct bits of each number that can still be read, of numbers of which any can.
        bits: how many each of them has.
        share: the largest share, by the bounds.
    """

    key: str
    kind: str
    bits_left: dict[str, int]
    bits: dict[str, int]
    bounds: tuple[Bound, ...]
    attempts: tuple[Attempt, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every bound holds, and no attempt succeeded."""
        return all(bound.ok for bound in self.bounds) and not any(a.recovered for a in self.attempts)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "key": self.key,
            "kind": self.kind,
            "ok": self.ok,
            "bits_left": {
                name: {"left": left, "of": self.bits[name]} for name, left in self.bits_left.items()
            },
            "bounds": [
                {"name": b.name, "share": round(b.share, 6), "enough": b.enough, "limit": b.limit, "ok": b.ok}
                for b in self.bounds
            ],
            "attempts": [asdict(attempt) for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class ResiduePart:
    """What is left in pieces too short to be fragments.

    Attributes:
        words: words that were looked for; ``chance`` the odds that any of them stands there by chance.
        words_left_out: words that were not, being plain text or having zeros side by side.
        pieces: what was found of such, as short as it is.
    """

    status: Status
    reason: str = ""
    words: int = 0
    words_left_out: int = 0
    chance: float = 0.0
    pieces: tuple[Fragment, ...] = ()
    keys: tuple[KeyResidue, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "status": self.status,
            "reason": self.reason,
            "words": self.words,
            "words_left_out": self.words_left_out,
            "chance_of_a_false_word": self.chance,
            "pieces": len(self.pieces),
            "listed": [piece.to_json() for piece in self.pieces[:MOST_LISTED]],
            "keys": [key.to_json() for key in self.keys],
        }


@dataclass(frozen=True, slots=True)
class Change:
    """The first wrong byte of a stretch: outside of the spans, or inside and not fill."""

    offset: int
    bytes_wrong: int
    inside: bool


@dataclass(frozen=True, slots=True)
class BytesPart:
    """Every byte outside the spans is as it was, every byte inside is fill."""

    status: Status
    reason: str = ""
    compared_bytes: int = 0
    filled_bytes: int = 0
    changes: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "status": self.status,
            "reason": self.reason,
            "compared_bytes": self.compared_bytes,
            "filled_bytes": self.filled_bytes,
            "changes": [
                {"offset": c.offset, "bytes_wrong": c.bytes_wrong, "inside_a_span": c.inside}
                for c in self.changes[:MOST_LISTED]
            ],
        }


@dataclass(frozen=True, slots=True)
class DebuggerPart:
    """Another program opens both images and sees the same.

    Attributes:
        reader: which one: ``GNU gdb 16.3``.
        compared: how many of what was compared: threads, frames, registers, modules, classes.
    """

    status: Status
    reason: str = ""
    reader: str = ""
    compared: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "status": self.status,
            "reason": self.reason,
            "reader": self.reader,
            "compared": dict(self.compared),
        }


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What was proved, and what was not."""

    scan: ScanPart
    residue: ResiduePart
    bytes: BytesPart
    debugger: DebuggerPart
    seconds: float = 0.0

    @property
    def parts(self) -> dict[str, ScanPart | ResiduePart | BytesPart | DebuggerPart]:
        """The parts by name."""
        return {
            "scan": self.scan,
            "residue": self.residue,
            "bytes": self.bytes,
            "debugger": self.debugger,
        }

    @property
    def ok(self) -> bool:
        """Whether no part failed, and the first three were done."""
        done = all(part.status == "ok" for part in (self.scan, self.residue, self.bytes))
        return done and self.debugger.status != "failed"

    @property
    def complete(self) -> bool:
        """Whether every part was done and is well."""
        return all(part.status == "ok" for part in self.parts.values())

    @property
    def reasons(self) -> list[str]:
        """Why it failed, a line for each part that did."""
        return [f"{name}: {part.reason}" for name, part in self.parts.items() if part.status == "failed"]

    @property
    def not_done(self) -> list[str]:
        """What could not be done, and why."""
        return [f"{name}: {part.reason}" for name, part in self.parts.items() if part.status == "not done"]

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; without secrets."""
        parts = {name: part.to_json() for name, part in self.parts.items()}
        return {"ok": self.ok, "complete": self.complete, "seconds": round(self.seconds, 3), **parts}
