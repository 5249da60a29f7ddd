"""Claims that have passed, are to come, or have the wrong type (RFC 7519, section 4.1)."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case, Expected, Severity
from immure.probe.mint import ABSENT, Mint, to_json

_EXP: Final = "RFC 7519, section 4.1.4"
_NBF: Final = "RFC 7519, section 4.1.5"
_IAT: Final = "RFC 7519, section 4.1.6"
_TYPES: Final = "RFC 7519, sections 2 and 4.1"
_ACCESS: Final = "RFC 9068, section 2.2"
_DAY: Final = 86_400


def _case(
    name: str,
    title: str,
    severity: Severity = "medium",
    reference: str = _EXP,
    expected: Expected = "refuse",
    **claims: Any,
) -> Case:
    return Case(f"claim.{name}", title, reference, severity, lambda m: m.token(**claims), expected)


def _past(m: Mint, seconds: int) -> str:
    """Expired, and issued before that, so that nothing else is wrong with it."""
    then = m.now - seconds
    return m.token(exp=then, iat=then - 600, nbf=then - 600)


def _bare(m: Mint, name: str, number: bytes) -> str:
    """A claim whose number is written as it is given."""
    payload = to_json(m.claims(**{name: "@"})).replace(b'"@"', number)
    return m.raw(payload=payload)


def _to_come(m: Mint, name: str) -> str:
    changes: dict[str, Any] = {name: m.now + _DAY, "exp": m.now + 2 * _DAY}
    return m.token(**changes)


CASES: Final = (
    Case("claim.expired", "Expired an hour ago", _EXP, "critical", lambda m: _past(m, 3600)),
    Case("claim.expired-year", "Expired a year ago", _EXP, "critical", lambda m: _past(m, 365 * _DAY)),
    Case("claim.expired-ten-minutes", "Expired eleven minutes ago", _EXP, "high", lambda m: _past(m, 660)),
    _case("exp-zero", "exp is 0", "critical", exp=0, iat=ABSENT, nbf=ABSENT),
    _case("exp-negative", "exp is negative", "high", exp=-1, iat=ABSENT, nbf=ABSENT),
    _case("exp-absent", "exp is not there", "high", _ACCESS, exp=ABSENT),
    _case("exp-null", "exp is null", "high", exp=None),
    Case("claim.exp-text", "exp is a text", _EXP, "medium", lambda m: m.token(exp=str(m.now + 600))),
    _case("exp-empty", "exp is an empty text", "high", exp=""),
    _case("exp-words", "exp is a word", "high", exp="never"),
    Case("claim.exp-list", "exp is a list", _EXP, "medium", lambda m: m.token(exp=[m.now + 600])),
    Case("claim.exp-object", "exp is an object", _EXP, "medium", lambda m: m.token(exp={"t": m.now + 600})),
    _case("exp-true", "exp is true", "high", exp=True, iat=ABSENT, nbf=ABSENT),
    _case("exp-false", "exp is false", "high", exp=False, iat=ABSENT, nbf=ABSENT),
    Case("claim.exp-nan", "exp is NaN", _TYPES, "high", lambda m: _bare(m, "exp", b"NaN")),
    Case("claim.exp-infinity", "exp is Infinity", _TYPES, "high", lambda m: _bare(m, "exp", b"Infinity")),
    Case("claim.exp-exponent", "exp is 1e999, which many read as infinity", _EXP, "medium",
         lambda m: _bare(m, "exp", b"1e999"), "may"),
    Case("claim.exp-digits", "exp has 5,000 digits", _EXP, "low",
         lambda m: _bare(m, "exp", b"9" * 5000), "may"),
    _case("exp-far", "exp is in the year 318,857 and more", "low", expected="may", exp=10**13),
    _case("exp-milliseconds", "exp is in milliseconds, some 50,000 years away", "low",
          expected="may", exp=1_800_000_000_000),
    Case("claim.nbf-future", "nbf is tomorrow", _NBF, "high", lambda m: _to_come(m, "nbf")),
    Case("claim.nbf-text", "nbf is a text", _NBF, "medium", lambda m: m.token(nbf=str(m.now - 60))),
    _case("nbf-null", "nbf is null", "medium", _NBF, nbf=None),
    _case("nbf-list", "nbf is a list", "medium", _NBF, nbf=[0]),
    Case("claim.nbf-infinity", "nbf is -Infinity", _TYPES, "medium", lambda m: _bare(m, "nbf", b"-Infinity")),
    Case("claim.iat-future", "iat is tomorrow", _IAT, "low", lambda m: _to_come(m, "iat"), "may"),
    Case("claim.iat-text", "iat is a text", _IAT, "medium", lambda m: m.token(iat=str(m.now - 60))),
    _case("iat-list", "iat is a list", "medium", _IAT, iat=[0]),
    _case("iat-null", "iat is null", "low", _IAT, iat=None),
    _case("sub-number", "sub is a number", "medium", "RFC 7519, section 4.1.2", sub=0),
    _case("sub-list", "sub is a list", "medium", "RFC 7519, section 4.1.2", sub=["immure-probe", "root"]),
    _case("sub-object", "sub is an object", "medium", "RFC 7519, section 4.1.2", sub={"$ne": ""}),
    _case("sub-null", "sub is null", "medium", "RFC 7519, section 4.1.2", sub=None),
    _case("sub-true", "sub is true", "medium", "RFC 7519, section 4.1.2", sub=True),
    _case("jti-number", "jti is a number", "low", "RFC 7519, section 4.1.7", jti=7),
    _case("jti-list", "jti is a list", "low", "RFC 7519, section 4.1.7", jti=["a"]),
)  # fmt: skip
