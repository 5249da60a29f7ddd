"""Encryption around a token (RFC 7516): it says nothing of who made what is inside."""

from __future__ import annotations

from typing import Any, Final

from immure.keymaterial.key import b64url
from immure.probe.case import Case
from immure.probe.mint import Mint, to_json, unsigned
from immure.probe.wrap import bomb, direct, encrypted

_INSIDE: Final = "RFC 8725, sections 2.3 and 3.3"
#: Rounds of PBKDF2 that a token asks for; more would hurt a server that obeys.
_ROUNDS: Final = 1_000_000


def _public(m: Mint) -> tuple[Any, str]:
    """The RSA key for encryption that the kit has, or else one of the target's for signatures."""
    found = [key for key in m.kit.key_set() if key.use == "enc" and key.kty == "RSA"]
    key = found[0] if found else m.home("RS", "PS")
    return key.private.public_key(), key.kid


def _unsigned(m: Mint) -> bytes:
    return f"{unsigned(to_json(m.header(m.home(), alg='none')), to_json(m.claims()))}.".encode()


def _around(m: Mint, plain: bytes, **header: Any) -> str:
    public, kid = _public(m)
    return encrypted(plain, public, kid=kid, **header)


def _password(m: Mint) -> str:
    head = {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": b64url(bytes(16)), "p2c": _ROUNDS}
    return ".".join(
        (b64url(to_json(head)), b64url(bytes(24)), b64url(bytes(12)), b64url(b"x"), b64url(bytes(16)))
    )


CASES: Final = (
    Case("jwe.unsigned", "An unsigned token, encrypted to a public key", _INSIDE, "critical",
         lambda m: _around(m, _unsigned(m), cty="JWT")),
    Case("jwe.claims", "Bare claims, encrypted to a public key", _INSIDE, "critical",
         lambda m: _around(m, to_json(m.claims()))),
    Case("jwe.attacker", "A token of the attacker, encrypted to a public key", _INSIDE, "critical",
         lambda m: _around(m, m.forged().encode(), cty="JWT")),
    Case("jwe.incident", "Another scope's key signs for the target's issuer, encrypted to a public key",
         _INSIDE, "critical",
         lambda m: _around(m, m.token(m.key_of(m.kit.other_scope(same_class=False))).encode(), cty="JWT")),
    Case("jwe.direct-zero", "Claims, encrypted with a key of zeros", _INSIDE, "critical",
         lambda m: direct(to_json(m.claims()), bytes(32))),
    Case("jwe.five-parts", "A genuine token with two empty parts", "RFC 7516, section 7.1", "medium",
         lambda m: f"{m.good()}.."),
    Case("jwe.password", f"An encryption that asks for {_ROUNDS:,} rounds", "RFC 8725, section 3.3", "low",
         _password),
    Case("jwe.bomb", "An encryption of 1 MiB in 2,000 bytes", "RFC 7516, section 11", "low",
         lambda m: bomb(_public(m)[0])),
)  # fmt: skip
