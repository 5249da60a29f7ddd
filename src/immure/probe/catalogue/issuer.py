"""Issuers that are not quite the one that is trusted. All are signed by the target's own key."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case, Severity
from immure.probe.mint import ABSENT, Mint

_EXACT: Final = "RFC 7519, sections 4.1.1 and 7.3"
_BINDING: Final = "RFC 8725, section 3.8"


def _case(name: str, title: str, change: Any, severity: Severity = "medium", reference: str = _EXACT) -> Case:
    """``change`` makes the issuer out of the right one."""
    return Case(f"issuer.{name}", title, reference, severity, lambda m: m.token(iss=change(m.target.issuer)))


def _host(issuer: str) -> str:
    return issuer.split("/")[2] if issuer.count("/") > 1 else issuer


def _swapped(issuer: str, old: str, new: str) -> str:
    """With the first ``old`` replaced, or with ``new`` at the end if there is none."""
    return issuer.replace(old, new, 1) if old in issuer else issuer + new


def _all(m: Mint) -> str:
    return m.token(iss=[scope.issuer for scope in m.kit.scopes.values()])


CASES: Final = (
    Case("issuer.absent", "iss is not there", _BINDING, "high", lambda m: m.token(iss=ABSENT)),
    Case("issuer.null", "iss is null", _BINDING, "high", lambda m: m.token(iss=None)),
    Case("issuer.list", "iss is a list with the right one in it", _EXACT, "high",
         lambda m: m.token(iss=[m.target.issuer])),
    Case("issuer.all", "iss is a list of all", _EXACT, "high", _all),
    Case("issuer.object", "iss is an object", _EXACT, "medium", lambda m: m.token(iss={"": m.target.issuer})),
    Case("issuer.number", "iss is a number", _EXACT, "medium", lambda m: m.token(iss=1)),
    _case("empty", "iss is empty", lambda iss: "", "high"),
    _case("unknown", "An issuer that nobody knows", lambda iss: "https://immure-probe.invalid", "high",
          _BINDING),
    _case("slash", "A slash more or less at the end",
          lambda iss: iss[:-1] if iss.endswith("/") else iss + "/"),
    _case("upper-case", "In upper case", str.upper),
    _case("http", "http instead of https", lambda iss: _swapped(iss, "https:", "http:"), "high"),
    _case("port", "With the port that is meant anyhow",
          lambda iss: _swapped(iss, _host(iss), _host(iss) + ":443")),
    _case("suffix", "The right one, and more of the host's name", lambda iss: _swapped(
        iss, _host(iss), _host(iss) + ".immure-probe.invalid"), "high"),
    _case("longer", "The right one, and more at the end", lambda iss: iss + ".immure-probe.invalid", "high"),
    _case("prefix", "The first half of the right one", lambda iss: iss[: len(iss) // 2], "high"),
    _case("user", "The right host as a user name before another", lambda iss: _swapped(
        iss, _host(iss), _host(iss) + "@immure-probe.invalid"), "high"),
    _case("fragment", "With a fragment", lambda iss: iss + "#x"),
    _case("query", "With a query", lambda iss: iss + "?x"),
    _case("dots", "With .. in its path", lambda iss: iss + "/../" + iss.rpartition("/")[2]),
    _case("percent", "With a character of it percent-encoded", lambda iss: iss[:-1] + f"%{ord(iss[-1]):02x}"),
    _case("blank", "With a blank behind it", lambda iss: iss + " "),
    _case("line-break", "With a line break behind it", lambda iss: iss + "\n"),
    _case("zero", "With a zero byte, and more behind it", lambda iss: iss + "\0.invalid"),
    _case("template", "The template instead of a tenant", lambda iss: iss.rpartition("/")[0] + "/{tenantid}"),
    _case("wildcard", "A star for the last part", lambda iss: iss.rpartition("/")[0] + "/*"),
    _case("homoglyph", "With a Cyrillic letter that looks the same",
          lambda iss: _swapped(iss, "e", "\u0435"), "high"),
    _case("full-width", "With a full-width full stop", lambda iss: _swapped(iss, ".", "\uff0e"), "high"),
    _case("invisible", "With a character that cannot be seen", lambda iss: iss + "\u200b"),
    _case("direction", "With a mark that turns the writing around", lambda iss: "\u202e" + iss),
    _case("combined", "With an accent that normalisation would join", lambda iss: iss + "e\u0301"),
)  # fmt: skip
