"""Sealed containers as their formats describe them, written by hand: no tool at hand makes those of Windows
and macOS. Of BKS there is a writer here too, beside the stores that Bouncy Castle itself makes."""

from __future__ import annotations

import hashlib
import hmac
import struct
import uuid
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from . import formats

MASTER = uuid.UUID("c0ffee00-1234-5678-9abc-def012345678")


def utf(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def blob(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def pkcs12_kdf(password: str, salt: bytes, rounds: int, purpose: int, length: int) -> bytes:
    """RFC 7292, appendix B.2, word by word: SHA-1, u = 20, v = 64."""
    text = (password + "\0").encode("utf-16-be") if password else b""
    filled = [(part * 64)[: -(-len(part) // 64) * 64] for part in (salt, text)]
    state, result = b"".join(filled), b""
    while len(result) < length:
        block = bytes([purpose]) * 64 + state
        for _ in range(rounds):
            block = hashlib.sha1(block).digest()
        result += block
        more = int.from_bytes((block * 4)[:64], "big") + 1
        pieces = (int.from_bytes(state[at : at + 64], "big") for at in range(0, len(state), 64))
        state = b"".join(((piece + more) % (1 << 512)).to_bytes(64, "big") for piece in pieces)
    return result[:length]


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    return bytes([tag]) + (bytes([0x81, size]) if size < 256 else b"\x82" + struct.pack(">H", size)) + content


def triple_des(key: bytes, vector: bytes, plain: bytes) -> bytes:
    padding = 8 - len(plain) % 8
    encryptor = Cipher(TripleDES(key), modes.CBC(vector)).encryptor()
    return encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()


def bks(
    key: Any, password: str, *, version: int = 2, rounds: int = 1100, kind: int = 4, chain: int = 1
) -> bytes:
    """A store with one key, sealed (4) or plain (2), and a certificate that is none."""
    salt = bytes(range(20))
    inner = b"\0" + utf("PKCS#8") + utf("RSA") + blob(formats.pkcs8(key))
    if kind == 4:
        secret = pkcs12_kdf(password, salt, rounds, 1, 24)
        sealed = triple_des(secret, pkcs12_kdf(password, salt, rounds, 2, 8), inner)
        inner = blob(blob(salt) + struct.pack(">I", rounds) + sealed)
    certificate = utf("X.509") + blob(b"no certificate")
    entry = bytes([kind]) + utf("alias") + bytes(8) + struct.pack(">I", chain) + certificate * chain + inner
    trusted = b"\x01" + utf("root") + bytes(12) + certificate
    body = trusted + entry + b"\0"
    code = hmac.new(pkcs12_kdf(password, salt, 1024, 3, 20), body, "sha1").digest()
    return struct.pack(">I", version) + blob(salt) + struct.pack(">I", 1024) + body + code


def little(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def dpapi(data: bytes, description: str = "Private Key\0") -> bytes:
    head = bytes.fromhex("01000000d08c9ddf0115d1118c7a00c04fc297eb01000000")
    words = head + MASTER.bytes_le + bytes(4) + little(description.encode("utf-16-le"))
    words += struct.pack("<2I", 0x6610, 256) + little(hashlib.sha256(data).digest()) + little(b"")
    words += struct.pack("<2I", 0x800E, 512) + little(bytes(64))
    return words + little(data) + little(bytes(64))


def keychain(password: str) -> bytes:
    """The head of a file, and its database key; the tables between them are zeros."""
    salt, vector = bytes(range(20)), bytes(range(8))
    master = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 24)
    hidden = triple_des(master, vector, hashlib.sha512(b"two keys").digest()[:44])
    head = struct.pack(">3I", 0x100, 92, 92 + len(hidden)) + bytes(16) + struct.pack(">3I", 1, 300, 0)
    database = b"\xfa\xde\x07\x11" + head + salt + vector + bytes(20) + hidden
    tables = b"".join(struct.pack(">I", 0x100 + 4 * number) for number in range(250))
    return b"kych\x00\x01\x00\x00\x00\x00\x00\x10\x00\x00\x00\x14" + bytes(4) + tables + database


def tss2(
    *, kind: int = 3, empty_auth: bool = True, algorithm: int = 1, private: bytes | None = None
) -> bytes:
    oid = der(0x06, bytes.fromhex("6781050a01") + bytes([kind]))
    auth = der(0xA0, der(0x01, b"\xff" if empty_auth else b"\0"))
    public = struct.pack(">2H", 60, algorithm) + bytes(58)
    private = struct.pack(">H", 200) + bytes(range(200)) if private is None else private
    parts = oid + auth + der(0x02, b"\x40\0\0\x01") + der(0x04, public) + der(0x04, private)
    return der(0x30, parts)


def nss_part(secret: bytes, plain: bytes, rounds: int, claim: int | None = None) -> bytes:
    """PBES2 as NSS has it: the vector is the encoding of a string of 14 bytes, header and all. ``claim`` is
    the count of rounds that is written."""
    vector, written = bytes(range(14)), claim or rounds
    salt = hashlib.sha256(plain).digest()
    key = hashlib.pbkdf2_hmac("sha256", secret, salt, rounds, 32)
    encryptor = Cipher(AES(key), modes.CBC(b"\x04\x0e" + vector)).encryptor()
    padding = 16 - len(plain) % 16
    hidden = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    count = der(0x02, written.to_bytes(written.bit_length() // 8 + 1, "big"))
    parameters = der(0x04, salt) + count + b"\x02\x01\x20" + bytes.fromhex("300a06082a864886f70d0209")
    derivation = der(0x30, bytes.fromhex("06092a864886f70d01050c") + der(0x30, parameters))
    cipher = der(0x30, bytes.fromhex("060960864801650304012a") + der(0x04, vector))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d01050d") + der(0x30, derivation + cipher))
    return der(0x30, algorithm + der(0x04, hidden))


def nss(
    key: Any, password: str, *, rounds: int = 1, claim: int | None = None, salt: bytes = bytes(range(20))
) -> bytes:
    """Rows of a database, not a file: a key on P-256, and what the password is checked by."""
    secret = hashlib.sha1(salt + password.encode()).digest()
    numbers = key.private_numbers()
    public = numbers.public_numbers
    point = b"\x04" + public.x.to_bytes(32, "big") + public.y.to_bytes(32, "big")
    part = nss_part(secret, numbers.private_value.to_bytes(32, "big"), rounds)
    row = b"row" + part + b"\0\0\0\3" + bytes.fromhex("06082a8648ce3d030107") + point
    return row + bytes(500) + b"password" + salt + nss_part(secret, b"password-check", rounds, claim)
