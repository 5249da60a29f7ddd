"""What a JWK says of itself: the key, and what it may sign for.

Besides the members of RFC 7517 these are read: ``issuer`` and ``cloud_instance_name`` as Entra publishes
them; ``exp``, ``nbf`` and ``revoked`` as OpenID Federation 1.0 has them for keys of the past;
``audience_classes`` and ``tenants`` as our own registry publishes them. A member that is there and malformed
makes the key unusable: it is not read as absent.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from immure.errors import KeyFormatError
from immure.keymaterial.certificate import Certificate, parse_certificate
from immure.keymaterial.jwk import jwk_public
from immure.keymaterial.key import EC_BYTES, Numbers, Origin, PublicKey
from immure.registry.scope import TENANT, KeyScope, ScopedKey
from immure.registry.state import KeyState
from immure.tokens.errors import Base64Error, KeyUseError, WeakKeyError
from immure.tokens.strict import decode_segment

#: In ``audience_classes``: the source says nothing of classes, so that the policy alone decides.
ANY_CLASS: Final = "*"
#: Members of a private key (RFC 7518, section 6; RFC 8037, section 2).
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_NUMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_MOST_TEXT: Final = 1024
_LATEST: Final = 253_402_300_799  # the end of the year 9999


class AssumedScope(KeyScope):
    """A scope that the key does not state itself: its issuer is what was said of its whole source.

    That holds as long as one issuer alone has the source; see :meth:`Policy.is_pooled`.
    """


def scoped_key(jwk: Mapping[str, Any], source: str, issuer: str | None = None) -> ScopedKey:
    """The public key of a JWK with its scope; ``issuer`` is for a key that does not name its own.

    Raises:
        KeyFormatError: no asymmetric public key, or a member is malformed.
        KeyUseError: the key is not for verifying signatures.
        WeakKeyError: the private half stands beside it.
    """
    _check_use(jwk)
    numbers = jwk_public(jwk)
    _check_form(jwk)
    not_before, not_after = _window(jwk, numbers)
    alg, cloud = _text(jwk, "alg"), _text(jwk, "cloud_instance_name")
    stated = _text(jwk, "issuer")
    issuer = stated or issuer
    if issuer is not None and (issuer.count(TENANT) > 1 or issuer.count("{") > issuer.count(TENANT)):
        raise KeyFormatError("its issuer is a template that is not understood")
    origin = Origin(
        source=source,
        kid=_text(jwk, "kid"),
        issuer=issuer,
        cloud_instance_name=cloud,
        use=_text(jwk, "use"),
        alg=alg,
        not_before=not_before,
        not_after=not_after,
    )
    scope = None
    if issuer is not None:
        scope = (KeyScope if stated else AssumedScope)(
            issuer,
            audience_classes=_classes(jwk),
            tenants=_tenants(jwk),
            clouds=frozenset() if cloud is None else frozenset({cloud}),
            algorithms=frozenset() if alg is None else frozenset({alg}),
            not_before=not_before,
            not_after=not_after,
        )
    return ScopedKey(PublicKey(numbers, origin), origin.kid, scope, _state(jwk))


def _check_use(jwk: Mapping[str, Any]) -> None:
    if jwk.get("kty") == "oct":
        raise KeyUseError("is symmetric: whoever can check with it can sign with it")
    use = _text(jwk, "use")
    if use is not None and use != "sig":
        raise KeyUseError(f"is for another use: {use[:40]!r}")
    operations = jwk.get("key_ops")
    if operations is None:
        return
    if not isinstance(operations, list) or not all(isinstance(one, str) for one in operations):
        raise KeyFormatError("key_ops is not a list of texts")
    if len(set(operations)) != len(operations):
        raise KeyFormatError("key_ops names an operation twice")
    if "verify" not in operations:
        raise KeyUseError("is not for verifying signatures (key_ops)")


def _check_form(jwk: Mapping[str, Any]) -> None:
    """That the numbers are written as RFC 7518 wants it, and that the private half is not among them.

    Zero bytes before a modulus are let pass: some issuers write them, and they change nothing.
    """
    if not _PRIVATE.isdisjoint(jwk):
        raise WeakKeyError("stands here with its private half: whoever can read it can sign")
    for name in _NUMBERS[jwk["kty"]]:
        try:
            size = len(decode_segment(jwk[name].encode()))
        except Base64Error as error:
            raise KeyFormatError(f"JWK member {name!r} {error.reason}") from None
        if jwk["kty"] == "EC" and size != EC_BYTES[jwk["crv"]]:
            raise KeyFormatError(f"JWK member {name!r} has not the length of its curve's numbers")


def _state(jwk: Mapping[str, Any]) -> KeyState:
    revoked = jwk.get("revoked")
    if revoked is None:
        return KeyState.ACTIVE
    reason = revoked.get("reason") if isinstance(revoked, dict) else None
    return KeyState.DEACTIVATED if reason == "superseded" else KeyState.COMPROMISED


def _classes(jwk: Mapping[str, Any]) -> frozenset[str]:
    classes = jwk.get("audience_classes")
    if classes is None:
        return frozenset({ANY_CLASS})
    if not isinstance(classes, list) or not all(isinstance(one, str) for one in classes):
        raise KeyFormatError("audience_classes is not a list of texts")
    return frozenset(classes) - {ANY_CLASS}


def _tenants(jwk: Mapping[str, Any]) -> frozenset[str]:
    """The tenants that a key is limited to. An empty list would mean none, where a scope without any means
    all: it is refused."""
    tenants = jwk.get("tenants")
    if tenants is None:
        return frozenset()
    if not isinstance(tenants, list) or not tenants or not all(isinstance(one, str) for one in tenants):
        raise KeyFormatError("tenants is not a list of texts with something in it")
    return frozenset(tenants)


def _window(jwk: Mapping[str, Any], numbers: Numbers) -> tuple[datetime | None, datetime | None]:
    """The time in which certificate and members agree that the key is valid."""
    certificate = _first_certificate(jwk)
    if certificate is not None and certificate.numbers != numbers:
        raise KeyFormatError("its certificate (x5c) is for another key")
    begins = [_moment(jwk, "nbf"), certificate and certificate.not_before]
    ends = [_moment(jwk, "exp"), certificate and certificate.not_after]
    return (
        max((one for one in begins if one is not None), default=None),
        min((one for one in ends if one is not None), default=None),
    )


def _moment(jwk: Mapping[str, Any], name: str) -> datetime | None:
    value = jwk.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise KeyFormatError(f"{name} is not a time")
    return datetime.fromtimestamp(value, UTC)


def _first_certificate(jwk: Mapping[str, Any]) -> Certificate | None:
    """The first certificate of ``x5c`` (RFC 7517, section 4.7: base64, not base64url)."""
    chain = jwk.get("x5c")
    if chain is None:
        return None
    if isinstance(chain, list) and chain and isinstance(chain[0], str):
        try:
            return parse_certificate(binascii.a2b_base64(chain[0], strict_mode=True))
        except ValueError:  # not base64, or not ASCII
            pass
    raise KeyFormatError("its certificate (x5c) cannot be read")


def _text(jwk: Mapping[str, Any], name: str) -> str | None:
    value = jwk.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        raise KeyFormatError(f"{name} is not a text of sane length")
    return value
