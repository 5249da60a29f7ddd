"""What has become of all crashes: counted, so that none is lost without a trace.

>>> counters = Counters()
>>> counters.arrived += 2
>>> counters.drop("line-full")
>>> counters.to_json()["dropped"], counters.unaccounted
({'line-full': 1}, 1)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

#: Every reason for which a crash goes without a core, or its core is not kept.
REASONS: Final = {
    "line-full": "more crashed processes waited than may",
    "patience": "it waited too long",
    "stopping": "the server was being stopped",
    "size": "the core is larger than may be",
    "disk-limit": "all cores together would take more disk than may be",
    "disk": "the disk is full, or cannot be written",
    "stalled": "nothing came for too long",
    "broken": "the core cannot be read",
    "empty": "the kernel sent nothing",
    "vault": "it cannot be sealed",
    "vault-full": "captures have as much of the vault as may be",
    "redaction": "it cannot be redacted, or not so that it could be proved",
    "error": "a bug in Immure",
}


@dataclass
class Counters:
    """Crashes by what became of them.

    ``arrived`` is always the sum of ``captured``, all of ``dropped``, and those that are still under way.
    ``refused`` are connections that were no crash, and are not among them.
    """

    arrived: int = 0
    captured: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    truncated: int = 0
    with_keys: int = 0
    rotated: int = 0
    bytes_captured: int = 0
    longest_hold: float = 0.0

    def drop(self, reason: str) -> None:
        """One went without."""
        self.dropped[reason] += 1

    @property
    def unaccounted(self) -> int:
        """How many are still under way."""
        return self.arrived - self.captured - self.dropped.total()

    def held(self, seconds: float) -> None:
        """A process was held so long."""
        self.longest_hold = max(self.longest_hold, seconds)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "arrived": self.arrived,
            "captured": self.captured,
            "dropped": dict(sorted(self.dropped.items())),
            "dropped_total": self.dropped.total(),
            "under_way": self.unaccounted,
            "refused": self.refused,
            "truncated": self.truncated,
            "with_keys": self.with_keys,
            "rotated": self.rotated,
            "bytes_captured": self.bytes_captured,
            "longest_hold_seconds": round(self.longest_hold, 3),
        }
