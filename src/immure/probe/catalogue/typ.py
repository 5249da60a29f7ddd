"""Tokens of another kind, signed by the target's own key (RFC 8725, sections 2.8, 3.11 and 3.12)."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case, Severity
from immure.probe.errors import MissingError
from immure.probe.mint import ABSENT, Mint

_KINDS: Final = "RFC 8725, sections 2.8, 3.11 and 3.12"


def _case(name: str, title: str, typ: str, severity: Severity = "medium") -> Case:
    return Case(f"typ.{name}", title, _KINDS, severity, lambda m: m.token(header={"typ": typ}))


def _id_token(m: Mint) -> str:
    """As OpenID Connect Core has it: for a client, and not for the resource."""
    return m.token(aud="immure-probe-client", azp="immure-probe-client", nonce="n", auth_time=m.now - 60)


def _logout(m: Mint) -> str:
    events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    return m.token(header={"typ": "logout+jwt"}, events=events, sid="s")


def _not_access(m: Mint, typ: object) -> str:
    if m.kit.typ is None or not m.kit.typ.lower().endswith("at+jwt"):
        raise MissingError("the kit's tokens are not of the type at+jwt")
    return m.token(header={"typ": typ})


CASES: Final = (
    Case("typ.id-token", "An ID token", "OpenID Connect Core 1.0, section 2", "high", _id_token),
    Case("typ.logout", "A logout token", "OpenID Connect Back-Channel Logout 1.0, section 2.4", "high",
         _logout),
    _case("dpop", "A DPoP proof", "dpop+jwt"),
    _case("security-event", "A security event", "secevent+jwt"),
    _case("introspection", "An answer of an introspection", "token-introspection+jwt"),
    _case("request", "A request object", "oauth-authz-req+jwt"),
    _case("client", "A client's assertion", "client-authentication+jwt"),
    _case("entity", "A statement of a federation", "entity-statement+jwt"),
    _case("key-binding", "A proof of a key of a credential", "kb+jwt"),
    Case("typ.plain", "A token of the type JWT where at+jwt is asked for", "RFC 9068, section 4", "medium",
         lambda m: _not_access(m, "JWT")),
    Case("typ.absent", "A token without a type where at+jwt is asked for", "RFC 9068, section 4", "medium",
         lambda m: _not_access(m, ABSENT)),
)  # fmt: skip
