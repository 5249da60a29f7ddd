"""What an accepted token is answered with: its claims, in the forms that consumers understand.

``aud`` holds only those of the token's audiences that the client may ask about, and is a plain text if there
is one: Dovecot takes nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from immure.tokens.claims import Claims
from immure.tokens.errors import TokenError

_COPIED: Final = ("iss", "sub", "client_id", "azp", "exp", "iat", "nbf", "jti", "cnf")
#: Members that no claim may be copied into.
RESERVED: Final = frozenset({"active", "scope", "username", "token_type", "aud", "tenant", *_COPIED})


def encoded(members: dict[str, Any]) -> bytes:
    """The JSON of an answer, in ASCII."""
    return "".join(_chunks(members, 0)).encode("ascii")


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not JSON")


#: What ``json.dumps`` makes anew for every call.
_chunks: Final[Callable[[Any, int], Iterable[str]]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _refuse, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
)


def introspection_answer(
    claims: Claims, audiences: frozenset[str], username: str | None, extra: tuple[str, ...]
) -> dict[str, Any]:
    """The members of an answer (RFC 7662, section 2.2).

    Args:
        claims: of the token.
        audiences: those that the client may ask about.
        username: claim that is returned under that name.
        extra: claims that are returned as they are.
    """
    get = claims.get
    made: dict[str, Any] = {"active": True}
    for name in _COPIED:
        value = get(name)
        if value is not None:
            made[name] = value
    if "client_id" not in made and "azp" in made:
        made["client_id"] = made["azp"]
    named = [one for one in audiences_of(claims) if one in audiences]
    made["aud"] = named[0] if len(named) == 1 else named
    if claims.tenant is not None:
        made["tenant"] = claims.tenant
    scopes = scopes_of(claims)
    if scopes:
        made["scope"] = " ".join(scopes)
    if username is not None and type(get(username)) is str:
        made["username"] = claims[username]
    for name in extra:
        if name in claims:
            made[name] = claims[name]
    return made


def audiences_of(claims: Claims) -> tuple[str, ...]:
    """``aud``, or else ``client_id``, where a policy says that this is the audience (``audience_claim``)."""
    if "aud" in claims:
        return claims.audience
    client = claims.get("client_id")
    return () if client is None else (client,)


def scopes_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes that a token has been given: ``scope`` (RFC 9068), or, if it is not there, ``scp``.

    Both may be a text with blanks, or a list of texts; what is neither gives none.
    """
    value = claims["scope"] if "scope" in claims else claims.get("scp", "")
    if isinstance(value, str):
        return tuple(one for one in value.split(" ") if one)
    if isinstance(value, list) and all(isinstance(one, str) and one and " " not in one for one in value):
        return tuple(value)
    return ()


def check_scopes(claims: Mapping[str, Any], needed: frozenset[str]) -> None:
    """Raises ScopeError if a token has not all of these scopes."""
    if not needed.issubset(scopes_of(claims)):
        raise ScopeError("the token lacks a scope")


class ScopeError(TokenError):
    """The token is good, and has not the OAuth scopes that are needed."""

    code = "scope-missing"
