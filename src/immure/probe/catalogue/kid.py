"""Names of keys that attack whoever looks them up. None of these tokens has a signature by a known key."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case, Severity
from immure.probe.mint import ABSENT, Mint

_KID: Final = "RFC 8725, section 3.10"


def _hmac(name: str, title: str, kid: Any, secret: bytes, severity: Severity = "critical") -> Case:
    """HMAC with what a lookup by that name could find."""

    def build(m: Mint) -> str:
        return m.token(header={"alg": "HS256", "kid": kid}, by=secret, alg="HS256")

    return Case(f"kid.{name}", title, _KID, severity, build)


def _forged(name: str, title: str, kid: Any, severity: Severity = "high") -> Case:
    """Signed by the attacker, by the algorithm that the target's key has."""
    return Case(f"kid.{name}", title, _KID, severity, lambda m: m.forged({"kid": kid}))


CASES: Final = (
    _hmac("path", "A path to an empty file, and HMAC with nothing", "../../../../../../dev/null", b""),
    _hmac("path-absolute", "An absolute path to an empty file", "/dev/null", b""),
    _hmac("path-known", "A path to a file whose content is known",
          "../../../../../../proc/sys/kernel/ostype", b"Linux\n"),
    _hmac("path-encoded", "A path with percent-encoding", "..%2f..%2f..%2f..%2fdev%2fnull", b""),
    _hmac("sql", "SQL that answers with a known secret", "x' UNION SELECT 'probe' -- ", b"probe"),
    _hmac("sql-quotes", "SQL in double quotes", 'x" UNION SELECT "probe" -- ', b"probe"),
    _hmac("nosql", "An operator of a document store", {"$ne": ""}, b""),
    _hmac("ldap", "A filter that fits everything", "*)(cn=*", b""),
    _hmac("command", "A command of a shell", "x|printf probe", b"probe"),
    _hmac("template", "A template that is evaluated", "${{7*7}}", b"49"),
    _hmac("prototype", "The name of a prototype", "__proto__", b""),
    _hmac("constructor", "The name of a constructor", "constructor", b""),
    _forged("unknown", "A name that nobody knows", "immure-probe-unknown"),
    _forged("absent", "No name, and an attacker's signature", ABSENT, "critical"),
    _forged("empty", "An empty name", ""),
    _forged("null", "null", None),
    _forged("number", "A number", 0),
    _forged("list", "A list", ["immure-probe"]),
    _forged("object", "An object", {"immure": "probe"}),
    _forged("true", "true", True),
    _forged("zero-byte", "A zero byte", "immure\0probe"),
    _forged("line-break", "Line breaks, as those who forge log files use", "x\r\nalg: none", "low"),
    _forged("unicode", "Characters outside ASCII", "\u202ek\u0456d\U0001f511", "low"),
    _forged("surrogate", "Half a character", "\ud800", "low"),
    _forged("huge", "6,000 characters", "k" * 6000, "low"),
    Case("kid.zero-behind", "The right name, a zero byte, and the attacker's signature", _KID, "critical",
         lambda m: m.forged({"kid": m.home().kid + "\0"})),
)  # fmt: skip
