"""Validate a token, and say in one value what is to be written down of it.

    decided = decide(validator, token, relying_party="mail", channel="imap")
    log.record(decided.decision)          # before anything is done with the claims
    claims = decided.unwrap()             # raises what the validator raised

That keys cannot be had is no decision: :class:`~immure.errors.KeySourceError` goes through to the caller, and
nothing is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure.digest import signed_digest
from immure.tokens.acceptance.decision import Decision
from immure.tokens.claims import Claims
from immure.tokens.errors import TokenError
from immure.tokens.parse import parse_header, parse_payload, split_token
from immure.tokens.validator import Validator

#: Characters of a text that is kept of a refused token, and how many of its audiences.
MOST_TEXT: Final = 256
MOST_AUDIENCES: Final = 16
#: Claims that say to whom a token was issued: RFC 9068, OpenID Connect, Entra (version 1), Okta.
_CLIENTS: Final = ("client_id", "azp", "appid", "cid")


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision for the log, and what the validator answered: claims or an error."""

    decision: Decision
    claims: Claims | None = None
    error: TokenError | None = None

    def unwrap(self) -> Claims:
        """The claims.

        Raises:
            TokenError: the token is refused.
        """
        if self.claims is None:
            raise self.error or TokenError("the token is refused")
        return self.claims


def decide(
    validator: Validator,
    token: str | bytes,
    *,
    relying_party: str,
    channel: str,
    audience: str | None = None,
    certificate: bytes | None = None,
    proof: str | None = None,
) -> Decided:
    """What :meth:`Validator.validate` says of a token, with the row for the log.

    Args:
        validator, token, audience, certificate, proof: see :meth:`Validator.validate`.
        relying_party, channel: see :class:`Decision`.

    Raises:
        KeySourceError, PolicyError: as :meth:`Validator.validate`; then there is no decision.
    """
    try:
        claims = validator.validate(token, audience=audience, certificate=certificate, proof=proof)
    except TokenError as error:
        made = refused(token, error, validator.moment(), relying_party=relying_party, channel=channel)
        return Decided(made, None, error)
    made = accepted(token, claims, validator.moment(), relying_party=relying_party, channel=channel)
    return Decided(made, claims)


async def adecide(
    validator: Validator,
    token: str | bytes,
    *,
    relying_party: str,
    channel: str,
    audience: str | None = None,
    certificate: bytes | None = None,
    proof: str | None = None,
) -> Decided:
    """As :func:`decide`, without blocking while keys are fetched."""
    try:
        claims = await validator.avalidate(token, audience=audience, certificate=certificate, proof=proof)
    except TokenError as error:
        made = refused(token, error, validator.moment(), relying_party=relying_party, channel=channel)
        return Decided(made, None, error)
    made = accepted(token, claims, validator.moment(), relying_party=relying_party, channel=channel)
    return Decided(made, claims)


def accepted(
    token: str | bytes, claims: Claims, time: float, *, relying_party: str, channel: str
) -> Decision:
    """The row of an accepted token; ``time`` in seconds since 1970."""
    raw = token.encode("ascii") if isinstance(token, str) else token
    key = claims.key
    get = claims.get
    return Decision(
        time=time,
        digest=signed_digest(raw.rpartition(b".")[0]),
        issuer=claims.issuer,
        kid=claims.header.kid or key.kid,
        thumbprint=key.key.thumbprint,
        subject=get("sub"),
        tenant=claims.tenant,
        audience=claims.audience,
        client=_client(claims),
        issued_at=get("iat"),
        expires=get("exp"),
        relying_party=relying_party,
        channel=channel,
    )


def refused(
    token: str | bytes, error: TokenError, time: float, *, relying_party: str, channel: str
) -> Decision:
    """The row of a refused token: what can be read of it, none of which is true; long values are cut."""
    digest, kid, claims = _seen(token)
    return Decision(
        time=time,
        digest=digest,
        issuer=_text(claims.get("iss")),
        kid=kid,
        subject=_text(claims.get("sub")),
        tenant=_text(claims.get("tid")),
        audience=_audiences(claims.get("aud")),
        client=_text(_client(claims)),
        issued_at=_seconds(claims.get("iat")),
        expires=_seconds(claims.get("exp")),
        rule=error.code,
        relying_party=relying_party,
        channel=channel,
    )


def _seen(token: str | bytes) -> tuple[bytes | None, str | None, Mapping[str, Any]]:
    """Digest, kid and claims of a token of which nothing is believed; what cannot be read is left out."""
    try:
        signed, head, payload, _ = split_token(token)
    except TokenError:
        return None, None, {}
    kid: str | None = None
    claims: Mapping[str, Any] = {}
    try:
        kid = _text(parse_header(head).kid)
        claims = parse_payload(payload)
    except TokenError:
        return signed_digest(signed), kid, claims
    return signed_digest(signed), kid, claims


def _client(claims: Mapping[str, Any]) -> str | None:
    for name in _CLIENTS:
        value = claims.get(name)
        if type(value) is str:
            return value
    return None


def _text(value: object) -> str | None:
    return value[:MOST_TEXT] if isinstance(value, str) else None


def _audiences(value: object) -> tuple[str, ...]:
    values = value[:MOST_AUDIENCES] if isinstance(value, list) else [value]
    return tuple(one[:MOST_TEXT] for one in values if isinstance(one, str))


def _seconds(value: object) -> float | None:
    """A time that the log can hold; a whole number stays one."""
    if type(value) not in (int, float) or not 0 <= value < 1e15:  # type: ignore[operator]
        return None
    return value  # type: ignore[return-value]
