"""Relying parties of the tests: channels without a network, whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

from immure.probe.answer import Answer, Outcome
from immure.probe.channels.channel import Channel
from immure.probe.pace import Pace

IN = Answer(Outcome.LET_IN, "in")
OUT = Answer(Outcome.REFUSED, "out")


class Told(Channel):
    """Answers what a function says; remembers every token."""

    name = "direct"
    target = "told"

    def __init__(self, answer: Callable[[str | None, int], Answer], *, asks_without: bool = False) -> None:
        self._answer = answer
        self.asks_without = asks_without
        self.asked: list[str | None] = []

    def ask(self, token: str | None) -> Answer:
        self.asked.append(token)
        return self._answer(token, len(self.asked))


def at_once(seconds: float = 900.0) -> Pace:
    """No waiting."""
    return Pace(1000, seconds, sleep=lambda _: None)
