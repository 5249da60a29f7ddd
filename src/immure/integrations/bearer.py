"""The guard of a resource: one request in, claims or a :class:`Refusal` out. It knows no framework.

    guard = Guard(validator, audience="https://mail.example", scopes=["mail.read"])
    claims = guard.check(Request("GET", "https://mail.example/inbox", ["Bearer eyJ…"]))

What it raises is the whole answer (RFC 6750, section 3): 400 for a request without meaning, 401 for no token
or one that is refused, 403 for one that lacks a scope, 503 if the issuer's keys cannot be had.
"""

from __future__ import annotations

from collections.abc import Sequence

from immure.errors import PolicyError
from immure.integrations.challenge import Answers
from immure.integrations.credentials import (
    DPOP,
    CredentialsError,
    Request,
    read_credentials,
)
from immure.integrations.errors import Refusal
from immure.integrations.holder import Holder
from immure.integrations.metadata import metadata_path, metadata_url, protected_resource_metadata
from immure.integrations.record import Attempt, Record, Recorder
from immure.integrations.scopes import check_granted, checked_scopes, scopes_of
from immure.tokens.claims import Claims
from immure.tokens.dpop import ProofChecker
from immure.tokens.errors import TokenError
from immure.tokens.validator import Validator

__all__ = [
    "Guard",
    "Refusal",
    "Request",
    "metadata_path",
    "metadata_url",
    "protected_resource_metadata",
    "scopes_of",
]


class Guard:
    """Lets requests in by their token. One guard serves any number of threads and tasks.

    Args:
        validator: says whether a token is good.
        audience: which of the policy's audiences this is; None means any of them.
        scopes: that every request needs.
        realm, resource_metadata, retry_after: what clients are told; see
            :class:`~immure.integrations.challenge.Answers`.
        proofs: takes tokens that are bound by DPoP (RFC 9449). Without it they are refused.
        origin: scheme, host and port by which clients know us, such as ``https://mail.example``, for DPoP.
            None means what the request says, which is wrong behind a proxy that does not pass the host on,
            and lets a forged ``Host`` speak.
        record: gets one decision for every token that was looked at, and before its request is let in. If the
            log of acceptances cannot write it, nothing is accepted (503); what else it raises is not caught.
        relying_party, channel: how the decision names us (the audience, if not said) and our protocol.

    Raises:
        PolicyError: the policy has no such audience.
        UsageError: something is not what it should be.
    """

    def __init__(
        self,
        validator: Validator,
        *,
        audience: str | None = None,
        scopes: Sequence[str] = (),
        realm: str | None = None,
        resource_metadata: str | None = None,
        proofs: ProofChecker | None = None,
        origin: str | None = None,
        retry_after: int = 10,
        record: Record | None = None,
        relying_party: str | None = None,
        channel: str = "http",
    ) -> None:
        if audience is not None and audience not in validator.policy.audiences:
            raise PolicyError(f"the policy has no audience {audience!a}")
        self.validator = validator
        self.audience = audience
        self.scopes = checked_scopes(scopes)
        self._holder = Holder(validator, proofs, origin)
        self.answers = Answers(realm, resource_metadata, self._holder.algorithms, retry_after)
        named = relying_party or audience or ""
        self._recorder = Recorder(record, validator, self.answers, named, channel)

    def check(self, request: Request, *, scopes: Sequence[str] | None = None) -> Claims:
        """The claims of the request's token.

        Args:
            request: what came.
            scopes: that this request needs besides the guard's.

        Raises:
            Refusal: it is not let in.
            UsageError: these are no scopes.
        """
        with self._attempt(request, scopes) as attempt:
            proof, token = self._holder.claimed(attempt.shown, request), attempt.shown.token
            attempt.claims = self.validator.validate(
                token, audience=self.audience, certificate=request.certificate, proof=proof
            )
            self._check_rest(attempt, request, attempt.claims)
        self._recorder.keep(attempt)
        return attempt.outcome(self.answers)

    async def acheck(self, request: Request, *, scopes: Sequence[str] | None = None) -> Claims:
        """As :meth:`check`, without blocking while keys are fetched or the record is written."""
        with self._attempt(request, scopes) as attempt:
            proof, token = self._holder.claimed(attempt.shown, request), attempt.shown.token
            attempt.claims = await self.validator.avalidate(
                token, audience=self.audience, certificate=request.certificate, proof=proof
            )
            self._check_rest(attempt, request, attempt.claims)
        await self._recorder.akeep(attempt)
        return attempt.outcome(self.answers)

    def check_scopes(self, claims: Claims, scopes: Sequence[str]) -> None:
        """For a request that was let in, and turns out to need more.

        Args:
            claims: of its token.
            scopes: that are needed.

        Raises:
            Refusal: the token has not all of them (403).
            UsageError: these are no scopes.
        """
        try:
            check_granted(claims, checked_scopes(scopes))
        except TokenError as error:
            raise self.answers.to(error, self._holder.scheme(claims)) from error

    def _attempt(self, request: Request, scopes: Sequence[str] | None) -> Attempt:
        asked = self.scopes if not scopes else checked_scopes([*self.scopes, *checked_scopes(scopes)])
        try:
            shown = read_credentials(request.authorization)
        except CredentialsError as error:
            raise self.answers.malformed(error.code, error.reason) from None
        if shown is None or (shown.scheme == DPOP and not self._holder.algorithms):
            raise self.answers.no_token(asked)
        return Attempt(shown, asked)

    def _check_rest(self, attempt: Attempt, request: Request, claims: Claims) -> None:
        """What a validator does not ask."""
        self._holder.check(attempt.shown, request, claims)
        check_granted(claims, attempt.asked)
