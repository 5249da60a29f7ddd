"""Keys written as text in arbitrary bytes: PEM, JWK, XML, PuTTY files and SSH lines; in ASCII, or as
UTF-16LE.

UTF-16 is read by taking every second byte for as long as the others are zero; positions are mapped back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from immure.errors import KeyFormatError
from immure.keymaterial import asn1, openssh, pem
from immure.keymaterial.age import parse_identity
from immure.keymaterial.certificate import read_certificate
from immure.keymaterial.der import Der
from immure.keymaterial.putty import parse_ppk
from immure.keymaterial.structures.hits import REACH, Buffer, Hit, Parser, PrivateHit, PublicHit, window
from immure.keymaterial.xmlkey import parse_rsa_key_value

_SSH_TEXT = re.compile(openssh.NAMES + rb" (AAAA[A-Za-z0-9+/]{16,16384}={0,2})")
#: What parses ASCII: is given a window and where the needle stands in it, and gives hits with offsets in
#: the window.
TextParser = Callable[[bytes, int], Sequence[Hit]]
#: Whether a structure may begin with (or go on like) this text.
Head = Callable[[bytes], object]
_PEEK = 64


def ascii_parser(parse: TextParser, head: Head, *, before: int = 0, after: int = REACH) -> Parser:
    """A parser of buffers that gives ``parse`` a window of so many characters before and after the needle.

    ``head`` must match at the needle first: almost every false hit ends there.
    """

    def at_anchor(buffer: Buffer, at: int) -> Sequence[Hit]:
        if not head(window(buffer, at, at + _PEEK)):
            return ()
        begin = max(0, at - before)
        hits = parse(window(buffer, begin, at + after), at - begin)
        return [replace(hit, offset=hit.offset + begin) for hit in hits] if begin else hits

    return at_anchor


def utf16_parser(parse: TextParser, head: Head, *, before: int = 0, after: int = REACH // 2) -> Parser:
    """As :func:`ascii_parser`, for text as UTF-16LE, the needle in UTF-16LE too."""

    def at_anchor(buffer: Buffer, at: int) -> Sequence[Hit]:
        if not head(narrow(window(buffer, at, at + 2 * _PEEK))[0]):
            return ()
        begin = max(at & 1, at - 2 * before)
        low, first = narrow(window(buffer, begin, at), last=True)
        tail, _ = narrow(window(buffer, at, at + 2 * after))
        hits = parse(low + tail, len(low))
        begin += first
        return [
            replace(
                hit,
                offset=begin + 2 * hit.offset,
                length=2 * hit.length,
                encoding=f"{hit.encoding}-utf16le",
            )
            for hit in hits
        ]

    return at_anchor


def narrow(wide: bytes, *, last: bool = False) -> tuple[bytes, int]:
    """The first (or last) stretch of Latin-1 in UTF-16LE, one byte each, and where it starts in ``wide``."""
    low, high = wide[0 : len(wide) & ~1 : 2], wide[1::2]
    if last:
        size = len(high) - len(high.rstrip(b"\0")) if high else 0
        return low[len(low) - size :], 2 * (len(low) - size)
    size = len(high) - len(high.lstrip(b"\0"))
    return low[:size], 0


def pem_block(text: bytes, at: int) -> Sequence[Hit]:
    """A PEM block of any kind of key or certificate. Encrypted ones give nothing."""
    block = pem.read_block(text, at)
    if block.encrypted or block.label not in pem.LABELS:
        return ()
    place, length, outer = block.start, block.end - block.start, Der(block.data)
    if block.label == pem.OPENSSH_LABEL:
        return openssh_container(block.data, place, length, "pem")
    if block.label in pem.CERTIFICATE_LABELS:
        return (PublicHit(read_certificate(outer).numbers, place, length, "pem"),)
    if block.label in pem.PUBLIC_LABELS:
        return (PublicHit(asn1.read_public(outer), place, length, "pem"),)
    return (PrivateHit(asn1.read_private(outer), place, length, "pem"),)


def openssh_container(data: bytes, place: int, length: int, encoding: str) -> Sequence[Hit]:
    """The keys of an ``openssh-key-v1`` container: private ones, or the public ones if it is encrypted."""
    container = openssh.read_container(data)
    if container.encrypted:
        return [PublicHit(numbers, place, length, encoding) for numbers in container.public]
    return [PrivateHit(private, place, length, encoding) for private in container.private]


def xml_key(text: bytes, at: int) -> Sequence[Hit]:
    """``<RSAKeyValue>``."""
    found = parse_rsa_key_value(text, at)
    if found.private is not None:
        return (PrivateHit(found.private, at, found.end - at, "xml"),)
    return (PublicHit(found.numbers, at, found.end - at, "xml"),)


def ppk_file(text: bytes, at: int) -> Sequence[Hit]:
    """A PuTTY private key file; of an encrypted one the public key."""
    found = parse_ppk(text, at)
    if found.private is not None:
        return (PrivateHit(found.private, at, found.end - at, "ppk"),)
    return (PublicHit(found.numbers, at, found.end - at, "ppk"),)


def age_identity(text: bytes, at: int) -> Sequence[Hit]:
    """``AGE-SECRET-KEY-1…``: its checksum holds."""
    found = parse_identity(text, at)
    return (PrivateHit(found.private, at, found.end - at, "age"),)


def ssh_line(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``ssh-rsa AAAA…`` and its like: a line of a public key file."""
    text = window(buffer, at, at + (REACH >> 1))
    match = _SSH_TEXT.match(text)
    if match is None:
        return ()
    blob = pem.decode_body(match[1])
    wire = openssh.Wire(blob)
    numbers = openssh.read_public(wire)
    if not text.startswith(openssh.Wire(blob).string() + b" "):
        raise KeyFormatError("SSH key is not of the type that its line names")
    used = match.end(1) if wire.at == len(blob) else match.start(1) + (wire.at * 4 + 2) // 3
    return (PublicHit(numbers, at, used, "ssh-text"),)
