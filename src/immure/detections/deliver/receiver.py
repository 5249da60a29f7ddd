"""What takes findings, and how none is sent twice or not at all.

What was sent is noted in the state after a receiver has it. A run that is killed between the two sends the
same findings again with the same ids: a file of findings is cut back to what was noted, so that it has each
once; webhook and syslog can only be told the id, by which the other side knows it again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import islice
from typing import Final

from immure.detections.finding import Finding
from immure.detections.state import State

#: Findings that are sent at once.
MOST: Final = 100


class Receiver(ABC):
    """Takes findings.

    Attributes:
        name: by which the state remembers what it has.
    """

    name: str

    @abstractmethod
    def send(self, findings: Sequence[Finding]) -> None:
        """Take some findings.

        Raises:
            DetectionError: it cannot; then it has none of them, or does not say so.
        """


def deliver(state: State, receiver: Receiver) -> int:
    """Send what a receiver does not have yet; returns how many findings that was.

    Raises:
        DetectionError: the receiver cannot take them; those before are noted.
    """
    total = 0
    while page := list(islice(state.findings(state.sent(receiver.name)), MOST)):
        receiver.send([finding for _, finding in page])
        with state.transaction():
            state.mark_sent(receiver.name, page[-1][0])
        total += len(page)
    return total
