"""Identities of age (age-encryption.org/v1): X25519 private keys, written in Bech32.

>>> parse_identity(b"AGE-SECRET-KEY-1" + b"Q" * 58)
Traceback (most recent call last):
...
immure.errors.KeyFormatError: checksum of an age key does not hold

Source: the specification's "X25519 recipient" (identities ``AGE-SECRET-KEY-1…`` in capitals); BIP 173 for
Bech32. Identities of plugins (``AGE-PLUGIN-…``) are no secrets and are not read.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.private import OkpPrivate, okp_from_seed

IDENTITY: Final = b"AGE-SECRET-KEY-1"
_CHARACTERS: Final = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES: Final = {character: value for value, character in enumerate(_CHARACTERS)}
#: 52 digits of five bits for 32 bytes, and six of a checksum
_DIGITS: Final = 58
_IDENTITY_TEXT: Final = re.compile(rb"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}(?![0-9A-Za-z])")
#: As much of a text as tells that it is one.
IDENTITY_HEAD: Final = re.compile(rb"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{40}")
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


class Identity(NamedTuple):
    """A private key and the offset behind it."""

    private: OkpPrivate
    end: int


def parse_identity(text: bytes, at: int = 0) -> Identity:
    """The identity that begins at ``at``.

    Raises:
        KeyFormatError: none begins there, or its checksum does not hold.
    """
    found = _IDENTITY_TEXT.match(text, at)
    if found is None:
        raise KeyFormatError("not an age identity")
    return Identity(okp_from_seed("X25519", _decoded(b"age-secret-key-", found[0].lower())), found.end())


def _decoded(prefix: bytes, text: bytes) -> bytes:
    """The 32 bytes of a Bech32 text whose checksum holds."""
    values = [_VALUES[character] for character in text[-_DIGITS:]]
    expanded = [character >> 5 for character in prefix] + [0] + [character & 31 for character in prefix]
    if _checksum(expanded + values) != 1:
        raise KeyFormatError("checksum of an age key does not hold")
    number = 0
    for value in values[:-6]:
        number = number << 5 | value
    if number & 0xF:
        raise KeyFormatError("age key with bits that belong to nothing")
    return (number >> 4).to_bytes(32, "big")


def _checksum(values: list[int]) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            total ^= generator if top >> bit & 1 else 0
    return total
