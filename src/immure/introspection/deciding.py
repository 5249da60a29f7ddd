"""A decision about one token, on behalf of one client or profile: validated, counted, and in the log."""

from __future__ import annotations

import time
from dataclasses import replace

from immure import clock
from immure.errors import KeySourceError
from immure.introspection.answers import check_scopes
from immure.introspection.errors import UnavailableError
from immure.introspection.watch import Watch
from immure.tokens.acceptance.deciding import Decided, adecide
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.log import AcceptanceLog
from immure.tokens.claims import Claims
from immure.tokens.errors import ClaimTypeError, ConfirmationError, TokenError
from immure.tokens.policy import Policy
from immure.tokens.validator import Validator


class Desk:
    """Decides about tokens for one asker. Its validator knows the audiences of that asker and no others.

    Args:
        policy: of the server.
        audiences: those that the asker may ask about.
        party, channel: how the log calls the asker, and the way in.
        log: None writes none.
        watch: counts.
        scopes: that a token must have.
        checks_binding: the asker compares ``cnf`` itself.
        now: where the time is from.
    """

    def __init__(
        self,
        policy: Policy,
        audiences: frozenset[str],
        party: str,
        channel: str,
        log: AcceptanceLog | None,
        watch: Watch,
        *,
        scopes: frozenset[str] = frozenset(),
        checks_binding: bool = False,
        now: clock.Clock = clock.now,
    ) -> None:
        narrowed = replace(policy, audiences={one: policy.audiences[one] for one in audiences})
        self._scopes = scopes
        self._binding = policy.confirmation if checks_binding else None
        if checks_binding:
            narrowed = replace(narrowed, confirmation="ignored")
        self._validator = Validator(narrowed, time=now)
        self._party, self._channel = party, channel
        self._log, self._watch = log, watch

    async def decide(self, token: str | bytes, certificate: bytes | None = None) -> Decided:
        """What becomes of a token. When this returns, the decision is in the log.

        Raises:
            UnavailableError: keys cannot be had, or the log cannot be written: nothing is decided.
        """
        begun = time.perf_counter()
        try:
            decided = await adecide(
                self._validator,
                token,
                relying_party=self._party,
                channel=self._channel,
                certificate=certificate,
            )
            if decided.claims is not None:
                decided = self._checked(decided, decided.claims)
            if self._log is not None:
                await self._log.arecord(decided.decision)
        except (KeySourceError, AcceptanceLogError) as error:
            self._watch.undecided(self._channel, error)
            raise UnavailableError("there is no verdict now") from error
        except Exception as error:  # whatever it is, a proxy must not take it for a yes
            self._watch.bug(self._channel, error)
            raise UnavailableError("there is no verdict: this is a bug in Immure") from error
        self._watch.decided(decided.decision, time.perf_counter() - begun)
        return decided

    def _checked(self, decided: Decided, claims: Claims) -> Decided:
        """What is asked besides of a token that the validator accepts."""
        try:
            if self._binding is not None:
                check_binding(claims, required=self._binding == "required")
            if self._scopes:
                check_scopes(claims, self._scopes)
        except TokenError as error:
            return Decided(replace(decided.decision, rule=error.code), None, error)
        return decided


def check_binding(claims: Claims, *, required: bool) -> None:
    """What can be told of ``cnf`` without the proof, which the asker checks: that it is one.

    Raises:
        ClaimTypeError, ConfirmationError: it is not, or must be there and is not.
    """
    bound = claims.get("cnf")
    if "cnf" in claims and not (isinstance(bound, dict) and bound):
        raise ClaimTypeError("cnf is not an object")
    if bound is None and required:
        raise ConfirmationError("the token is bound to no key of its holder (cnf)")
