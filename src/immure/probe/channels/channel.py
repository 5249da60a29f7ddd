"""What all ways of sending a token have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from immure.probe.answer import Answer


class Channel(ABC):
    """Sends tokens to one relying party, one at a time.

    Attributes:
        name: of the way, such as ``http``.
        target: the address, without anything secret.
        asks_without: whether one can come without a token at all, which is then a control.
    """

    name: str
    target: str
    asks_without: bool = False

    @abstractmethod
    def ask(self, token: str | None) -> Answer:
        """Send a token (None: come without) and see what becomes of it. Never raises for what a server does.

        Raises:
            CarryError: this way cannot carry such a token.
        """
