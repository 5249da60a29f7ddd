"""Private keys as OpenSSH keeps them at rest in memory since 8.1: *shielded*, under a key made of 16 KiB of
random bytes that stand elsewhere in the same process.

Both are in a core of it, and so is the key: shielding is against attacks that read memory with errors, or a
little of it. Source: ``sshkey.c`` of OpenSSH (``sshkey_shield_private``): SHA-512 of the prekey gives key and
counter of AES-256-CTR; the plain text is a private record, padded with 1, 2, 3 … to the cipher's block."""

from __future__ import annotations

import hashlib
from typing import Final

from immure.errors import KeyFormatError
from immure.keymaterial.openssh import Wire, read_private
from immure.keymaterial.private import PrivateKey

PREKEY_BYTES: Final = 16 << 10
_BLOCK: Final = 16
#: Bytes of a shielded record, which all of an RSA key of 16,384 bits is within.
LENGTHS: Final = range(_BLOCK, (16 << 10) + 1, _BLOCK)


def unshield(prekey: bytes, shielded: bytes) -> PrivateKey:
    """The key that ``prekey`` shields.

    Raises:
        KeyFormatError: these do not belong together, or what they hide is no key.
    """
    if len(prekey) != PREKEY_BYTES or len(shielded) not in LENGTHS:
        raise KeyFormatError("a shielded key of impossible size")
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    secret = hashlib.sha512(prekey).digest()
    decryptor = Cipher(algorithms.AES(secret[:32]), modes.CTR(secret[32:48])).decryptor()
    plain = decryptor.update(shielded) + decryptor.finalize()
    wire = Wire(plain)
    private = read_private(wire)
    padding = plain[wire.at :]
    if len(padding) >= _BLOCK or padding != bytes(range(1, len(padding) + 1)):
        raise KeyFormatError("a shielded key with a wrong end")
    return private
