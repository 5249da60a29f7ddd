"""PuTTY private key files, versions 2 and 3 (PuTTY manual, appendix C), as far as they are not encrypted."""

from __future__ import annotations

import re
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.key import EcNumbers, Numbers, RsaNumbers
from immure.keymaterial.openssh import Wire, parse_public_blob
from immure.keymaterial.pem import decode_body
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, rsa_from_parts
from immure.secret import Secret

#: from the first line to the count of public lines
HEAD_LINES = re.compile(
    rb"PuTTY-User-Key-File-[23]: ([a-z0-9-]{1,32})\r?\nEncryption: ([a-z0-9-]{1,16})\r?\n"
    rb"Comment: [^\r\n]{0,1024}\r?\nPublic-Lines: (\d{1,3})\r?\n"
)
_PRIVATE_LINES = re.compile(rb"Private-Lines: (\d{1,3})\r?\n")
_LINE = re.compile(rb"([A-Za-z0-9+/=]{1,64})\r?\n")


class Ppk(NamedTuple):
    """The public key of a file, its private key if that is not encrypted, and the offset behind it."""

    numbers: Numbers
    private: PrivateKey | None
    end: int


def parse_ppk(text: bytes, at: int = 0) -> Ppk:
    """The file that begins at ``at``.

    Raises:
        KeyFormatError: none begins there, it is cut off, or its halves do not belong together.
    """
    head = HEAD_LINES.match(text, at)
    if head is None:
        raise KeyFormatError("not a PuTTY key file")
    blob, place = _read_lines(text, head.end(), int(head[3]))
    numbers = parse_public_blob(blob, head[1])
    lines = _PRIVATE_LINES.match(text, place)
    if head[2] != b"none" or lines is None:
        return Ppk(numbers, None, place)
    secret, place = _read_lines(text, lines.end(), int(lines[1]))
    return Ppk(numbers, _private(numbers, Wire(secret)), place)


def _read_lines(text: bytes, at: int, count: int) -> tuple[bytes, int]:
    body = []
    for _ in range(count):
        line = _LINE.match(text, at)
        if line is None:
            raise KeyFormatError("PuTTY key file is cut off")
        body.append(line[1])
        at = line.end()
    return decode_body(b"".join(body)), at


def _private(numbers: Numbers, wire: Wire) -> PrivateKey:
    if isinstance(numbers, RsaNumbers):
        d, p, q, _ = (wire.mpint() for _ in range(4))
        return rsa_from_parts(numbers.n, numbers.e, d, p, q)
    if isinstance(numbers, EcNumbers):
        return EcPrivate(numbers, Secret(wire.mpint()))
    return OkpPrivate(numbers, Secret(wire.string().ljust(32, b"\0")))
