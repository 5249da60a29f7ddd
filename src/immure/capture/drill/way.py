"""What a way of dumping is."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from immure.capture.drill.program import Running
from immure.capture.drill.residue import ResidueSearch
from immure.capture.pattern import CORE_PATTERN, Pattern, via_of_kernel


class Way(ABC):
    """A way of dumping.

    Attributes:
        name: as the user says it.
        must_be_clean: whether nothing of a key may be left, whatever the program does.
    """

    name: ClassVar[str]
    must_be_clean: ClassVar[bool] = False

    def why_not(self) -> str | None:
        """Why it cannot be tried here; None if it can."""
        if not CORE_PATTERN.exists() or not os.access(CORE_PATTERN, os.W_OK):
            return "core_pattern cannot be changed: that takes root"
        return None

    @abstractmethod
    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """Dump the program, which is ready, and look for the canary in what is left: (bytes looked at, note).

        Raises:
            CaptureError: there is no dump.
        """


def no_socket() -> str | None:
    """Why there is no core-dump socket; None if there is one."""
    return "this kernel has no core-dump socket (Linux 6.16)" if via_of_kernel() == "pipe" else None


def socket_pattern(path: Path) -> Pattern:
    """The pattern that sends cores to a socket here."""
    return Pattern(f"{'@@' if via_of_kernel() == 'asking-socket' else '@'}{path}").check()
