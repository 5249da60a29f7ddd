"""One decision for every token that was looked at, to whoever keeps them, before its request is let in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import isawaitable, iscoroutine
from types import TracebackType

from immure.errors import KeySourceError, UsageError
from immure.integrations.challenge import Answers
from immure.integrations.credentials import Credentials
from immure.tokens.acceptance.deciding import accepted, refused
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.claims import Claims
from immure.tokens.errors import TokenError
from immure.tokens.validator import Validator

#: Takes a decision; what it returns is awaited, if that can be done.
Record = Callable[[Decision], Awaitable[None] | None]


@dataclass
class Attempt:
    """What becomes of a token: its block sets the claims, or ends with the error that is kept here.

    Attributes:
        shown: the token, and how it was presented.
        asked: scopes that are needed.
        claims: once the validator has accepted it, whatever else is asked then.
        error: why it is refused, or why nobody can tell.
    """

    shown: Credentials
    asked: tuple[str, ...]
    claims: Claims | None = None
    error: TokenError | KeySourceError | None = None

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, TokenError | KeySourceError):
            self.error = error
        return self.error is not None

    def outcome(self, answers: Answers) -> Claims:
        """The claims; raises Refusal."""
        if self.claims is None or self.error is not None:
            raise answers.to(self.error or TokenError("nobody looked"), self.shown.scheme) from self.error
        return self.claims


class Recorder:
    """Makes decisions of attempts, and passes them on.

    Args:
        record: who keeps them, such as the method ``record`` or ``arecord`` of an
            :class:`~immure.tokens.acceptance.log.AcceptanceLog`; None means that nobody does.
        validator: for its time.
        answers: for the answer if a decision cannot be kept.
        relying_party: see :class:`~immure.tokens.acceptance.decision.Decision`.
        channel: the same.
    """

    def __init__(
        self, record: Record | None, validator: Validator, answers: Answers, relying_party: str, channel: str
    ) -> None:
        self._record = record
        self._validator = validator
        self._answers = answers
        self._relying_party = relying_party
        self._channel = channel

    def keep(self, attempt: Attempt) -> None:
        """Pass the decision on.

        Raises:
            Refusal: it cannot be kept (503), and so nothing is accepted.
            UsageError: who keeps it wants to be awaited.
        """
        pending = self._passed_on(attempt)
        if pending is not None:
            if iscoroutine(pending):
                pending.close()
            raise UsageError("record must be awaited: use acheck, or a record that need not")

    async def akeep(self, attempt: Attempt) -> None:
        """As :meth:`keep`, and wait for it."""
        pending = self._passed_on(attempt)
        if pending is not None:
            with self._answering():
                await pending

    def _passed_on(self, attempt: Attempt) -> Awaitable[None] | None:
        if self._record is None or isinstance(attempt.error, KeySourceError):
            return None  # that keys cannot be had is no decision
        with self._answering():
            pending = self._record(self._decision(attempt, attempt.error))
        return pending if isawaitable(pending) else None

    def _decision(self, attempt: Attempt, error: TokenError | None) -> Decision:
        token, now = attempt.shown.token, self._validator.moment()
        who, how = self._relying_party, self._channel
        if attempt.claims is not None:
            made = accepted(token, attempt.claims, now, relying_party=who, channel=how)
            return made if error is None else replace(made, rule=error.code)
        return refused(token, error or TokenError("nobody looked"), now, relying_party=who, channel=how)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except AcceptanceLogError as error:
            raise self._answers.no_record(error.code) from error
