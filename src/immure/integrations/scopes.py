"""OAuth scopes of a token, which have nothing to do with the scope of a key.

>>> sorted(scopes_of({"scope": "mail.read mail.send"}))
['mail.read', 'mail.send']
>>> sorted(scopes_of({"scp": ["mail.read"]}))
['mail.read']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from immure.errors import UsageError
from immure.tokens.errors import ClaimTypeError, TokenError

#: RFC 6749, section 3.3.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


class ScopeError(TokenError):
    """The token is good, and has not the scopes that are needed.

    Attributes:
        scopes: those.
    """

    code = "scope-missing"

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__("the token lacks a scope")
        self.scopes = tuple(scopes)


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes that a token has been granted: ``scope`` (RFC 9068), or, if it is not there, ``scp``.

    Args:
        claims: of an accepted token. Either claim may be a text with blanks between the scopes, or a list.

    Raises:
        ClaimTypeError: it is neither.
    """
    name = "scope" if "scope" in claims else "scp"
    value = claims.get(name, "")
    if isinstance(value, str):
        return frozenset(value.split(" ")) - {""}
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ClaimTypeError(f"{name} is neither a text nor a list of texts")
    return frozenset(value)


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes that a program asks for, each once.

    Raises:
        UsageError: one is none, such as one with a blank in it.
    """
    if isinstance(scopes, str):
        raise UsageError("scopes are a list of texts, and not one text")
    asked = tuple(dict.fromkeys(scopes))
    for scope in asked:
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise UsageError(f"this is no scope (RFC 6749, section 3.3): {scope!a}")
    return asked


def check_granted(claims: Mapping[str, Any], asked: Sequence[str]) -> None:
    """The token has all these scopes.

    Raises:
        ScopeError: it has not.
        ClaimTypeError: as :func:`scopes_of`, even if none is needed.
    """
    if not scopes_of(claims).issuperset(asked):
        raise ScopeError(asked)
