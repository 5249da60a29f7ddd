"""Tokens that bring their own key, or say where to get it. The attacker signs them (RFC 8725, 3.10)."""

from __future__ import annotations

import base64
from typing import Any, Final

from immure.keymaterial.key import b64url
from immure.probe.case import Case, Severity
from immure.probe.key_set import certificate
from immure.probe.mint import ABSENT, Mint

_TRUST: Final = "RFC 7515, section 4.1.3 and 10.10; RFC 8725, section 3.10"
_FETCH: Final = "RFC 8725, section 3.10"


def _jwk(m: Mint, **members: Any) -> dict[str, Any]:
    attacker = m.attacker()
    return {**attacker.public_members(), "kid": attacker.kid, "alg": attacker.alg, **members}


def _embedded(m: Mint) -> str:
    attacker = m.attacker()
    return m.forged({"jwk": _jwk(m), "kid": attacker.kid})


def _embedded_home_kid(m: Mint) -> str:
    return m.forged({"jwk": _jwk(m, kid=m.home().kid)})


def _embedded_secret(m: Mint) -> str:
    secret = b"immure-probe-immure-probe-immure"
    jwk = {"kty": "oct", "k": b64url(secret), "alg": "HS256"}
    return m.token(header={"alg": "HS256", "jwk": jwk}, by=secret, alg="HS256")


def _certificate(m: Mint) -> str:
    return base64.b64encode(certificate(m.attacker(), m.now - 86_400, m.now + 30 * 86_400)).decode()


def _chain(m: Mint) -> str:
    return m.forged({"x5c": [_certificate(m)]})


def _chain_without_kid(m: Mint) -> str:
    return m.forged({"x5c": [_certificate(m)], "kid": ABSENT})


def _from(name: str, title: str, parameter: str, url: str, severity: Severity = "critical") -> Case:
    """``{}`` in ``url`` is the issuer's origin; an empty one is where the kit says that the attacker is."""

    def build(m: Mint) -> str:
        origin = "/".join(m.target.issuer.split("/")[:3])
        place = url.format(origin, origin.rpartition("/")[2]) or m.kit.attacker_url
        return m.forged({parameter: place, "kid": m.attacker().kid})

    return Case(f"injected.{name}", title, _FETCH, severity, build)


CASES: Final = (
    Case("injected.jwk", "The attacker's key in the header (jwk)", _TRUST, "critical", _embedded),
    Case("injected.jwk-home-kid", "The same, by the name of the target's key", _TRUST, "critical",
         _embedded_home_kid),
    Case("injected.jwk-secret", "A symmetric key in the header", _TRUST, "critical", _embedded_secret),
    Case("injected.x5c", "The attacker's certificate in the header", _TRUST, "critical", _chain),
    Case("injected.x5c-without-kid", "The same, and no kid", _TRUST, "critical", _chain_without_kid),
    _from("jku", "The attacker's key set by its URL (jku)", "jku", ""),
    _from("x5u", "The attacker's certificate by its URL (x5u)", "x5u", ""),
    _from("jku-user", "A URL whose user name looks like the issuer", "jku",
          "https://{1}@immure-probe.invalid/jwks.json"),
    _from("jku-suffix", "A URL whose host begins like the issuer", "jku",
          "{0}.immure-probe.invalid/jwks.json"),
    _from("jku-fragment", "A URL that has the issuer in its fragment", "jku",
          "https://immure-probe.invalid/jwks.json#{0}"),
    _from("jku-dots", "A URL of the issuer with .. in its path", "jku",
          "{0}/.well-known/../uploads/jwks.json"),
    _from("jku-file", "A file", "jku", "file:///proc/self/cmdline"),
    _from("jku-data", "A key set in the URL itself", "jku", "data:application/json,%7B%22keys%22:%5B%5D%7D"),
    _from("kid-url", "A URL for a kid", "kid", ""),
)  # fmt: skip
