"""PEM (RFC 7468) as it is met in files and in memory.

>>> block = read_block(b"-----BEGIN PUBLIC KEY-----\\nMAA=\\n-----END PUBLIC KEY-----\\n")
>>> block.label, block.data, block.complete
('PUBLIC KEY', b'0\\x00', True)

In memory the line breaks may be CR LF, gone, or written as the two characters ``\\n`` (JSON, C strings,
logs), and the end line may be missing. Whether the bytes are a key is for the caller to parse.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from immure.errors import KeyFormatError

BEGIN = b"-----BEGIN "
PRIVATE_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
PUBLIC_LABELS = ("PUBLIC KEY", "RSA PUBLIC KEY")
CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
OPENSSH_LABEL = "OPENSSH PRIVATE KEY"
ENCRYPTED_LABEL = "ENCRYPTED PRIVATE KEY"
LABELS = frozenset((*PRIVATE_LABELS, *PUBLIC_LABELS, *CERTIFICATE_LABELS, OPENSSH_LABEL, ENCRYPTED_LABEL))

_HEAD = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,32})-----")
#: base64, white space, and JSON's escapes of line breaks, + and /; the two alternatives begin with
#: different characters
_BODY = re.compile(rb"(?:[A-Za-z0-9+/=\s]++|\\++(?:[nrt/]|u00(?:0[AaDd]|2[BbFf])))*+")
_SLASHES = re.compile(rb"\\+")
_ESCAPES = {b"\\n": b"", b"\\r": b"", b"\\t": b"", b"\\u000a": b"", b"\\u000d": b"", b"\\u002b": b"+"}
_ESCAPE = re.compile(rb"\\(?:[nrt]|u00(?:0[AaDd]|2[BbFf]))")
_ENCRYPTED = re.compile(rb"(?:\s|\\[nr])*Proc-Type: ?4,ENCRYPTED")


class Block(NamedTuple):
    """A PEM block: label, bytes, place, whether its end line is there, whether it is said to be encrypted."""

    label: str
    data: bytes
    start: int
    end: int
    complete: bool
    encrypted: bool


def read_block(text: bytes, at: int = 0) -> Block:
    """The block that begins at ``at``.

    Raises:
        KeyFormatError: no block begins there, or its body is not base64.
    """
    head = _HEAD.match(text, at)
    if head is None:
        raise KeyFormatError("not PEM")
    label = head[1].decode("ascii")
    if label == ENCRYPTED_LABEL or _ENCRYPTED.match(text, head.end()):
        return Block(label, b"", at, head.end(), False, True)
    body = _BODY.match(text, head.end())
    end = body.end() if body else head.end()
    tail = b"-----END " + head[1] + b"-----"
    complete = text.startswith(tail, end)
    data = decode_body(text[head.end() : end])
    return Block(label, data, at, end + len(tail) if complete else end, complete, False)


def is_key_head(text: bytes) -> bool:
    """Whether the text begins with a BEGIN line of one of :data:`LABELS`."""
    head = _HEAD.match(text)
    return head is not None and head[1].decode("ascii") in LABELS


def find_blocks(text: bytes) -> Iterator[Block]:
    """All blocks in a text; raises as :func:`read_block`."""
    at = text.find(BEGIN)
    while at >= 0:
        block = read_block(text, at)
        yield block
        at = text.find(BEGIN, max(block.end, at + 1))


def decode_body(body: bytes) -> bytes:
    """Base64 with white space and escapes taken out; what follows padding is left out.

    Raises:
        KeyFormatError: it is not base64.
    """
    if b"\\" in body:
        body = _ESCAPE.sub(_unescape, _SLASHES.sub(rb"\\", body)).replace(b"\\", b"")
    body = body.translate(None, b" \t\r\n\v\f").partition(b"=")[0]
    try:
        return binascii.a2b_base64(body + b"=" * (-len(body) % 4))
    except binascii.Error:
        raise KeyFormatError("PEM body is not base64") from None


def _unescape(match: re.Match[bytes]) -> bytes:
    return _ESCAPES.get(match[0].lower(), b"/")
