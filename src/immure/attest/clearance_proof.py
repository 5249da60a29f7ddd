"""The proof in a clearance (:mod:`immure.attest.clearance`): what was checked, and what is left.

Shares are given in parts per million, so that there are only integers, which all readers read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from immure.attest.clearance_parts import MAX_FINDINGS, MAX_NAMES, plain
from immure.attest.fields import Fields

Status = Literal["ok", "failed", "not done"]
PPM: Final = 1_000_000
_MAX_BOUNDS: Final = 100


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was tried on the result, and what came of it."""

    name: str
    status: Status
    detail: str

    @classmethod
    def read(cls, fields: Fields) -> Check:
        """From JSON."""
        status: Status = fields.choice("status", get_args(Status))
        return cls(fields.name("name"), status, fields.text("detail", least=0))


@dataclass(frozen=True, slots=True)
class Bound:
    """A share of a key's bits that is known to be enough to rebuild it, and how much of it is left.

    Attributes:
        share_ppm: what is left.
        enough_ppm: what would be enough.
        limit_ppm: what was allowed to be left.
    """

    name: str
    share_ppm: int
    enough_ppm: int
    limit_ppm: int

    @classmethod
    def read(cls, fields: Fields) -> Bound:
        """From JSON."""
        shares = (fields.integer(name, PPM) for name in ("share_ppm", "enough_ppm", "limit_ppm"))
        return cls(fields.name("name"), *shares)


@dataclass(frozen=True, slots=True)
class Residue:
    """What is left of one key or secret, and of how many bits that is.

    Attributes:
        key: thumbprint of the key, or name of the secret.
        kind: what it is (``RSA-2048``, ``secret`` …).
        bits_left, bits: of all its numbers together.
        bounds: shares that were held against what is enough to rebuild it.
    """

    key: str
    kind: str
    bits_left: int
    bits: int
    bounds: tuple[Bound, ...]

    @classmethod
    def read(cls, fields: Fields) -> Residue:
        """From JSON."""
        counts = fields.integer("bits_left"), fields.integer("bits")
        bounds = fields.items("bounds", _MAX_BOUNDS, Bound.read)
        return cls(fields.name("key"), fields.name("kind"), *counts, bounds)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**plain(self), "bounds": [plain(one) for one in self.bounds]}


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that the result is clean.

    Attributes:
        holds: whether nothing of it failed.
        complete: whether, besides, all of it could be done.
        searched_bytes: how much of the result the second scanner searched.
        fragments: parts of secret numbers that it found.
        checks: what was tried.
        residues: what is left of each key and secret.
    """

    holds: bool
    complete: bool
    searched_bytes: int
    fragments: int
    checks: tuple[Check, ...]
    residues: tuple[Residue, ...]

    @classmethod
    def read(cls, fields: Fields) -> Proof:
        """From JSON. A proof that contradicts its own checks is refused."""
        holds, complete = fields.flag("holds"), fields.flag("complete")
        counts = fields.integer("searched_bytes"), fields.integer("fragments")
        checks = fields.items("checks", MAX_NAMES, Check.read)
        residues = fields.items("residues", MAX_FINDINGS, Residue.read)
        states = {check.status for check in checks}
        if holds and ("failed" in states or "ok" not in states):
            raise fields.error("holds", "is true, although a check failed or none was done")
        if complete and (not holds or states != {"ok"}):
            raise fields.error("complete", "is true, although not every check was done and is well")
        return cls(holds, complete, *counts, checks, residues)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        checks, residues = [plain(one) for one in self.checks], [one.to_json() for one in self.residues]
        return {**plain(self), "checks": checks, "residues": residues}
