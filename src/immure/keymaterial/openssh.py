"""OpenSSH keys: public blobs (RFC 4253 section 6.6, RFC 5656, RFC 8709), lines, and private records.

A private record is what OpenSSH writes inside ``openssh-key-v1`` containers (its PROTOCOL.key) and what it
keeps in memory and sends to agents: the name of the key type, the public numbers, the private ones, a
comment.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES
from immure.keymaterial.key import Numbers, OkpNumbers
from immure.keymaterial.numbers import checked_okp, checked_point, checked_rsa
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, RsaPrivate, rsa_from_parts
from immure.secret import Secret

MAGIC = b"openssh-key-v1\0"
_MAX_STRING = 1 << 16
_MAX_KEYS = 64
#: name of the key type → curve; the sk- types (keys that live in a security key) have the same public
#: numbers first
_ECDSA = {
    b"ecdsa-sha2-nistp256": "P-256",
    b"ecdsa-sha2-nistp384": "P-384",
    b"ecdsa-sha2-nistp521": "P-521",
    b"sk-ecdsa-sha2-nistp256@openssh.com": "P-256",
}
_ED25519 = (b"ssh-ed25519", b"sk-ssh-ed25519@openssh.com")
_CURVE_ID = {"P-256": b"nistp256", "P-384": b"nistp384", "P-521": b"nistp521"}

NAMES = rb"(?:sk-)?(?:ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp\d{3})(?:@openssh\.com)?"
#: the key in a line of a public key file or of authorized_keys, where options may stand before it
LINE = re.compile(rb"(?:^|[ \t])(" + NAMES + rb")[ \t]+(AAAA[A-Za-z0-9+/]+={0,2})(?:[ \t]+([^\r\n]*))?")


class Wire:
    """A cursor over SSH wire data (RFC 4251, section 5); raises KeyFormatError where data is cut off."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def uint32(self) -> int:
        """A 32-bit number."""
        field = self.data[self.at : self.at + 4]
        if len(field) < 4:
            raise KeyFormatError("SSH data is cut off")
        self.at += 4
        return int.from_bytes(field, "big")

    def string(self) -> bytes:
        """A string of at most 64 KiB."""
        length = self.uint32()
        start = self.at
        if length > _MAX_STRING or start + length > len(self.data):
            raise KeyFormatError("SSH string is cut off or too long")
        self.at = start + length
        return self.data[start : self.at]

    def mpint(self) -> int:
        """A non-negative multiple precision integer."""
        field = self.string()
        if field[:1] >= b"\x80":
            raise KeyFormatError("SSH integer is negative")
        return int.from_bytes(field, "big")


def read_public(wire: Wire) -> Numbers:
    """Steps over a public key blob; what may follow in it (security key application) is left.

    Raises:
        KeyFormatError: the type is unknown, data is cut off, or the numbers are refused.
    """
    name = wire.string()
    if name == b"ssh-rsa":
        e, n = wire.mpint(), wire.mpint()
        return checked_rsa(n, e)
    if name in _ED25519:
        return checked_okp("Ed25519", wire.string())
    curve = _ECDSA.get(name)
    if curve is None:
        raise KeyFormatError("unknown SSH key type")
    if wire.string() != _CURVE_ID[curve]:
        raise KeyFormatError("SSH key names two curves")
    return checked_point(CURVES[curve], wire.string())


def read_private(wire: Wire) -> PrivateKey:
    """Steps over a private record, up to its comment.

    Raises:
        KeyFormatError: the type is unknown, data is cut off, or the halves do not belong together.
    """
    name = wire.string()
    if name == b"ssh-rsa":
        return _read_rsa_private(wire)
    if name == b"ssh-ed25519":
        public, secret = wire.string(), wire.string()
        if len(secret) != 64 or secret[32:] != public:
            raise KeyFormatError("private and public key do not belong together")
        return OkpPrivate(OkpNumbers("Ed25519", public), Secret(secret[:32]))
    curve = _ECDSA.get(name) if name.startswith(b"ecdsa-") else None
    if curve is None or wire.string() != _CURVE_ID[curve]:
        raise KeyFormatError("unknown SSH key type")
    point = checked_point(CURVES[curve], wire.string())
    return EcPrivate(point, Secret(wire.mpint()))


def _read_rsa_private(wire: Wire) -> RsaPrivate:
    n, e, d, qinv, p, q = (wire.mpint() for _ in range(6))
    private = rsa_from_parts(n, e, d, p, q)
    if private.qinv.reveal() != qinv:
        raise KeyFormatError("CRT coefficient is not the inverse of q")
    return private


class Container(NamedTuple):
    """An ``openssh-key-v1`` container: the public keys, and the private ones if they are not encrypted."""

    public: list[Numbers]
    private: list[PrivateKey]
    encrypted: bool
    end: int


def read_container(data: bytes, at: int = 0) -> Container:
    """The container at ``at`` (OpenSSH PROTOCOL.key).

    Raises:
        KeyFormatError: it is none, data is cut off, or an unencrypted private key is not valid.
    """
    if data[at : at + len(MAGIC)] != MAGIC:
        raise KeyFormatError("not an OpenSSH private key")
    wire = Wire(data, at + len(MAGIC))
    cipher, _, _ = wire.string(), wire.string(), wire.string()
    count = wire.uint32()
    if not 1 <= count <= _MAX_KEYS:
        raise KeyFormatError("OpenSSH private key file of too many keys")
    public = [read_public(Wire(wire.string())) for _ in range(count)]
    section = wire.string()
    if cipher != b"none":
        return Container(public, [], True, wire.at)
    inner = Wire(section)
    if inner.uint32() != inner.uint32():
        raise KeyFormatError("check numbers of an OpenSSH private key differ")
    private = []
    for numbers in public:
        private.append(read_private(inner))
        inner.string()  # comment
        if private[-1].public != numbers:
            raise KeyFormatError("private and public key do not belong together")
    return Container(public, private, False, wire.at)


def parse_public_blob(blob: bytes, name: bytes | None = None) -> Numbers:
    """A public key blob, all of it, of the named type if one is given; raises as :func:`read_public`."""
    if name is not None and Wire(blob).string() != name:
        raise KeyFormatError("SSH key is not of the type that its line names")
    wire = Wire(blob)
    numbers = read_public(wire)
    if Wire(blob).string().startswith(b"sk-"):
        wire.string()  # application
    if wire.at != len(blob):
        raise KeyFormatError("unexpected data at the end of an SSH key")
    return numbers


class Line(NamedTuple):
    """A key in a text of public key lines: line number (from 1), comment, name of its type, base64."""

    number: int
    comment: str
    name: bytes
    text: bytes


def find_lines(text: bytes) -> Iterator[Line]:
    """The public keys in a key file, an authorized_keys file or a known_hosts file, line by line."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(b"#"):
            continue
        match = LINE.search(line)
        if match:
            comment = (match[3] or b"").decode("utf-8", "replace").strip()
            yield Line(number, comment, match[1], match[2])


def parse_line(line: Line) -> Numbers:
    """The key of a line; raises as :func:`read_public`, also for bad base64."""
    try:
        blob = binascii.a2b_base64(line.text)
    except binascii.Error:
        raise KeyFormatError("SSH key is not base64") from None
    return parse_public_blob(blob, line.name)
