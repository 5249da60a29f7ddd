"""Keys that the proofs are about (made anew for each run), images of memory, and a redaction by truth."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from immure.dumps.dump import Image
from immure.dumps.open import open_reader
from immure.dumps.readers import BytesReader
from immure.keymaterial.curves import CURVES
from immure.keymaterial.private import PrivateKey, RsaPrivate, ec_from_scalar, okp_from_seed, rsa_from_parts
from immure.redact.prove import ByteSecret, ProveOptions, ScalarOnly
from immure.redact.prove.arithmetic import numbers_of
from immure.redact.prove.secrets import KnownSecret
from immure.redact.prove.strings import SecretString, Strings
from immure.redact.prove.writings import Writing
from immure.secret import Secret

SEED_BYTES = {"Ed25519": 32, "X25519": 32, "Ed448": 57, "X448": 56}
KINDS = ("RSA-1024", "RSA-2048", *CURVES, *SEED_BYTES, "scalar", "password")
#: Few bytes of plain text, so that fills are easy to tell in failures.
PATTERN = b"-prove-fill-"
NO_DEBUGGER = ProveOptions(debugger=False, chunk_bytes=1 << 12)


@cache
def key(kind: str) -> KnownSecret:
    """A key or secret of this kind, the same one throughout a run. None of its words happens to be plain
    text, so that tests can count on every word."""
    while True:
        found = any_key(kind)
        if kind == "password" or not Strings([found]).facts.words_left_out:
            return found


def any_key(kind: str) -> KnownSecret:
    if kind.startswith("RSA"):
        return rsa_key(int(kind[4:]))
    if kind in CURVES:
        return ec_from_scalar(kind, secrets.randbelow(CURVES[kind].n - 1) + 1)
    if kind == "scalar":
        full = key("Ed25519")
        found = next(n for n in numbers_of(full) if n.name == "scalar")
        return ScalarOnly(full.public, Secret(found.value.to_bytes(32, "little")))  # type: ignore[union-attr, arg-type]
    if kind == "password":
        return ByteSecret("database", Secret(secrets.token_urlsafe(24).encode()))
    return okp_from_seed(kind, secrets.token_bytes(SEED_BYTES[kind]))  # type: ignore[arg-type]


def rsa_key(bits: int, e: int = 65537) -> RsaPrivate:
    numbers = rsa.generate_private_key(public_exponent=e, key_size=bits).private_numbers()
    return rsa_from_parts(numbers.public_numbers.n, e, numbers.d, numbers.p, numbers.q)


def private(kind: str) -> PrivateKey:
    found = key(kind)
    assert not isinstance(found, ByteSecret | ScalarOnly)
    return found


@cache
def strings(kind: str) -> Strings:
    return Strings([key(kind)])


def string(kind: str, number: str, encoding: str) -> Writing:
    """One number of a key in one encoding."""
    return next(one for one in all_strings(kind) if (one.number.name, one.encoding) == (number, encoding))


def all_strings(kind: str) -> list[Writing]:
    return [one.writing for one in strings(kind).all]


def indexed(kind: str) -> list[SecretString]:
    return strings(kind).all


def image(data: bytes, path: str = "test") -> Image:
    """Whatever image the bytes are."""
    opened = next(iter(open_reader(path, BytesReader(data))))
    assert isinstance(opened, Image)
    return opened


def noise(size: int, seed: int = 1) -> bytearray:
    return bytearray(random.Random(seed).randbytes(size))


def fill(offset: int, length: int) -> bytes:
    phase = offset % len(PATTERN)
    return (PATTERN * (length // len(PATTERN) + 2))[phase : phase + length]


def erased(data: bytes | bytearray, spans: Iterable[tuple[int, int]]) -> bytes:
    """The bytes with the fill in some (offset, length)."""
    out = bytearray(data)
    for offset, length in spans:
        out[offset : offset + length] = fill(offset, length)
    return bytes(out)


def lonely(data: bytes, at: int, length: int) -> bytes:
    """A part of a string, with a byte at either side with which it cannot go on by chance."""
    before, after = data[at - 1 : at] or b"\0", data[at + length : at + length + 1] or b"\0"
    return bytes([before[0] ^ 0xFF]) + data[at : at + length] + bytes([after[0] ^ 0xFF])


def planted(parts: Sequence[tuple[int, bytes]], size: int = 8192, seed: int = 1) -> bytearray:
    """Noise with (offset, bytes) in it."""
    data = noise(size, seed)
    for offset, part in parts:
        data[offset : offset + len(part)] = part
    return data
