"""Key stores and sealed containers in arbitrary bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from immure.errors import KeyFormatError
from immure.keymaterial.bks import UBER_HEAD, read_bks, reads_like_uber
from immure.keymaterial.der import SEQUENCE
from immure.keymaterial.keystores import StoreKey, read_jks
from immure.keymaterial.nss import NAME, read_database, read_keys
from immure.keymaterial.pem import decode_body
from immure.keymaterial.pkcs12 import read_pkcs12
from immure.keymaterial.sealed import DPAPI_HEAD, Sealed, read_dpapi, read_keychain, read_tpm_key
from immure.keymaterial.structures.hits import REACH, Buffer, Hit, PrivateHit, SealedHit, window

TSS2_HEAD = b"-----BEGIN TSS2 PRIVATE KEY-----"
_TSS2_END = b"-----END TSS2 PRIVATE KEY-----"
_NSS = "key database of NSS"
#: bytes before the identifier of PBES2 in which the name of the row stands: it, a salt and two headers
_NSS_BACK = 64
_UBER = "what begins like an UBER key store, which is encrypted as a whole"
#: version of a PKCS#12 file and the SEQUENCE behind it
_P12_VERSION = b"\x02\x01\x03\x30"
#: bytes of a header of BER at most: lengths of 64 bits
_P12_HEADER = 10
#: bytes of the longest head of a DPAPI blob, with its description
_DPAPI_BACK = 1024
#: what the words on a store begin with
_NAMES = {"jks": "JKS key store", "bks": "BKS key store", "pkcs12": "PKCS#12 file"}


def jks_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``FE ED FE ED``: a Java key store. Certificates in it are found by themselves."""
    if bytes(buffer[at + 4 : at + 7]) != b"\0\0\0" or bytes(buffer[at + 8 : at + 10]) != b"\0\0":
        return ()
    return _entries("jks", at, read_jks(window(buffer, at, at + REACH)))


def bks_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """Version and length of the salt: a key store of Bouncy Castle."""
    data = window(buffer, at, at + REACH)
    found = _entries("bks", at, read_bks(data))
    if not found and reads_like_uber(data):
        return (SealedHit(at, UBER_HEAD, "uber", _UBER),)
    return found


def _entries(encoding: str, at: int, keys: Iterable[StoreKey]) -> Sequence[Hit]:
    found: list[StoreKey] = []
    with suppress(KeyFormatError):  # cut off: what was read before that counts
        found.extend(keys)
    return [_hit(encoding, at, key) for key in found]


def _hit(encoding: str, at: int, key: StoreKey) -> Hit:
    start, length = at + key.start, key.end - key.start
    if key.private is None:
        return SealedHit(start, length, encoding, f"{_NAMES[encoding]}: {key.reason}")
    return PrivateHit(key.private, start, length, encoding)


def pkcs12_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The identifier of PKCS#7 data: in a PKCS#12 file it stands behind version and two headers, in DER or
    BER."""
    begin = max(0, at - 2 * _P12_HEADER - 3)
    head = window(buffer, begin, at)
    version = head.rfind(_P12_VERSION)
    if version < 0:
        return ()
    for size in range(2, _P12_HEADER + 1):
        start = version - size
        if start >= 0 and head[start] == SEQUENCE and _is_length(head[start + 1 : version]):
            place = begin + start
            found = _entries("pkcs12", place, read_pkcs12(window(buffer, place, place + REACH)))
            if found:
                return found
    return ()


def _is_length(field: bytes) -> bool:
    """Whether these bytes are the length of a value, in DER or BER."""
    return field[0] == 0x80 + len(field) - 1 if len(field) > 1 else field[0] <= 0x80


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


def nss_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """The identifier of PBES2: in the row that a key database of NSS checks its password by, its keys are
    looked for on either side."""
    begin = max(0, at - _NSS_BACK)
    if NAME not in window(buffer, begin, at):
        return ()
    begin = max(0, at - REACH)
    data = window(buffer, begin, at + REACH)
    database = read_database(data, at - begin)
    length = database.end - database.start
    if database.secret is None:
        return (SealedHit(begin + database.start, length, "nss", f"{_NSS}: {database.reason}"),)
    hits = [
        PrivateHit(key.private, begin + key.start, key.end - key.start, "nss")
        for key in read_keys(data, database.secret)
    ]
    return hits or (SealedHit(begin + database.start, length, "nss", f"{_NSS}: a common password opens it"),)


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
