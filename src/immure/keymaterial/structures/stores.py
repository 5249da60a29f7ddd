"""Key stores and sealed containers in arbitrary bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from immure.errors import KeyFormatError
from immure.keymaterial.bks import BksKey, read_bks
from immure.keymaterial.keystores import StoreKey, read_jks, read_pkcs12
from immure.keymaterial.pem import decode_body
from immure.keymaterial.sealed import DPAPI_HEAD, Sealed, read_dpapi, read_keychain, read_tpm_key
from immure.keymaterial.structures.hits import REACH, Buffer, Hit, PrivateHit, SealedHit, window

TSS2_HEAD = b"-----BEGIN TSS2 PRIVATE KEY-----"
_TSS2_END = b"-----END TSS2 PRIVATE KEY-----"
_P12_BACK = 24
#: bytes of the longest head of a DPAPI blob, with its description
_DPAPI_BACK = 1024
#: what the words on a store begin with
_NAMES = {"jks": "JKS key store", "bks": "BKS key store", "pkcs12": "PKCS#12 file"}
_CLOSED = "none of the common passwords opens it"


def jks_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``FE ED FE ED``: a Java key store. Certificates in it are found by themselves."""
    if bytes(buffer[at + 4 : at + 7]) != b"\0\0\0" or bytes(buffer[at + 8 : at + 10]) != b"\0\0":
        return ()
    return _entries("jks", at, read_jks(window(buffer, at, at + REACH)))


def bks_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """Version and length of the salt: a key store of Bouncy Castle."""
    return _entries("bks", at, read_bks(window(buffer, at, at + REACH)))


def _entries(encoding: str, at: int, keys: Iterable[StoreKey | BksKey]) -> Sequence[Hit]:
    found: list[StoreKey | BksKey] = []
    with suppress(KeyFormatError):  # cut off: what was read before that counts
        found.extend(keys)
    return [_hit(encoding, at, key) for key in found]


def _hit(encoding: str, at: int, key: StoreKey | BksKey) -> Hit:
    start, length = at + key.start, key.end - key.start
    if key.private is None:
        return SealedHit(start, length, encoding, f"{_NAMES[encoding]}: {_CLOSED}")
    return PrivateHit(key.private, start, length, encoding)


def pkcs12_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The identifier of PKCS#7 data: in a PKCS#12 file it stands right behind the head."""
    begin = max(0, at - _P12_BACK)
    head = window(buffer, begin, at)
    version = head.rfind(b"\x02\x01\x03\x30")
    if version < 0:
        return ()
    for size in (4, 3, 2):
        start = version - size
        if start >= 0 and head[start] == 0x30:
            try:
                found = read_pkcs12(window(buffer, begin + start, begin + start + REACH))
            except KeyFormatError:
                continue
            return (_hit("pkcs12", begin + start, found),)
    return ()


def dpapi_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """Version and provider of a DPAPI blob."""
    return _sealed("dpapi", at, read_dpapi, window(buffer, at, at + REACH))


def dpapi_cipher_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """What stands before the salt of a DPAPI blob, whose head is some words before."""
    begin = max(0, at - _DPAPI_BACK)
    head = window(buffer, begin, at).rfind(DPAPI_HEAD)
    return dpapi_at(buffer, begin + head) if head >= 0 else ()


def keychain_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``kych``: a keychain of macOS."""
    return _sealed("keychain", at, read_keychain, window(buffer, at, at + REACH))


def tpm_key_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The identifier of a TPM's key file: a header of two to four bytes stands before it."""
    for size in (4, 3, 2):
        if at >= size and buffer[at - size] == 0x30:
            with suppress(KeyFormatError):
                return _sealed("tss2", at - size, read_tpm_key, window(buffer, at - size, at + REACH))
    return ()


def is_tss2(text: bytes) -> bool:
    """Whether a TPM's key file in its armour may begin with this text."""
    return text.startswith(TSS2_HEAD)


def tss2_pem(text: bytes, at: int) -> Sequence[Hit]:
    """A TPM's key file in its armour."""
    end = text.find(_TSS2_END, at)
    if end < 0:
        raise KeyFormatError("TSS2 PRIVATE KEY is cut off")
    der = decode_body(b"".join(text[at + len(TSS2_HEAD) : end].split()))
    length = end + len(_TSS2_END) - at
    return [SealedHit(at, length, "tss2-pem", hit.what) for hit in _sealed("tss2", 0, read_tpm_key, der)]


def _sealed(encoding: str, at: int, read: Callable[[bytes], Sealed], data: bytes) -> Sequence[SealedHit]:
    found = read(data)
    is_open = ": a common password opens it" if found.is_open else ""
    return (SealedHit(at, found.end, encoding, found.what + is_open),)
