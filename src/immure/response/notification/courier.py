"""What carries one letter, and what it can say of it afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from immure.scanning.report.words import visible

#: Called once, just before the first byte of a letter leaves. What it raises keeps the letter back.
AboutTo = Callable[[], None]
_MOST_DETAIL: Final = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        state: ``sent``: the other side says that it has it. ``failed``: it surely has not. ``unknown``: the
            connection broke before there was an answer.
        detail: what the other side said, or what broke; a line.
        permanent: trying again as it is makes no sense.
    """

    state: Literal["sent", "failed", "unknown"]
    detail: str
    permanent: bool = False


class Courier(ABC):
    """Carries letters by one channel."""

    @abstractmethod
    async def carry(self, to: str, body: bytes, about_to: AboutTo) -> Outcome:
        """Bring a letter to a place. Nothing is raised but what ``about_to`` raises.

        Args:
            to: address or URL.
            body: the message.
            about_to: called when from now on the other side may have it.
        """


def line(text: object) -> str:
    """What somebody else said, as a line that can be printed and logged."""
    return visible(" ".join(str(text).split())[:_MOST_DETAIL])
