"""Detectors: what looks for numbers in memory. Each is made once per image and used by all threads.

``examine`` runs in a worker, on one chunk; what it cannot settle there (candidates against many keys) it
queues, and ``settle`` runs in the order of the chunks, so that results do not depend on threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from immure.keymaterial.key import Numbers
from immure.scanning.chunks import Chunk
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.proofs import Proof


@dataclass
class Examined:
    """What a detector makes of one chunk: proofs, and (value, image offset) candidates that wait for others.
    The values are secret."""

    proofs: list[Proof] = field(default_factory=list)
    queued: list[tuple[int, int]] = field(default_factory=list, repr=False)


class Detector(ABC):
    """Looks for one kind of secret number."""

    #: As users know it: one of ``options.DETECTORS``.
    name: str
    #: What of its windows are visited: a family of ``plan.BUDGETS``.
    family: str

    @property
    def unusable(self) -> list[tuple[Numbers, str]]:
        """Keys that cannot be searched for, with the reason."""
        return []

    @abstractmethod
    def examine(self, space: Workspace, chunk: Chunk) -> Examined:
        """Look at one chunk, whose runs are in the workspace."""

    def settle(self, queued: list[tuple[int, int]]) -> list[Proof]:
        """Take the queued candidates of one chunk; proofs that are certain by now."""
        return []

    def finish(self) -> list[Proof]:
        """Settle whatever still waits."""
        return []
