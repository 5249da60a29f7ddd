"""What a relying party does with a token.

>>> Answer(Outcome.REFUSED, "HTTP 401").outcome.value
'refused'
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """One of these, for every token that is sent."""

    LET_IN = "let in"
    REFUSED = "refused"
    BROKE = "broke"
    """An error of the server's own (HTTP 5xx), or the connection was dropped without an answer."""
    NO_ANSWER = "no answer"
    """Not in time, or not connected at all."""
    UNCLEAR = "unclear"
    """Neither yes nor no, such as "too many requests"; or the controls around it did not hold."""
    NOT_ASKED = "not asked"
    """The token could not be made or carried, or the probe ended before."""


@dataclass(frozen=True)
class Answer:
    """An outcome, and what was seen of it.

    Attributes:
        outcome: what became of the token.
        detail: a few words of ours, such as ``HTTP 401``; nothing that the server chose.
    """

    outcome: Outcome
    detail: str
