"""Claims that are no JSON, or mean two things. Signed by the target's own key unless the title says more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from immure.keymaterial.key import b64url
from immure.probe.case import Case, Expected, Severity
from immure.probe.mint import Mint, to_json

_JSON: Final = "RFC 7519, section 7.2; RFC 8259"
_TWICE: Final = "RFC 7519, section 4; RFC 8725, section 2.4"


def _changed(
    name: str,
    title: str,
    change: Callable[[bytes], bytes],
    severity: Severity = "medium",
    expected: Expected = "refuse",
) -> Case:
    """``change`` makes the payload out of that of a good token."""

    def build(m: Mint) -> str:
        return m.raw(payload=change(to_json(m.claims())))

    return Case(f"json.{name}", title, _JSON, severity, build, expected)


def _twice(m: Mint, name: str, first: Any, second: Any, key: Any = None) -> str:
    """A claim twice; the key is the target's unless another is given."""
    signer = key or m.home()
    mark = "immure-probe-mark"
    payload = to_json(m.claims(**{name: first, mark: 0}))
    payload = payload.replace(to_json(mark) + b":0", to_json(name) + b":" + to_json(second))
    return m.seal(to_json(m.header(signer)), payload, signer.private, signer.alg)


def _issuers(m: Mint, *, target_last: bool) -> str:
    """Signed by the other scope's key; one of the two issuers is its own."""
    other = m.kit.other_scope(same_class=False)
    pair = (other.issuer, m.target.issuer) if target_last else (m.target.issuer, other.issuer)
    return _twice(m, "iss", *pair, key=m.key_of(other))


def _header_twice(m: Mint) -> str:
    """The first ``alg`` is the key's, the last is none; nothing is signed."""
    head = to_json(m.header(m.home()))[:-1] + b',"alg":"none"}'
    return f"{b64url(head)}.{b64url(to_json(m.claims()))}."


CASES: Final = (
    Case("json.issuer-twice", "iss twice, the target's first, by another scope's key", _TWICE, "critical",
         lambda m: _issuers(m, target_last=False)),
    Case("json.issuer-twice-last", "iss twice, the target's last, by another scope's key", _TWICE, "critical",
         lambda m: _issuers(m, target_last=True)),
    Case("json.exp-twice", "exp twice: still to come, and then long past", _TWICE, "high",
         lambda m: _twice(m, "exp", m.now + 600, 1)),
    Case("json.exp-twice-last", "exp twice: long past, and then still to come", _TWICE, "low",
         lambda m: _twice(m, "exp", 1, m.now + 600), "may"),
    Case("json.audience-twice", "aud twice: ours, and then somebody else's", _TWICE, "high",
         lambda m: _twice(m, "aud", m.target.audience, "https://elsewhere.immure-probe.invalid")),
    Case("json.alg-twice", "alg twice: the key's, and then none; unsigned", _TWICE, "critical",
         _header_twice),
    _changed("behind", "Something behind the object", lambda data: data + b"x"),
    _changed("object-behind", "A second object behind the first", lambda data: data + b'{"sub":"root"}'),
    _changed("comment", "A comment in it", lambda data: data.replace(b"{", b"{/* */", 1)),
    _changed("comma", "A comma behind the last member", lambda data: data[:-1] + b",}"),
    _changed("quotes", "Single quotes", lambda data: data.replace(b'"', b"'")),
    _changed("list", "A list with the claims in it", lambda data: b"[" + data + b"]"),
    _changed("text", "A text with the claims in it", lambda data: to_json(data.decode()), "medium"),
    _changed("null", "null", lambda data: b"null"),
    _changed("number", "A number", lambda data: b"1"),
    _changed("cut", "Cut off in the middle", lambda data: data[: len(data) // 2]),
    _changed("control", "A line break inside a text",
             lambda data: data.replace(b"immure-probe", b"immure\nprobe")),
    _changed("latin-1", "A byte that is no UTF-8", lambda data: data.replace(b"immure-probe", b"\xe9")),
    _changed("overlong", "A slash in two bytes, which no UTF-8 has",
             lambda data: data.replace(b"immure-probe", b"\xc0\xaf")),
    _changed("utf-16", "UTF-16", lambda data: data.decode().encode("utf-16"), "low"),
    _changed("byte-order-mark", "A byte order mark before it", lambda data: b"\xef\xbb\xbf" + data, "low",
             expected="may"),
    _changed("nan", "NaN for a claim", lambda data: data[:-1] + b',"x":NaN}', "low"),
)  # fmt: skip
