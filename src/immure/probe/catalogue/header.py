"""Headers that ask for what must be understood, or are no headers. Signed by the target's own key."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case, Severity
from immure.probe.mint import to_json

_CRIT: Final = "RFC 7515, section 4.1.11"
_HEADER: Final = "RFC 7515, section 4"
_PLAIN: Final = "RFC 7797, section 7"


def _crit(name: str, title: str, crit: Any, severity: Severity = "high", **more: Any) -> Case:
    return Case(f"header.{name}", title, _CRIT, severity, lambda m: m.token(header={"crit": crit, **more}))


def _head(name: str, title: str, head: bytes, severity: Severity = "low") -> Case:
    return Case(f"header.{name}", title, _HEADER, severity, lambda m: m.raw(head=head))


CASES: Final = (
    _crit("crit-unknown", "crit names an extension that nobody knows", ["immure_probe"], immure_probe=True),
    _crit("crit-unknown-exp", "crit names exp, which is no extension", ["exp"], "medium", exp=1),
    _crit("crit-absent-member", "crit names what is not in the header", ["immure_probe"]),
    _crit("crit-empty", "crit is an empty list", [], "medium"),
    _crit("crit-text", "crit is a text", "immure_probe", "medium", immure_probe=True),
    _crit("crit-null", "crit is null", None, "medium"),
    _crit("crit-numbers", "crit is a list of numbers", [1], "medium"),
    _crit("crit-registered", "crit names a parameter of RFC 7515", ["alg"], "medium"),
    Case("header.b64-false", "The payload is said not to be base64url (b64)", _PLAIN, "high",
         lambda m: m.token(header={"b64": False, "crit": ["b64"]})),
    _head("empty-object", "An object with nothing in it", b"{}"),
    _head("list", "A list", b'[{"alg":"none"}]'),
    _head("text", "A text", b'"none"'),
    _head("null", "null", b"null"),
    _head("no-json", "Not JSON", b"\x00\x01\x02"),
    Case("header.typ-number", "typ is a number", _HEADER, "low", lambda m: m.token(header={"typ": 7}), "may"),
    Case("header.enc", "A header parameter of encryption in a signed token", _HEADER, "low",
         lambda m: m.token(header={"enc": "A256GCM"}), "may"),
    Case("header.trailing", "Something behind the object", _HEADER, "medium",
         lambda m: m.raw(head=to_json(m.header(m.home())) + b"{}")),
)  # fmt: skip
