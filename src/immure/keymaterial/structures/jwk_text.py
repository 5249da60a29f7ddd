"""JSON Web Keys in arbitrary bytes: the smallest JSON object around ``"kty`` is looked for and parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from immure.errors import KeyFormatError
from immure.keymaterial.jwk import is_private_jwk, jwk_private, jwk_public
from immure.keymaterial.structures.hits import Hit, PrivateHit, PublicHit

#: characters to either side of "kty" within which the object must begin and end
JWK_REACH = 1 << 14
_MAX_BRACES = 8
_HEAD = re.compile(rb'"kty(\\*)"\s*:\s*\1"(?:RSA|EC|OKP)\1"')
_HINTS = ("kid", "issuer", "cloud_instance_name", "use", "alg")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


def is_jwk_head(text: bytes) -> bool:
    """Whether the text goes on from the needle as a JWK of an asymmetric key does."""
    return _HEAD.match(text) is not None


def jwk_object(text: bytes, at: int) -> Sequence[Hit]:
    """The JWK around the needle ``"kty`` at ``at``, also inside a JSON string (where quotes are escaped)."""
    head = _HEAD.match(text, at)
    if head is None:
        return ()
    escapes = len(head[1])
    if escapes:
        return _escaped(text, at, escapes)
    found = _enclosing(text, at)
    return _hits(*found) if found else ()


def _enclosing(text: bytes, at: int) -> tuple[dict[str, Any], int, int] | None:
    """The innermost JSON object around ``at`` that has a member ``kty``, its start and its end."""
    low = max(0, at - JWK_REACH)
    start = text.rfind(b"{", low, at)
    for _ in range(_MAX_BRACES):
        if start < 0:
            return None
        found = _decode(text, start, at + JWK_REACH)
        if found is not None and found[1] > at and isinstance(found[0].get("kty"), str):
            return found[0], start, found[1]
        start = text.rfind(b"{", low, start)
    return None


def _decode(text: bytes, start: int, stop: int) -> tuple[dict[str, Any], int] | None:
    """The JSON object at ``start`` and its end, or None. Latin-1 keeps one character for each byte."""
    try:
        value, size = _DECODER.raw_decode(text[start:stop].decode("latin-1"))
    except (ValueError, RecursionError):
        return None
    return (value, start + size) if isinstance(value, dict) else None


def _escaped(text: bytes, at: int, escapes: int) -> Sequence[Hit]:
    """A JWK inside a JSON string: what is escaped is unescaped, and positions are mapped back."""
    quote = b"\\" * escapes + b'"'
    low = max(0, at - JWK_REACH)
    wide = text[low : at + JWK_REACH]
    flat = wide.replace(quote, b'"')
    found = _enclosing(flat, text[low : at + 1].replace(quote, b'"').rfind(b'"'))
    if found is None:
        return ()
    members, start, stop = found
    return _hits(members, low + _widened(wide, quote, start), low + _widened(wide, quote, stop))


def _widened(wide: bytes, quote: bytes, index: int) -> int:
    """Where the byte stands in ``wide`` that is at ``index`` once every ``quote`` there is a single byte."""
    narrow_at = wide_at = 0
    for part in wide.split(quote):
        if index <= narrow_at + len(part):
            break
        narrow_at += len(part) + 1
        wide_at += len(part) + len(quote)
    return wide_at + index - narrow_at


def _hits(jwk: dict[str, Any], start: int, stop: int) -> Sequence[Hit]:
    hints: dict[str, Any] = {
        name: value for name in _HINTS if isinstance(value := jwk.get(name), str) and len(value) <= 2048
    }
    length = stop - start
    if is_private_jwk(jwk):
        try:
            return (PrivateHit(jwk_private(jwk), start, length, "jwk", **hints),)
        except KeyFormatError:
            pass  # the private half is cut off or belongs elsewhere: the public half may still be a key
    return (PublicHit(jwk_public(jwk), start, length, "jwk", **hints),)
