"""Algorithms: none at all, and others than the key's (RFC 8725, sections 2.1, 3.1 and 3.2)."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case, Severity
from immure.probe.mint import ABSENT, Mint, to_json, unsigned

_NONE: Final = "RFC 8725, sections 2.1 and 3.2"
_CONFUSED: Final = "RFC 8725, sections 2.1 and 3.1"


def _without(m: Mint, alg: Any, signature: str = "") -> str:
    head = to_json(m.header(m.home(), alg=alg))
    return f"{unsigned(head, to_json(m.claims()))}.{signature}"


def _none(name: str, title: str, alg: Any, signature: str = "", severity: Severity = "critical") -> Case:
    return Case(f"alg.{name}", title, _NONE, severity, lambda m: _without(m, alg, signature))


def _escaped(m: Mint) -> str:
    head = to_json(m.header(m.home(), alg="@")).replace(b'"@"', b'"\\u006eone"')
    return f"{unsigned(head, to_json(m.claims()))}."


def _none_signed(m: Mint) -> str:
    """The signature is genuine; the header says that there is none."""
    return m.token(header={"alg": "none"})


def _named(m: Mint, kind: str, alg: str) -> str:
    """Signed as the key can, and said to be signed otherwise."""
    return m.token(m.home(kind), header={"alg": alg})


def _used(m: Mint, kind: str, alg: str) -> str:
    """Signed by an algorithm that fits the key's kind, and that is not the one it is published for."""
    key = m.home(kind)
    return m.token(key, header={"alg": alg}, alg=alg)


CASES: Final = (
    _none("none", "Unsigned (alg none)", "none"),
    _none("none-capital", "Unsigned (alg None)", "None"),
    _none("none-upper", "Unsigned (alg NONE)", "NONE"),
    _none("none-mixed", "Unsigned (alg nOnE)", "nOnE"),
    _none("none-blank", "Unsigned (alg none and a blank)", "none "),
    Case("alg.none-escaped", "Unsigned (alg none, with an escape)", _NONE, "critical", _escaped),
    _none("none-junk", "alg none, and something for a signature", "none", "AAAA"),
    Case("alg.none-signed", "alg none, and a genuine signature", _NONE, "high", _none_signed),
    _none("empty", "Unsigned (alg is empty)", ""),
    _none("null", "Unsigned (alg is null)", None),
    _none("absent", "Unsigned (alg is not there)", ABSENT),
    _none("false", "Unsigned (alg is false)", False),
    _none("list", "Unsigned (alg is a list)", ["none"]),
    _none("object", "Unsigned (alg is an object)", {"alg": "none"}),
    _none("unsigned", "Unsigned, and alg is the key's", "RS256"),
    _none("unknown", "An algorithm that nobody knows", "XX256", "AAAA"),
    Case("alg.absent-signed", "alg is not there, and the signature is genuine", "RFC 7515, section 4.1.1",
         "medium", lambda m: m.token(header={"alg": ABSENT})),
    Case("alg.lower-case", "The right algorithm in lower case", "RFC 7515, section 4.1.1", "low",
         lambda m: m.token(header={"alg": m.home().alg.lower()})),
    Case("alg.list-signed", "alg is a list of the right one", "RFC 7515, section 4.1.1", "medium",
         lambda m: m.token(header={"alg": [m.home().alg]})),
    Case("alg.rsa-said-pss", "A PKCS #1 signature that is said to be PSS", _CONFUSED, "high",
         lambda m: _named(m, "RS", "PS256")),
    Case("alg.rsa-said-rs512", "A signature over SHA-256 that is said to be over SHA-512", _CONFUSED, "high",
         lambda m: _named(m, "RS256", "RS512")),
    Case("alg.rsa-said-ec", "A signature of an RSA key that is said to be ES256", _CONFUSED, "high",
         lambda m: _named(m, "RS", "ES256")),
    Case("alg.ec-said-rsa", "A signature of an EC key that is said to be RS256", _CONFUSED, "high",
         lambda m: _named(m, "ES", "RS256")),
    Case("alg.ec-said-es384", "A signature by P-256 that is said to be ES384", _CONFUSED, "high",
         lambda m: _named(m, "ES256", "ES384")),
    Case("alg.ec-said-es256k", "A signature by P-256 that is said to be ES256K", _CONFUSED, "high",
         lambda m: _named(m, "ES256", "ES256K")),
    Case("alg.ec-said-eddsa", "A signature by P-256 that is said to be EdDSA", _CONFUSED, "high",
         lambda m: _named(m, "ES256", "EdDSA")),
    Case("alg.rsa-used-for-pss", "PSS by a key that is published for PKCS #1", "RFC 7517, section 4.4",
         "medium", lambda m: _used(m, "RS", "PS256")),
    Case("alg.rsa-used-for-rs512", "RS512 by a key that is published for RS256", "RFC 7517, section 4.4",
         "medium", lambda m: _used(m, "RS256", "RS512")),
)  # fmt: skip
