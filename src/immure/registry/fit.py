"""Whether a scope fits its key: algorithms by type of key, and scopes that contradict themselves.

>>> from immure.keymaterial.key import EcNumbers
>>> sorted(fitting_algorithms(EcNumbers("P-384", 1, 2)))
['ES384']
"""

from __future__ import annotations

import re
from typing import Final

from immure.keymaterial.key import Numbers, RsaNumbers
from immure.registry.errors import ScopeError
from immure.registry.scope import TENANT, KeyScope

#: JWS algorithms of RSA keys (RFC 7518, section 3.1).
RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
#: JWS algorithms by curve (RFC 7518, RFC 8037, RFC 8812, RFC 9864); X25519 and X448 sign nothing.
CURVE_ALGORITHMS: Final = {
    "P-256": frozenset({"ES256"}),
    "P-384": frozenset({"ES384"}),
    "P-521": frozenset({"ES512"}),
    "secp256k1": frozenset({"ES256K"}),
    "Ed25519": frozenset({"EdDSA", "Ed25519"}),
    "Ed448": frozenset({"EdDSA", "Ed448"}),
}
#: Characters of the longest text, members of the longest list.
MOST_TEXT: Final = 1024
MOST_ITEMS: Final = 1000
_CLASS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def fitting_algorithms(numbers: Numbers) -> frozenset[str]:
    """The JWS algorithms that a key of this type can be used with; none if it cannot sign."""
    if isinstance(numbers, RsaNumbers):
        return RSA_ALGORITHMS
    return CURVE_ALGORITHMS.get(numbers.curve, frozenset())


def is_plain_text(value: str) -> bool:
    """Whether a text can be stored and shown: not empty, not long, no controls, surrogates or bidi marks."""
    return 0 < len(value) <= MOST_TEXT and value.isprintable()


def check_scope(scope: KeyScope, numbers: Numbers) -> None:
    """See that a scope says something that can be kept, and that fits the key.

    Raises:
        ScopeError: the reason says which part does not.
    """
    _check_issuer(scope)
    for name in sorted(scope.audience_classes):
        if not _CLASS.fullmatch(name):
            raise ScopeError(f"{name[:80]!r} is not a name of an audience class (such as 'enterprise')")
    for words, names in (("tenant", scope.tenants), ("cloud", scope.clouds)):
        _check_names(words, names)
    _check_tenants(scope)
    _check_algorithms(scope, numbers)
    if scope.not_before is not None and scope.not_after is not None and scope.not_before > scope.not_after:
        raise ScopeError("the key's time ends before it begins")


def _check_issuer(scope: KeyScope) -> None:
    issuer = scope.issuer
    if not is_plain_text(issuer) or " " in issuer:
        raise ScopeError(f"{issuer[:80]!r} is not an issuer (RFC 7519, section 4.1.1)")
    rest = issuer.replace(TENANT, "", 1)
    if "{" in rest or "}" in rest:  # another template would be taken literally, and fit no token
        raise ScopeError(f"issuer {issuer[:200]!r}: {TENANT} may stand in it once, other braces may not")


def _check_names(words: str, names: frozenset[str]) -> None:
    if len(names) > MOST_ITEMS:
        raise ScopeError(f"more than {MOST_ITEMS} {words}s")
    for name in sorted(names):
        if not is_plain_text(name):
            raise ScopeError(f"{name[:80]!r} is not a name of a {words}")


def _check_tenants(scope: KeyScope) -> None:
    for tenant in sorted(scope.tenants) if scope.is_templated else ():
        if not _GUID.fullmatch(tenant):  # the issuer's own place takes nothing else, so it would never fit
            raise ScopeError(f"tenant {tenant[:80]!r} is not a GUID in lower case, as {TENANT} asks for")


def _check_algorithms(scope: KeyScope, numbers: Numbers) -> None:
    fitting = fitting_algorithms(numbers)
    for name in sorted(scope.algorithms - fitting):
        raise ScopeError(f"algorithm {name[:80]!r} is not one of this key's: {', '.join(sorted(fitting))}")
    if not fitting:
        raise ScopeError("a key of this type signs nothing")
