"""Tokens that only their holder may use, or only once; they come without the holder, or again."""

from __future__ import annotations

from typing import Any, Final

from immure.keymaterial.key import b64url
from immure.probe.case import Case
from immure.probe.errors import MissingError
from immure.probe.mint import Mint

_DIGEST: Final = b64url(bytes(range(32)))


def _bound(m: Mint, cnf: Any) -> str:
    if not m.kit.bound:
        raise MissingError("the kit does not say that the relying party knows bound tokens (bound = true)")
    return m.token(cnf=cnf)


def _replayed(m: Mint) -> tuple[str, str]:
    if not m.kit.single_use:
        raise MissingError("the kit does not say that tokens are taken once (single_use = true)")
    token = m.good()
    return token, token


def _replayed_jti(m: Mint) -> tuple[str, str]:
    """Another token with the same ``jti``."""
    if not m.kit.single_use:
        raise MissingError("the kit does not say that tokens are taken once (single_use = true)")
    return m.token(jti=f"{m.now}-again"), m.token(jti=f"{m.now}-again", x=1)


CASES: Final = (
    Case("bound.dpop", "Bound to a DPoP key, used as a bearer token", "RFC 9449, section 7.2", "high",
         lambda m: _bound(m, {"jkt": _DIGEST})),
    Case("bound.certificate", "Bound to a TLS certificate, without it", "RFC 8705, section 3", "high",
         lambda m: _bound(m, {"x5t#S256": _DIGEST})),
    Case("bound.unknown", "Bound in a way that nobody knows", "RFC 7800, section 3.1", "medium",
         lambda m: _bound(m, {"immure-probe": _DIGEST})),
    Case("bound.malformed", "cnf is a text", "RFC 7800, section 3.1", "medium",
         lambda m: _bound(m, _DIGEST)),
    Case("bound.replayed", "The same token again", "RFC 7519, section 4.1.7", "high", _replayed),
    Case("bound.replayed-jti", "Another token with the same jti", "RFC 7519, section 4.1.7", "medium",
         _replayed_jti),
)  # fmt: skip
