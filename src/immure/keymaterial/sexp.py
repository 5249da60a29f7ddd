"""Private keys as libgcrypt's S-expressions: canonical (``(11:private-key(3:rsa(1:n257:…``), advanced
(``(n #00…#)``), and as the library keeps them in memory.

Source: R. Rivest's S-expression draft (sections 4.1 and 4.3) and the libgcrypt manual ("RSA key
parameters", "ECC key parameters"). In libgcrypt's RSA keys u is the inverse of p modulo q, so q stands
first in our order. In memory a list begins with a byte 3 and ends with a byte 4; a string is a byte 1, its
length in two bytes of the machine's order, and its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES
from immure.keymaterial.numbers import checked_okp, checked_point, checked_rsa
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, rsa_from_parts
from immure.secret import Secret

#: What stands around the word private-key: at its start, for both forms
HEAD = re.compile(rb"\(\s*(?:11:)?private-key\s*\(")
#: The same as the library keeps it.
KEPT_HEAD = b"\x03\x01\x0b\0private-key\x03"
_MAX = 1 << 14
_MAX_TOKENS = 256
_TOKEN = re.compile(
    rb"\s*(?:([()])|(\d{1,5}):|#([0-9A-Fa-f\s]*)#|\"([^\"\\]{0,256})\"|([A-Za-z0-9./_*+=-]{1,256}))"
)
_CURVES = {
    b"NIST P-256": "P-256", b"nistp256": "P-256", b"prime256v1": "P-256", b"secp256r1": "P-256",
    b"NIST P-384": "P-384", b"nistp384": "P-384", b"secp384r1": "P-384",
    b"NIST P-521": "P-521", b"nistp521": "P-521", b"secp521r1": "P-521",
    b"secp256k1": "secp256k1",
}  # fmt: skip


class Expression(NamedTuple):
    """The key of an expression, and the offset behind it."""

    private: PrivateKey
    end: int


def parse_private_key(data: bytes, at: int = 0) -> Expression:
    """The private key whose expression begins at ``at``, of type RSA, or ECC on a curve that we know.

    Raises:
        KeyFormatError: it is none, is cut off, is longer than 16 KiB, or its numbers contradict each other.
    """
    if data.startswith(KEPT_HEAD, at):
        lists, end = _read_kept(data, at)
    elif HEAD.match(data, at):
        lists, end = _read_lists(data, at)
    else:
        raise KeyFormatError("not a private key expression")
    kind = next((words[0] for words in lists if words and words[0] in (b"rsa", b"ecc", b"ecdsa")), None)
    values = {words[0]: words[1] for words in lists if len(words) == 2}
    flags = next((words[1:] for words in lists if words and words[0] == b"flags"), [])
    try:
        private = _rsa(values) if kind == b"rsa" else _ecc(values, flags)
    except KeyError:
        raise KeyFormatError("private key expression without one of its numbers") from None
    return Expression(private, end)


def _read_lists(data: bytes, at: int) -> tuple[list[list[bytes]], int]:
    """The atoms of every list, inner ones included, and the offset behind it all. Does not recurse."""
    open_lists: list[list[bytes]] = []
    lists: list[list[bytes]] = []
    stop = min(len(data), at + _MAX)
    for _ in range(_MAX_TOKENS):
        token = _TOKEN.match(data, at, stop)
        if token is None:
            break
        at = token.end()
        if token[1] == b"(":
            open_lists.append([])
            lists.append(open_lists[-1])
        elif token[1] == b")":
            open_lists.pop()
            if not open_lists:
                return lists, at
        else:
            atom, at = _atom(token, data, at)
            open_lists[-1].append(atom)
    raise KeyFormatError("private key expression is cut off")


def _read_kept(data: bytes, at: int) -> tuple[list[list[bytes]], int]:
    """The same of an expression in memory."""
    open_lists: list[list[bytes]] = []
    lists: list[list[bytes]] = []
    stop = min(len(data), at + _MAX)
    for _ in range(_MAX_TOKENS):
        token = data[at : at + 1]
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        at += 1
        if token == b"\x03":
            open_lists.append([])
            lists.append(open_lists[-1])
        elif token == b"\x04":
            open_lists.pop()
            if not open_lists:
                return lists, at
        elif token == b"\x01" and at + 2 + length <= stop:
            open_lists[-1].append(data[at + 2 : at + 2 + length])
            at += 2 + length
        else:
            break
    raise KeyFormatError("private key expression is cut off")


def _atom(token: re.Match[bytes], data: bytes, at: int) -> tuple[bytes, int]:
    if token[2] is not None:
        length = int(token[2])
        if at + length > len(data):
            raise KeyFormatError("private key expression is cut off")
        return data[at : at + length], at + length
    if token[3] is not None:
        digits = b"".join(token[3].split())
        if len(digits) % 2:
            raise KeyFormatError("private key expression with half a byte")
        return bytes.fromhex(digits.decode("ascii")), at
    return token[4] if token[4] is not None else token[5], at


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _rsa(values: Mapping[bytes, bytes]) -> PrivateKey:
    n, e, d, p, q = (_number(values[name]) for name in (b"n", b"e", b"d", b"p", b"q"))
    checked_rsa(n, e)
    private = rsa_from_parts(n, e, d, q, p)
    if _number(values[b"u"]) != private.qinv.reveal():
        raise KeyFormatError("u is not the inverse of p")
    return private


def _ecc(values: Mapping[bytes, bytes], flags: list[bytes]) -> PrivateKey:
    name, point, secret = values[b"curve"], values[b"q"], values[b"d"]
    if name == b"Ed25519" and b"eddsa" in flags:
        public = checked_okp("Ed25519", point[-32:])
        return OkpPrivate(public, Secret(secret[-32:].rjust(32, b"\0")))
    curve = _CURVES.get(name)
    if curve is None:
        raise KeyFormatError("unknown elliptic curve")
    return EcPrivate(checked_point(CURVES[curve], point), Secret(_number(secret)))
