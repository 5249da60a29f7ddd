"""How programs lay a big number out in memory: one function per layout, each from a number to bytes.

>>> le64(0x0102030405060708_090A0B0C0D0E0F10).hex()
'100f0e0d0c0b0a090807060504030201'
>>> be32w(0x0102030405060708).hex()
'0403020108070605'

=========  ============================================================  ==============================
layout     bytes                                                         seen in
=========  ============================================================  ==============================
``le64``   64-bit limbs, least significant first, each little-endian     OpenSSL, GMP, Go, mbedTLS
``be``     big-endian bytes                                              encodings, Go, libgcrypt, HPROF
``be32w``  32-bit words, most significant first, each little-endian      Java ``BigInteger``
``be64w``  64-bit words, most significant first, each little-endian      Rust ring
``py30``   30-bit digits, least significant first, in 32-bit words       CPython ``int``
``smi28``  28-bit digits, least significant first, as V8 Smis            node-forge
``limb52`` 52-bit digits, least significant first, in 64-bit words       AVX-512 IFMA code in OpenSSL
=========  ============================================================  ==============================

A number is padded with zeros to whole words. All functions take a non-negative int and return bytes.
"""

from __future__ import annotations

from array import array
from sys import byteorder

#: decimal digits per division: below CPython's limit for the conversion of an int to text
_DECIMAL_BLOCK = 4000


def byte_length(value: int) -> int:
    """Bytes of the shortest big-endian form, at least 1."""
    return max(1, (value.bit_length() + 7) // 8)


def le64(value: int, limbs: int = 0) -> bytes:
    """Little-endian, padded to whole 64-bit limbs, at least ``limbs`` of them."""
    return value.to_bytes(8 * max(limbs, (value.bit_length() + 63) // 64), "little")


def le_minimal(value: int) -> bytes:
    """Little-endian bytes without padding."""
    return value.to_bytes(byte_length(value), "little")


def be(value: int, width: int = 0) -> bytes:
    """Big-endian bytes, padded to ``width`` of them if that is more."""
    return value.to_bytes(max(width, byte_length(value)), "big")


def be32w(value: int) -> bytes:
    """32-bit words, most significant first, each word little-endian."""
    return _swapped("I", value.to_bytes(4 * ((value.bit_length() + 31) // 32), "big"))


def be64w(value: int) -> bytes:
    """64-bit words, most significant first, each word little-endian."""
    return _swapped("Q", value.to_bytes(8 * ((value.bit_length() + 63) // 64), "big"))


def py30(value: int) -> bytes:
    """CPython's digits: 30 bits each, least significant first, as 32-bit little-endian words."""
    return _little("I", _digits(value, 30))


def smi28(value: int) -> bytes:
    """28-bit digits as V8 keeps small integers without pointer compression: shifted left by 32."""
    return _little("Q", [digit << 32 for digit in _digits(value, 28)])


def limb52(value: int) -> bytes:
    """52-bit digits, least significant first, as 64-bit little-endian words."""
    return _little("Q", _digits(value, 52))


def decimal(value: int) -> bytes:
    """Decimal digits in ASCII, of numbers of any size."""
    blocks = []
    base = 10**_DECIMAL_BLOCK
    while value >= base:
        value, low = divmod(value, base)
        blocks.append(f"{low:0{_DECIMAL_BLOCK}d}")
    return "".join([str(value), *reversed(blocks)]).encode("ascii")


def _digits(value: int, bits: int) -> list[int]:
    mask = (1 << bits) - 1
    return [value >> shift & mask for shift in range(0, max(1, value.bit_length()), bits)]


def _little(kind: str, words: list[int]) -> bytes:
    packed = array(kind, words)
    if byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _swapped(kind: str, data: bytes) -> bytes:
    words = array(kind, data)
    words.byteswap()
    return words.tobytes()
