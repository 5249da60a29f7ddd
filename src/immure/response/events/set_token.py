"""Security event tokens (RFC 8417) as the Shared Signals Framework 1.0, section 4.1, profiles them.

    text = sign_event(event, issuer=…, audience=…, jti=…, now=…, signer=signer)
    received = verify_event(text, keys, issuer=…, audience=…)

One event to a token, the subject beside it in ``sub_id``, ``typ`` ``secevent+jwt``, neither ``exp`` nor
``sub``: no library that knows access tokens takes one for such.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure.custody.signer import Signer
from immure.keymaterial.key import b64url
from immure.response.events.errors import (
    EventAudienceError,
    EventFormError,
    EventIssuerError,
    EventKeyError,
)
from immure.response.events.kinds import Event
from immure.response.events.subjects import Subject, check_subject
from immure.signing.file_keys import jws_signature
from immure.tokens import jws
from immure.tokens.errors import SignatureError, TokenError, UnknownKeyError
from immure.tokens.keyset import KeySet
from immure.tokens.parse import parse_content, split_token
from immure.tokens.source import KeySource
from immure.tokens.strict import decode_object

TYPE: Final = "secevent+jwt"
MEDIA_TYPE: Final = f"application/{TYPE}"
#: Bytes of the longest token.
MOST_BYTES: Final = 64 << 10
#: Seconds by which a clock may be ahead of ours.
SKEW: Final = 300
_MOST_TEXT: Final = 2048


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it came.

    Attributes:
        jti: name of the token: who gets it twice has got it once.
        issuer: the transmitter.
        kind, subject, says: as in :class:`~immure.response.events.kinds.Event`.
        issued: when the token was made, seconds since 1970.
        at: when it happened, if that is said.
        cause: what it has in common with others, if that is said.
    """

    jti: str
    issuer: str
    kind: str
    subject: Subject
    says: Mapping[str, Any]
    issued: float
    at: float | None
    cause: str | None


def jti_of(event: Event, stream: str) -> str:
    """The name of an event's token in a stream: the same whenever it is made, so that none is sent as two."""
    text = json.dumps([event.kind, event.about, event.cause, stream])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def sign_event(
    event: Event, *, issuer: str, audience: str, jti: str, now: int, signer: Signer, kid: str = ""
) -> str:
    """The token of an event.

    Args:
        issuer: the transmitter.
        audience: the receiver.
        jti: its name.
        now: seconds since 1970.
        signer: the transmitter's key.
        kid: of the key in the transmitter's key set; its thumbprint by default.

    Raises:
        SignerError: the key cannot be used.
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "jti": jti,
        "iat": now,
        "sub_id": dict(event.subject),
        "events": {event.kind: dict(event.says)},
    }
    if event.at:
        claims["toe"] = event.at
    if event.cause:
        claims["txn"] = event.cause
    return sign_compact(claims, TYPE, signer, kid or signer.thumbprint)


def sign_compact(claims: Mapping[str, Any], typ: str, signer: Signer, kid: str) -> str:
    """A JWS in compact form (RFC 7515) over claims; raises SignerError."""
    header = {"alg": signer.algorithm, "kid": kid, "typ": typ}
    parts = [json.dumps(one, separators=(",", ":")).encode() for one in (header, dict(claims))]
    signed = ".".join(b64url(one) for one in parts)
    signature = jws_signature(signer.algorithm, signer.sign(signed.encode("ascii")))
    return f"{signed}.{b64url(signature)}"


def verify_event(
    text: str | bytes, keys: KeySource | KeySet, *, issuer: str, audience: str, now: float | None = None
) -> Received:
    """The event in a token.

    Args:
        text: as it came.
        keys: of the transmitter, and of nobody else.
        issuer: the transmitter.
        audience: whoever we are.
        now: seconds since 1970; None does not look at the time.

    Raises:
        EventError: it is refused; ``err`` is what a receiver answers.
        KeySourceError: the keys cannot be had now.
    """
    try:
        header, payload = jws.verify(text, keys, most_bytes=MOST_BYTES)
    except (SignatureError, UnknownKeyError) as error:
        raise EventKeyError(error.reason) from None
    except TokenError as error:
        raise EventFormError(f"{error.code}: {error.reason}") from None
    if header.typ != TYPE:
        raise EventFormError(f"typ is not {TYPE}")
    received, audiences = parse_event(payload)
    if received.issuer != issuer:
        raise EventIssuerError("is of another transmitter")
    if audience not in audiences:
        raise EventAudienceError("is for another receiver")
    if now is not None and received.issued > now + SKEW:
        raise EventFormError("was issued in the future")
    return received


def parse_kept(text: str) -> Received:
    """The event in a token that was verified, or made here, before it was kept: no signature is looked at, so
    that a key which is not there any more does not matter.

    Raises:
        EventFormError: it holds none.
    """
    try:
        _, _, payload, _ = split_token(text, MOST_BYTES)
        content = parse_content(payload)
    except TokenError as error:
        raise EventFormError(f"{error.code}: {error.reason}") from None
    return parse_event(content)[0]


def parse_event(payload: bytes) -> tuple[Received, tuple[str, ...]]:
    """The event in a payload whose signature the caller has checked, and whom it is for; raises
    EventFormError."""
    try:
        claims = decode_object(payload)
    except TokenError as error:
        raise EventFormError(error.reason) from None
    for name in ("exp", "sub"):
        if name in claims:
            raise EventFormError(f"has {name}, which access tokens have and events must not")
    events = claims.get("events")
    if not isinstance(events, dict) or len(events) != 1:
        raise EventFormError("holds not exactly one event")
    [(kind, says)] = events.items()
    if not isinstance(says, dict) or not 0 < len(kind) <= _MOST_TEXT:
        raise EventFormError("what an event says is not an object")
    issued = _number(claims, "iat")
    if issued is None:
        raise EventFormError("iat is not there")
    cause = None if "txn" not in claims else _text(claims, "txn")
    subject = check_subject(claims.get("sub_id"))
    issuer, jti = _text(claims, "iss"), _text(claims, "jti")
    made = Received(jti, issuer, kind, subject, says, issued, _number(claims, "toe"), cause)
    return made, _audiences(claims.get("aud"))


def _audiences(value: Any) -> tuple[str, ...]:
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not named or not all(isinstance(one, str) and one for one in named):
        raise EventFormError("aud is not a text, nor a list of texts")
    return tuple(named)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        raise EventFormError(f"{name} is not a text")
    return value


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < 1 << 53:
        raise EventFormError(f"{name} is not a time")
    return float(value)


__all__ = [
    "MEDIA_TYPE",
    "TYPE",
    "Received",
    "jti_of",
    "parse_event",
    "parse_kept",
    "sign_compact",
    "sign_event",
    "verify_event",
]
