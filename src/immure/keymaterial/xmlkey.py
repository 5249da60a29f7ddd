"""RSA keys as .NET writes them: ``<RSAKeyValue>`` (XML Signature, section 4.4.2.2, with .NET's private
members).

All numbers are base64 of big-endian bytes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.numbers import checked_rsa
from immure.keymaterial.pem import decode_body
from immure.keymaterial.private import RsaPrivate
from immure.secret import Secret

_HEAD = b"<RSAKeyValue>"
_TAIL = b"</RSAKeyValue>"
_MAX = 1 << 15
_MEMBER = re.compile(rb"<([A-Za-z]{1,8})>([A-Za-z0-9+/=\s]{1,4096})</\1>")
_PRIVATE = (b"D", b"P", b"Q", b"DP", b"DQ", b"InverseQ")


class RsaKeyValue(NamedTuple):
    """The numbers of an element, the private key if it holds one, and the offset behind it."""

    numbers: RsaNumbers
    private: RsaPrivate | None
    end: int


def parse_rsa_key_value(text: bytes, at: int = 0) -> RsaKeyValue:
    """The element that begins at ``at``.

    Raises:
        KeyFormatError: none begins there, or its public numbers are refused. A private half that does not
            fit is ignored.
    """
    end = text.find(_TAIL, at, at + _MAX)
    if not text.startswith(_HEAD, at) or end < 0:
        raise KeyFormatError("not a whole RSAKeyValue element")
    members = {match[1]: match[2] for match in _MEMBER.finditer(text, at + len(_HEAD), end)}
    if b"Modulus" not in members or b"Exponent" not in members:
        raise KeyFormatError("RSAKeyValue element without modulus or exponent")
    public = checked_rsa(_number(members[b"Modulus"]), _number(members[b"Exponent"]))
    private = None
    if all(name in members for name in _PRIVATE):
        try:
            private = RsaPrivate(public, *(Secret(_number(members[name])) for name in _PRIVATE))
        except KeyFormatError:
            private = None  # the public half is still a key
    return RsaKeyValue(public, private, end + len(_TAIL))


def _number(text: bytes) -> int:
    return int.from_bytes(decode_body(text), "big")
