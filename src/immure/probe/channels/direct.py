"""A validator in the same process: what a library's user asks of their own code, and what tests ask of ours.

channel = DirectChannel(validator.validate, TokenError)
"""

from __future__ import annotations

from collections.abc import Callable

from immure.probe.answer import Answer, Outcome
from immure.probe.channels.channel import Channel


class DirectChannel(Channel):
    """Calls a function that returns, or raises what means that the token is refused.

    Args:
        validate: the function.
        refusals: the exceptions that are a refusal; every other one is a fault.
        target: what to call it in reports.
    """

    name = "direct"

    def __init__(
        self,
        validate: Callable[[str], object],
        refusals: type[Exception] | tuple[type[Exception], ...],
        target: str = "validator",
    ) -> None:
        self._validate = validate
        self._refusals = refusals
        self.target = target

    def ask(self, token: str | None) -> Answer:
        """See :meth:`Channel.ask`."""
        try:
            self._validate(token or "")
        except self._refusals as error:
            return Answer(Outcome.REFUSED, str(getattr(error, "code", type(error).__name__)))
        except Exception as error:  # noqa: BLE001 - what is asked about may raise anything, which is the answer
            return Answer(Outcome.BROKE, type(error).__name__)
        return Answer(Outcome.LET_IN, "returned")
