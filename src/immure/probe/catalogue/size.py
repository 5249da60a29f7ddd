"""Tokens that are too large or too deep: what matters is that the server goes on answering."""

from __future__ import annotations

from typing import Final

from immure.keymaterial.key import b64url
from immure.probe.case import Case
from immure.probe.mint import Mint, to_json, unsigned

_LIMITS: Final = "RFC 7515, section 10; RFC 8259, section 9"


def _junk(m: Mint, size: int) -> str:
    """A header of the target's key, junk of so many bytes, no genuine signature."""
    head, _, signature = m.parts()
    return f"{head}.{'A' * (size - size % 4)}.{signature}"


def _deep(m: Mint, depth: int) -> str:
    head = to_json(m.header(m.home()))
    payload = to_json(m.claims())[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    return f"{unsigned(head, payload)}.{b64url(bytes(64))}"


def _deep_header(m: Mint, depth: int) -> str:
    head = to_json(m.header(m.home()))[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    return f"{unsigned(head, to_json(m.claims()))}.{b64url(bytes(64))}"


def _many(m: Mint) -> str:
    payload = m.claims(**{f"x{number}": 0 for number in range(500)})
    return f"{unsigned(to_json(m.header(m.home())), to_json(payload))}.{b64url(bytes(64))}"


CASES: Final = (
    Case("size.many-claims", "500 claims, and no genuine signature", _LIMITS, "low", _many),
    Case("size.deep", "Lists in lists, 2,500 deep, and no genuine signature", _LIMITS, "low",
         lambda m: _deep(m, 2500)),
    Case("size.deep-header", "The same in the header", _LIMITS, "low", lambda m: _deep_header(m, 2500)),
    Case("size.17k", "A genuine token of 17 KiB", _LIMITS, "low", lambda m: m.token(x="x" * 12_500), "may"),
    Case("size.points", "8,000 points", _LIMITS, "low", lambda m: "." * 8000),
    Case("size.64k", "64 KiB of junk", _LIMITS, "low", lambda m: _junk(m, 64 << 10)),
    Case("size.1m", "1 MiB of junk", _LIMITS, "low", lambda m: _junk(m, 1 << 20)),
)  # fmt: skip
