"""May this key sign this? Asked inside the holder, of what will be signed and nothing else.

The front end asks the same before; this is for the day when somebody else has the front end. A key for
consumers then still signs no token for an enterprise: the issuer, tenant and audience in the very bytes
that would be signed are held against the scope that the key was made with, and only then is the key
touched.
"""

from __future__ import annotations

from typing import Any, Final

from immure.custody.keyholder.errors import (
    RefusedAudienceError,
    RefusedCloudError,
    RefusedFormError,
    RefusedHeaderError,
    RefusedIssuerError,
    RefusedPurposeError,
    RefusedStateError,
    RefusedTenantError,
    RefusedTimeError,
)
from immure.custody.keyholder.held_key import ANY_AUDIENCE, Rules
from immure.custody.keyholder.strict import parse_segment, split
from immure.registry.scope import KeyScope

#: Seconds by which clocks may differ: ``iat`` and ``nbf`` may be so far from now.
SKEW: Final = 60
#: Seconds ago that a token may say it was issued; one that claims to be older was not made by a service.
OLDEST: Final = 300
#: Seconds that an assertion of a client may live (RFC 7523 asks for few).
MOST_ASSERTION: Final = 600
#: Purposes whose messages are header and claims.
TOKEN_PURPOSES: Final = frozenset({"token", "client-assertion"})
_KEYS: Final = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip")
#: Types that only their own protocols may sign, with keys of their own.
_OTHER_TYPES: Final = frozenset({"dpop+jwt", "client-authentication+jwt", "oauth-authz-req+jwt", "kb+jwt"})
_ASSERTION_TYPES: Final = frozenset({None, "jwt", "client-authentication+jwt"})
#: What is looked at in headers and claims. Parsers that are not strict take other names for these.
_HEADER_NAMES: Final = frozenset({"alg", "kid", "typ", *_KEYS})
_CLAIM_NAMES: Final = frozenset({"iss", "tid", "aud", "iat", "nbf", "exp", "cloud_instance_name"})


def check_purpose(rules: Rules, purpose: str, message: bytes) -> None:
    """Whether a key may sign a message that is no token; raises RefusedPurposeError.

    Statements begin as DSSE has it (``DSSEv1``, PAE), notes end with a line break (C2SP ``signed-note``).
    Neither can be read as a signing input of JWS, which is letters and points.
    """
    if purpose not in rules.purposes:
        raise RefusedPurposeError(f"the key is not for {purpose[:40]!a}")
    if purpose == "statement":
        fine = message.startswith(b"DSSEv1 ")
    elif purpose == "note":
        fine = message.endswith(b"\n") and message.count(b"\n") >= 2
    else:
        fine = False
    if not fine:
        raise RefusedPurposeError(f"the message is no {purpose[:40]}")


def check_window(scope: KeyScope, now: float) -> None:
    """Whether the key's time is now; raises RefusedStateError."""
    if scope.not_before is not None and now < scope.not_before.timestamp():
        raise RefusedStateError("the key's time has not come")
    if scope.not_after is not None and now >= scope.not_after.timestamp():
        raise RefusedStateError("the key's time is over")


class TokenRules:
    """Checks what one key is to sign; remembers headers that were fine, since they repeat."""

    _MOST_KEPT: Final = 64

    def __init__(self, kid: str, rules: Rules) -> None:
        self.kid = kid
        self.rules = rules
        self._headers: set[bytes] = set()

    def check(self, message: bytes, purpose: str, now: float) -> None:
        """Whether the key may sign this token or assertion.

        Args:
            message: encoded header, a point, encoded payload.
            now: seconds since 1970.

        Raises:
            RefusedToSignError: the class says by which rule not.
        """
        rules = self.rules
        if purpose not in rules.purposes or purpose not in TOKEN_PURPOSES:
            raise RefusedPurposeError(f"the key is not for {purpose[:40]!a}")
        head, payload = split(message)
        if head not in self._headers:
            self._check_header(parse_segment(head, "the header"), purpose)
            if len(self._headers) < self._MOST_KEPT:
                self._headers.add(head)
        claims = parse_segment(payload, "the payload")
        _check_names(claims, _CLAIM_NAMES)
        _check_issuer(rules.scope, claims)
        _check_cloud(rules.scope, claims)
        _check_audience(rules, claims)
        most = rules.most_seconds
        if purpose == "client-assertion":
            _check_assertion(claims)
            most = min(most, MOST_ASSERTION)
        _check_times(rules.scope, claims, most, now)

    def _check_header(self, header: dict[str, Any], purpose: str) -> None:
        _check_names(header, _HEADER_NAMES)
        if header.get("alg") != self.rules.algorithm or header.get("kid") != self.kid:
            raise RefusedHeaderError(f"the header names another key or algorithm than {self.kid!a}'s")
        for name in _KEYS:
            if name in header:
                raise RefusedHeaderError(f"the header has {name}")
        typ = header.get("typ")
        if typ is not None and type(typ) is not str:
            raise RefusedHeaderError("typ is not a text")
        plain = None if typ is None else typ.lower().removeprefix("application/")
        if plain not in _ASSERTION_TYPES if purpose == "client-assertion" else plain in _OTHER_TYPES:
            raise RefusedHeaderError(f"the key does not sign tokens of type {plain and plain[:40]!a}")


def _check_names(members: dict[str, Any], known: frozenset[str]) -> None:
    """Raise RefusedFormError for a member that some would read as one that is looked at: Go's encoding/json
    takes ``ISS`` for ``iss`` (and a long s for an s), and the last one counts; in C a zero ends a name."""
    for name in members:
        if name not in known and name.partition("\0")[0].casefold() in known:
            raise RefusedFormError(f"the member {name[:40]!a} could be read as another")


def _check_issuer(scope: KeyScope, claims: dict[str, Any]) -> None:
    issuer, tenant = claims.get("iss"), claims.get("tid")
    if type(issuer) is not str or not scope.allows_issuer(issuer):
        shown = issuer[:200] if type(issuer) is str else None
        raise RefusedIssuerError(f"the key may sign for {scope.issuer!a}, not for {shown!a}")
    if "tid" in claims and type(tenant) is not str:
        raise RefusedTenantError("tid is not a text")
    named = scope.tenant_of(issuer) if scope.is_templated else None
    if named is not None and tenant != named:
        raise RefusedTenantError("tid is not the tenant that the issuer names")
    if scope.tenants and tenant not in scope.tenants:
        raise RefusedTenantError("the key may not sign for this tenant")


def _check_cloud(scope: KeyScope, claims: dict[str, Any]) -> None:
    cloud = claims.get("cloud_instance_name")
    if cloud is not None and type(cloud) is not str:
        raise RefusedCloudError("cloud_instance_name is not a text")
    if cloud is not None and scope.clouds and cloud not in scope.clouds:
        raise RefusedCloudError("the key may not sign for this cloud instance")


def _check_audience(rules: Rules, claims: dict[str, Any]) -> None:
    named = claims.get("aud")
    if type(named) is str:
        named = [named]
    if type(named) is not list or not named or len(named) > 100:
        raise RefusedAudienceError("the token names no audience")
    for one in named:
        if type(one) is not str:
            raise RefusedAudienceError("aud is not a text, or a list of texts")
        classes = rules.audiences.get(one)
        if classes is None:
            classes = rules.audiences.get(ANY_AUDIENCE, frozenset())
        if classes.isdisjoint(rules.scope.audience_classes):
            raise RefusedAudienceError(f"the key may not sign for the audience {one[:200]!a}")


def _check_assertion(claims: dict[str, Any]) -> None:
    if claims["iss"] != claims.get("sub"):
        raise RefusedFormError("iss and sub of a client's assertion are the client (RFC 7523, section 3)")


def _check_times(scope: KeyScope, claims: dict[str, Any], most: int, now: float) -> None:
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if not now - OLDEST <= issued <= now + SKEW:
        raise RefusedTimeError(f"iat is {issued - now:+.0f} s from now")
    if not now - OLDEST <= begins <= now + SKEW:
        raise RefusedTimeError(f"nbf is {begins - now:+.0f} s from now")
    if not issued < expires <= issued + most:
        raise RefusedTimeError(f"the token would live for {expires - issued:.0f} s; {most} are the most")
    if scope.not_after is not None and expires > scope.not_after.timestamp():
        raise RefusedTimeError("the token would outlive the key's time")


def _time(claims: dict[str, Any], name: str) -> float:
    value: float = claims.get(name)  # type: ignore[assignment]
    if type(value) not in (int, float) or not 0 <= value < 1 << 40:
        raise RefusedTimeError(f"{name} is not there, or not a time")
    return value
