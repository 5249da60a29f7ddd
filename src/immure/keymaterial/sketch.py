"""Sketches: what lets a scanner find a secret that has no public half, without having it.

Of every 16 bytes in a row of a secret a sketch has a digest: the first eight bytes of SHA-256 over a salted
block and these bytes. A scanner digests what it sees and compares. The format ``immure-sketch-1``, and what
whoever holds a sketch can do with it, are described in ``docs/reference/sketches.md``.

>>> from immure.keymaterial.sketch_make import sketch_of
>>> made = sketch_of([("api", "hs256", bytes(range(7, 39)))], allow_guessable=True)
>>> made.secrets[0].name, made.secrets[0].length, len(made.secrets[0].strings[0].digests())
('api', 32, 17)
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from immure.keymaterial.key import b64url

SCHEMA: Final = "immure-sketch-1"
#: Bytes of a window, of its digest in the file, of the digest of a whole string, and of the salt.
WINDOW: Final = 16
DIGEST_BYTES: Final = 8
WHOLE_BYTES: Final = 32
SALT_BYTES: Final = 32
#: Longest string that is sketched, in bytes: all of one must lie within what the scanner reads at once.
MOST_LENGTH: Final = 16 << 10
#: What a secret is, as its owner says: it is repeated in reports and changes nothing in the search.
KINDS: Final[dict[str, str]] = {
    "hs256": "HS256 key",
    "hs384": "HS384 key",
    "hs512": "HS512 key",
    "aes": "AES key",
    "password": "password",
    "token": "token",
    "pin": "PIN",
    "rsa": "RSA private numbers",
    "ec": "EC private scalar",
    "okp": "private seed",
    "secret": "secret",
}
#: How the bytes of a string were got from the secret's.
#: ``raw``: as they are; ``text``: as they are, and they are text; ``hex``, ``base64``: the secret is text in
#: this encoding, and these are the bytes behind it; ``be32w``: words of four bytes turned around; ``ipad``,
#: ``opad``: the blocks that HMAC makes of a key (RFC 2104); ``le``, ``be``: a number, least or most
#: significant byte first.
FORMS: Final = ("raw", "text", "hex", "base64", "be32w", "ipad", "opad", "le", "be")
#: What a scanner must also look at: windows of text; base64 in one case only (both cost time).
LOOKS: Final = ("text", "one-case")

_WINDOW_LABEL: Final = b"immure-sketch-1\0"
_WHOLE_LABEL: Final = b"immure-sketch-w\0"


def salted_block(salt: bytes, *, whole: bool = False) -> bytes:
    """The 64 bytes, one block of SHA-256, that every digest of a sketch begins with."""
    return ((_WHOLE_LABEL if whole else _WINDOW_LABEL) + salt).ljust(64, b"\0")


def window_digests(salt: bytes, data: bytes) -> list[int]:
    """The digest of each window of 16 bytes of ``data``, at every byte, as a number (big-endian)."""
    begun = hashlib.sha256(salted_block(salt))
    found = []
    for at in range(len(data) - WINDOW + 1):
        one = begun.copy()
        one.update(data[at : at + WINDOW])
        found.append(int.from_bytes(one.digest()[:DIGEST_BYTES], "big"))
    return found


def whole_digest(salt: bytes, data: bytes) -> bytes:
    """The digest of a whole string, in full."""
    return hashlib.sha256(salted_block(salt, whole=True) + data).digest()


@dataclass(frozen=True, slots=True)
class SketchString:
    """One byte string by which a secret can be recognised.

    Attributes:
        part: which number of the secret: ``secret``, or ``p``, ``q``, ``d``, ``seed``.
        form: how its bytes were got; one of :data:`FORMS`.
        whole: the digest of all of it.
        windows: the digests of its windows in order, eight bytes each.
    """

    part: str
    form: str
    whole: bytes
    windows: bytes

    @property
    def length(self) -> int:
        """Bytes of the string."""
        return len(self.windows) // DIGEST_BYTES + WINDOW - 1

    def digests(self) -> tuple[int, ...]:
        """The digests of its windows as numbers."""
        return struct.unpack(f">{len(self.windows) // DIGEST_BYTES}Q", self.windows)


@dataclass(frozen=True, slots=True)
class SketchedSecret:
    """A secret as a sketch has it.

    Attributes:
        name: as its owner calls it; it is shown.
        kind: one of :data:`KINDS`.
        guessable: whether somebody may guess it by trying: then the sketch is as secret as the secret.
        strings: by what it can be recognised.
    """

    name: str
    kind: str
    guessable: bool
    strings: tuple[SketchString, ...]

    @property
    def length(self) -> int:
        """Bytes of its first string."""
        return self.strings[0].length

    @property
    def fingerprint(self) -> str:
        """Names the secret in reports: 43 characters. It is made of a salted digest, and says no more."""
        return b64url(hashlib.sha256(b"immure-sketch-1 name\0" + self.strings[0].whole).digest())


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Sketches of any number of secrets under one salt. One is equal to itself only: to compare megabytes
    would take a while.

    Attributes:
        salt: random; without it nothing can be tested.
        looks: what a scanner must look at besides; out of :data:`LOOKS`.
        secrets: what can be found.
        source: where the sketch was read.
    """

    salt: bytes
    looks: frozenset[str]
    secrets: tuple[SketchedSecret, ...]
    source: str = ""

    @property
    def guessable(self) -> bool:
        """Whether any of the secrets may be guessed with it."""
        return any(secret.guessable for secret in self.secrets)

    @property
    def windows(self) -> int:
        """Digests of windows in it: each guess is compared with all of them at once."""
        return sum(len(one.windows) for secret in self.secrets for one in secret.strings) // DIGEST_BYTES


def to_bytes(sketch: Sketch) -> bytes:
    """The file of a sketch."""
    return b"".join(_pieces(sketch))


def _pieces(sketch: Sketch) -> Iterator[bytes]:
    """One line for each secret, so that two files can be compared."""
    head = {"schema": SCHEMA, "salt": b64url(sketch.salt), "looks": sorted(sketch.looks)}
    yield f'{json.dumps(head)[:-1]}, "secrets": [\n'.encode()
    for number, secret in enumerate(sketch.secrets):
        yield (b",\n" if number else b"") + json.dumps(_plain(secret)).encode()
    yield b"\n]}\n"


def _plain(secret: SketchedSecret) -> dict[str, Any]:
    strings = [
        {"part": one.part, "form": one.form, "whole": b64url(one.whole), "windows": b64url(one.windows)}
        for one in secret.strings
    ]
    return {"name": secret.name, "kind": secret.kind, "guessable": secret.guessable, "strings": strings}
