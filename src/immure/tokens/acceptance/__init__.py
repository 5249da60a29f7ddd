"""One row for every token that was accepted or refused: what the search for forged tokens counts from."""

from immure.tokens.acceptance.deciding import Decided, accepted, adecide, decide, refused
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.keeping import Keeping
from immure.tokens.acceptance.log import AcceptanceLog
from immure.tokens.acceptance.reader import read_decisions

__all__ = [
    "AcceptanceLog", "Decided", "Decision", "Keeping", "accepted", "adecide", "decide", "read_decisions",
    "refused",
]  # fmt: skip
