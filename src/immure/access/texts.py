"""Texts that stand for bytes and moments, each with one spelling.

>>> decode(encode(b"\\xff\\xfe"))
b'\\xff\\xfe'
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

from immure.clock import from_rfc3339, to_rfc3339
from immure.errors import InputError

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def encode(data: bytes) -> str:
    """base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes that ``text`` stands for.

    Raises:
        InputError: it is not base64url without padding, or not the one way to write those bytes.
    """
    if not _BASE64URL.fullmatch(text):
        raise InputError("a text that is not base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise InputError("a text that is not base64url without padding") from None
    if encode(data) != text:
        raise InputError("base64url with bits left over, which is another spelling of the same bytes")
    return data


def moment(text: str) -> datetime:
    """The moment that a text of our own names; raises InputError if it is none (RFC 3339)."""
    try:
        return from_rfc3339(text)
    except (ValueError, OverflowError):
        raise InputError(f"{text[:40]!r} is not a time as in 2026-11-25T01:02:03Z") from None


def spelled(when: datetime) -> str:
    """A moment in whole seconds, as documents and entries have it."""
    return to_rfc3339(when.astimezone(UTC).replace(microsecond=0))
