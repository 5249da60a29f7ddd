"""Texts that are not a token, or are a genuine one written otherwise (RFC 7515, 7.1; RFC 7519, 7.2)."""

from __future__ import annotations

from typing import Final

from immure.keymaterial.key import b64url
from immure.probe.case import Case
from immure.probe.mint import Mint, to_json

_COMPACT: Final = "RFC 7519, section 3; RFC 7515, section 7.1"
_BASE64: Final = "RFC 7515, section 2; RFC 7519, section 7.2"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _flattened(m: Mint) -> str:
    head, payload, signature = m.parts()
    return to_json({"protected": head, "payload": payload, "signature": signature}).decode()


def _general(m: Mint) -> str:
    head, payload, signature = m.parts()
    return to_json({"payload": payload, "signatures": [{"protected": head, "signature": signature}]}).decode()


def _mixed(m: Mint) -> str:
    """A text that is both: a compact token to one reader, JSON with other claims to another."""
    head, payload, signature = m.parts()
    other = b64url(to_json(m.claims(sub="administrator")))
    members = {"protected": head, "payload": payload, "signature": signature, f".{other}.": ""}
    return to_json(members).decode()


def _list(m: Mint) -> str:
    return to_json([m.good()]).decode()


def _padded(m: Mint) -> str:
    """Padded where base64 with padding would be, also with claims whose length leaves none to pad."""
    signed = ".".join(part + "=" * (-len(part) % 4) for part in m.parts())
    return signed if "=" in signed else f"{signed}===="


def _other_alphabet(m: Mint) -> str:
    """Tokens until one has a sign in which the two alphabets differ."""
    for _ in range(64):
        head, payload, signature = m.parts()
        if set("-_") & set(signature):
            return f"{head}.{payload}.{signature.replace('-', '+').replace('_', '/')}"
    return f"{head}.{payload}.{signature}+"


def _stray_bits(m: Mint) -> str:
    head, payload, signature = m.parts()
    last = _LETTERS.index(signature[-1])
    return f"{head}.{payload}.{signature[:-1]}{_LETTERS[last ^ 1]}"


def _inserted(m: Mint, text: str) -> str:
    head, payload, signature = m.parts()
    return f"{head}.{payload}.{signature[:8]}{text}{signature[8:]}"


def _joined(m: Mint, text: str) -> str:
    head, payload, signature = m.parts()
    return text.format(h=head, p=payload, s=signature)


def _two(m: Mint) -> str:
    return f"{m.good()},{m.good()}"


def _signed_inside(m: Mint) -> str:
    """The claims are a signed token that somebody else has signed (RFC 7519, section 5.2)."""
    key = m.home()
    head = to_json(m.header(key, cty="JWT"))
    return m.seal(head, m.token(m.attacker()).encode(), key.private, key.alg)


CASES: Final = (
    Case("form.flattened", "A genuine token in the JSON serialization", _COMPACT, "medium", _flattened),
    Case("form.general", "A genuine token in the JSON serialization for several signatures", _COMPACT,
         "medium", _general),
    Case("form.mixed", "JSON that is also a compact token", _COMPACT, "high", _mixed),
    Case("form.list", "A genuine token in a list", _COMPACT, "medium", _list),
    Case("form.two", "Two genuine tokens, with a comma", _COMPACT, "medium", _two),
    Case("form.two-parts", "No signature, and no point before it", _COMPACT, "critical",
         lambda m: _joined(m, "{h}.{p}")),
    Case("form.four-parts", "A fourth part", _COMPACT, "medium", lambda m: _joined(m, "{h}.{p}.{s}.{s}")),
    Case("form.point-behind", "A point behind it", _COMPACT, "medium", lambda m: _joined(m, "{h}.{p}.{s}.")),
    Case("form.point-before", "A point before it", _COMPACT, "medium", lambda m: _joined(m, ".{h}.{p}.{s}")),
    Case("form.detached", "The payload is not in the token", "RFC 7515, appendix F", "high",
         lambda m: _joined(m, "{h}..{s}")),
    Case("form.nested", "The payload is a token of the attacker", "RFC 7519, section 5.2", "high",
         _signed_inside),
    Case("form.junk-behind", "A genuine token, and junk behind it", _COMPACT, "medium",
         lambda m: _joined(m, "{h}.{p}.{s}!junk")),
    Case("form.comment-behind", "A genuine token, and more behind a semicolon", _COMPACT, "medium",
         lambda m: _joined(m, "{h}.{p}.{s};x=1")),
    Case("form.padded", "A genuine token with the padding of base64", _BASE64, "low", _padded),
    Case("form.standard-base64", "A signature in the other alphabet of base64", _BASE64, "low",
         _other_alphabet),
    Case("form.blank-inside", "A blank in the signature", _BASE64, "low", lambda m: _inserted(m, " ")),
    Case("form.tab-inside", "A tabulator in the signature", _BASE64, "low", lambda m: _inserted(m, "\t")),
    Case("form.line-break-inside", "A line break in the signature", _BASE64, "low",
         lambda m: _inserted(m, "\n")),
    Case("form.zero-inside", "A zero byte in the signature", _BASE64, "low", lambda m: _inserted(m, "\0")),
    Case("form.junk-inside", "Characters in the signature that are not base64", _BASE64, "low",
         lambda m: _inserted(m, "!")),
    Case("form.unicode-inside", "A full-width letter in the signature", _BASE64, "low",
         lambda m: _inserted(m, "\uff21")),
    Case("form.stray-bits", "A genuine token, spelled otherwise in bits that mean nothing",
         "RFC 4648, section 3.5", "low", _stray_bits, "may"),
)  # fmt: skip
