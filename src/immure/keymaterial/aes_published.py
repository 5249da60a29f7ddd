"""AES keys that everybody has, as a standard prints them, and states of random number generators.

Programs keep both as key schedules: the first in their self-tests, the second all the time. Neither is a key
of anybody's data.

>>> published_aes(bytes(range(16)))
'test vector of FIPS 197, appendix C'
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_FIPS_A: Final = "test vector of FIPS 197, appendix A, and of SP 800-38A"
_FIPS_C: Final = "test vector of FIPS 197, appendix C"
_GCM: Final = "test vector of the specification of GCM (McGrew and Viega)"
_KEYSBOX: Final = "test vector of NIST (AESAVS, KeySbox)"
_RFC3686: Final = "test vector of RFC 3686"

#: What everybody has, as hexadecimal digits.
_PRINTED: Final = {
    "2b7e151628aed2a6abf7158809cf4f3c": _FIPS_A,
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b": _FIPS_A,
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4": _FIPS_A,
    "000102030405060708090a0b0c0d0e0f": _FIPS_C,
    "000102030405060708090a0b0c0d0e0f1011121314151617": _FIPS_C,
    # besides the fixed key of CTR_DRBG's derivation function (SP 800-90A, section 10.3.2)
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f": _FIPS_C,
    "feffe9928665731c6d6a8f9467308308": _GCM,
    "feffe9928665731c6d6a8f9467308308feffe9928665731c": _GCM,
    "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308": _GCM,
    "10a58869d74be5a374cf867cfb473859": _KEYSBOX,
    "c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558": _KEYSBOX,
    "ae6852f8121067cc4bf7a5765577f39e": _RFC3686,
    "7e24067817fae0d743d6ce1f32539163": _RFC3686,
    "7691be035e5020a8ac6e618529f9a0dc": _RFC3686,
}
_PUBLISHED: Final = {bytes.fromhex(digits): words for digits, words in _PRINTED.items()} | {
    bytes([byte]) * size: "a key of equal bytes, as tests use it"
    for byte in (0, 255)
    for size in (16, 24, 32)
}

#: The encoding of a key where it is K in OpenSSL's state of a CTR_DRBG (``rand_drbg_ctr_st`` in its file
#: ``drbg_ctr.c``). Before it stand its length, and whether there is a derivation function.
DRBG: Final = "ctr-drbg"
_DRBG_HEAD: Final = struct.Struct("<QI")


def published_aes(key: bytes) -> str | None:
    """Where this key is printed for everybody, None if we know of no such place."""
    return _PUBLISHED.get(key)


def drbg_states(key: bytes) -> Iterator[tuple[str, bytes]]:
    """The key as K in a state of OpenSSL's CTR_DRBG of a 64-bit machine, with what stands before it."""
    for with_derivation in (1, 0):
        yield DRBG, _DRBG_HEAD.pack(len(key), with_derivation) + key
