"""What a backend of a drilled service is: where its keys are, and how a key that we know gets there."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from immure.signing.drill.canaries import Canary
from immure.signing.drill.house import House
from immure.signing.drill.report import Part
from immure.signing.settings import Settings


class Backend(ABC):
    """One kind of custody, for one service.

    Attributes:
        name: as the user says it.
        must_be_clean: whether residue is a failure; otherwise it has to leak, or the drill sees nothing.
        is_control: whether it must leak.
    """

    name: ClassVar[str]
    must_be_clean: ClassVar[bool] = True
    is_control: ClassVar[bool] = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def why_not(cls) -> str | None:
        """Why it cannot be drilled here; None if it can."""
        return None

    @property
    def environment(self) -> dict[str, str]:
        """What the service's process needs to know."""
        return {}

    @property
    @abstractmethod
    def custody(self) -> str:
        """Its URI in the settings."""

    @abstractmethod
    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """Put the known key in its place; raises SignerError."""

    def parts(self) -> list[Part]:
        """Processes that are crashed, or looked at."""
        return ["front end"]

    def token_processes(self) -> list[int]:
        """Processes outside of the service that have keys: a software token's."""
        return []

    def close(self) -> None:  # noqa: B027 - most have started nothing
        """End what was started."""

    def _pin(self) -> Path:
        path = self.directory / "pin"
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "w", encoding="ascii") as stream:
                stream.write(f"{secrets.token_urlsafe(18)}\n")
        return path


def children(pid: int) -> list[int]:
    """Processes that a process started, and that are there still."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found
