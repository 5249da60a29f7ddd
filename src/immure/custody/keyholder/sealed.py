"""The key file: three lines of text, the keys of which are sealed and all of which is under a code.

>>> parse_sealed(b"no", "keys.sealed")
Traceback (most recent call last):
...
immure.custody.keyholder.errors.HolderFileError: keys.sealed: is no key file: there are not three lines

1. a header (JSON): the format, and for each PIN how it is stretched (scrypt, RFC 7914);
2. the keys (JSON): public halves, rules, states, counters, and each private half under AES-256-GCM;
3. HMAC-SHA-256 over the first two lines, in hex.

A backup is the same, under other PINs. Nothing here sees a private half open: that is the native half's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from immure.custody.keyholder.errors import HolderFileError
from immure.custody.keyholder.held_key import HeldKey, key_from_plain
from immure.custody.keyholder.protocol import to_json
from immure.errors import InputError
from immure.registry.members import Members

FORMAT: Final = "immure-keyholder-1"
#: Bytes of the largest file; keys in it (as many as the native half has room for).
MOST_BYTES: Final = 8 << 20
MOST_KEYS: Final = 48
#: What scrypt costs if nothing else is said: 32 MiB, three times (OWASP's second choice).
COST: Final = (1 << 15, 8, 3)
#: What a file may ask for: a foreign one must not take all memory before it is known to be ours.
MOST_MEMORY: Final = 256 << 20
MOST_TIMES: Final = 16
SALT_BYTES: Final = 16


@dataclass(frozen=True)
class Seal:
    """How PINs are stretched: scrypt's n, r and p, and a salt for each PIN."""

    cost: tuple[int, int, int]
    salts: tuple[bytes, ...]

    def check(self, path: str) -> None:
        """See that it asks for no more than there is; raises HolderFileError."""
        n, r, p = self.cost
        fine = 1 << 10 <= n <= 1 << 22 and n & (n - 1) == 0 and 0 < r <= 32 and 0 < p <= MOST_TIMES
        if not fine or n * r * 128 > MOST_MEMORY:
            raise HolderFileError("asks for scrypt with numbers that are not taken", path=path)
        if not 1 <= len(self.salts) <= 2 or any(len(salt) != SALT_BYTES for salt in self.salts):
            raise HolderFileError("is not under one PIN or two", path=path)

    def header(self) -> bytes:
        """The first line."""
        n, r, p = self.cost
        salts = [salt.hex() for salt in self.salts]
        return to_json({"format": FORMAT, "kdf": {"name": "scrypt", "n": n, "p": p, "r": r, "salts": salts}})


@dataclass(frozen=True)
class Sealed:
    """A key file taken apart; what ``covered`` says is to be believed once its code holds."""

    seal: Seal
    body: bytes
    covered: bytes
    code: bytes


def parse_sealed(data: bytes, path: str) -> Sealed:
    """The parts of a key file.

    Raises:
        HolderFileError: it is none.
    """
    if len(data) > MOST_BYTES:
        raise HolderFileError(f"is longer than {MOST_BYTES} bytes", path=path)
    lines = data.split(b"\n")
    if len(lines) != 4 or lines[3]:
        raise HolderFileError("is no key file: there are not three lines", path=path)
    header, body, code = lines[:3]
    if not re.fullmatch(rb"[0-9a-f]{64}", code):
        raise HolderFileError("is no key file: there is no code", path=path)
    seal = _parse_header(header, path)
    return Sealed(seal, body, header + b"\n" + body, bytes.fromhex(code.decode()))


def _parse_header(line: bytes, path: str) -> Seal:
    try:
        members = Members(_json(line, path), "the header", path)
        kdf = members.table("kdf")
        if members.text("format") != FORMAT or kdf is None or kdf.text("name") != "scrypt":
            raise HolderFileError("is of another format", path=path)
        numbers = [kdf.value(name) for name in "nrp"]
        salts = kdf.value("salts")
        members.done()
        kdf.done()
    except InputError as error:
        raise HolderFileError(error.reason, path=path) from error
    if any(type(number) is not int for number in numbers) or not isinstance(salts, list) or len(salts) > 2:
        raise HolderFileError("its header is malformed", path=path)
    if not all(isinstance(salt, str) and re.fullmatch("[0-9a-f]{32}", salt) for salt in salts):
        raise HolderFileError("its header is malformed", path=path)
    seal = Seal((numbers[0], numbers[1], numbers[2]), tuple(bytes.fromhex(salt) for salt in salts))
    seal.check(path)
    return seal


def parse_body(body: bytes, path: str) -> tuple[int, list[HeldKey]]:
    """The number of the version, and the keys; raises HolderFileError."""
    try:
        members = Members(_json(body, path), "the keys", path)
        version = members.value("version")
        keys = [key_from_plain(table) for table in members.tables("keys", MOST_KEYS)]
        members.done()
    except InputError as error:
        raise HolderFileError(error.reason, path=path) from error
    if type(version) is not int or not 0 <= version < 1 << 62:
        raise HolderFileError("has no number of its version", path=path)
    if len({key.kid for key in keys}) != len(keys):
        raise HolderFileError("has two keys of one kid", path=path)
    return version, keys


def write_body(version: int, keys: list[HeldKey]) -> bytes:
    """The second line."""
    return to_json({"version": version, "keys": [key.to_plain() for key in keys]})


def whole_file(covered: bytes, code: bytes) -> bytes:
    """The file of two lines and their code."""
    return covered + b"\n" + code.hex().encode() + b"\n"


def _json(line: bytes, path: str) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise HolderFileError("is no key file: a line is not JSON", path=path) from None
