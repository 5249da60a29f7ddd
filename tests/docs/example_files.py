"""The files that the examples in the documentation speak of: a core with a key in it, and public keys."""

from __future__ import annotations

import base64
import json
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PAGE = 4096


def make(directory: Path) -> None:
    """Write them all into ``directory``."""
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = ec.generate_private_key(ec.SECP256R1())
    keys = [_rsa_jwk("2026-10", signer.public_key()), _ec_jwk("2026-11", other.public_key())]
    jwks = {"keys": [key | {"issuer": "https://login.example/tenant"} for key in keys]}
    (directory / "jwks.json").write_text(json.dumps(jwks, indent=1), encoding="ascii")
    (directory / "signer.pub.pem").write_bytes(_pem(signer.public_key()))

    numbers = signer.private_numbers()
    secrets = [_le64(number) for number in (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1)]
    heap = _ordinary_bytes(4 << 20, seed=1)
    for place, secret in enumerate(secrets):
        at = (1 << 20) + 0x10000 * place + 0x10
        heap[at : at + len(secret)] = secret
    (directory / "app.core").write_bytes(_core(bytes(heap)))
    (directory / "clean.core").write_bytes(_core(bytes(_ordinary_bytes(4 << 20, seed=2))))
    (directory / "truncated.core").write_bytes((directory / "clean.core").read_bytes()[: 3 << 20])
    subprocess.run(["gzip", "-k", "app.core"], cwd=directory, check=True)
    (directory / "heap.hprof").write_bytes(_heap_dump(numbers.p, numbers.q))

    (directory / "cores").mkdir()
    for name in ("app.core.gz", "clean.core"):
        shutil.copy(directory / name, directory / "cores")
    (directory / "keys").mkdir()
    (directory / "keys" / "2026.json").write_text(json.dumps(jwks), encoding="ascii")
    (directory / "keys" / "partner.pem").write_bytes(
        _pem(ec.generate_private_key(ec.SECP384R1()).public_key())
    )


def _b64url(number: int, length: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(length, "big")).rstrip(b"=").decode("ascii")


def _rsa_jwk(kid: str, key: rsa.RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "RSA", "kid": kid, "use": "sig", "n": _b64url(numbers.n, 256), "e": _b64url(numbers.e, 3)}


def _ec_jwk(kid: str, key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    point = {"x": _b64url(numbers.x, 32), "y": _b64url(numbers.y, 32)}
    return {"kty": "EC", "kid": kid, "use": "sig", "crv": "P-256"} | point


def _pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _le64(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 63) // 64 * 8, "little")


def _ordinary_bytes(length: int, seed: int) -> bytearray:
    """Pointers, small numbers, text and zeros, as a heap has them."""
    source = random.Random(seed)
    data = bytearray()
    while len(data) < length:
        kind = source.randrange(4)
        if kind == 0:
            data += struct.pack("<8Q", *(0x7F00_0000_0000 + 16 * source.randrange(1 << 24) for _ in range(8)))
        elif kind == 1:
            data += struct.pack("<8Q", *(source.randrange(1 << 16) for _ in range(8)))
        elif kind == 2:
            line = f"GET /orders/{source.randrange(10**6):06d} HTTP/1.1 200 in {source.randrange(900):03d} ms"
            data += line.ljust(64).encode("ascii")
        else:
            data += bytes(256)
    return data[:length]


@dataclass(frozen=True)
class _Segment:
    address: int
    flags: int
    data: bytes


def _core(heap: bytes) -> bytes:
    """An ELF core of x86-64 with a heap, a stack and the notes that name them."""
    stack_top = 0x7FFD_0002_0000
    segments = [
        _Segment(0x5555_5555_0000, 6, heap),
        _Segment(stack_top - 0x20000, 6, bytes(_ordinary_bytes(0x20000, seed=3))),
    ]
    notes = _note(1, _prstatus(4711, stack_top - 0x8000)) + _note(3, _prpsinfo(4711, b"signer"))
    offset = 64 + 56 * (1 + len(segments))
    headers = struct.pack("<IIQQQQQQ", 4, 0, offset, 0, 0, len(notes), 0, 4)
    body = notes + bytes(-(offset + len(notes)) % PAGE)
    at = offset + len(body)
    for segment in segments:
        size = len(segment.data)
        headers += struct.pack("<IIQQQQQQ", 1, segment.flags, at, segment.address, 0, size, size, PAGE)
        at += size
    identification = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    elf_header = struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1 + len(segments), 0, 0, 0)
    return identification + elf_header + headers + body + b"".join(segment.data for segment in segments)


def _note(kind: int, descriptor: bytes) -> bytes:
    return (
        struct.pack("<III", 5, len(descriptor), kind)
        + b"CORE\0\0\0\0"
        + descriptor
        + bytes(-len(descriptor) % 4)
    )


def _prstatus(pid: int, stack_pointer: int) -> bytes:
    status = bytearray(336)
    struct.pack_into("<IIIH", status, 0, 6, 0, 0, 6)
    struct.pack_into("<I", status, 32, pid)
    struct.pack_into("<Q", status, 112 + 8 * 19, stack_pointer)
    return bytes(status)


def _prpsinfo(pid: int, name: bytes) -> bytes:
    info = bytearray(136)
    struct.pack_into("<I", info, 24, pid)
    info[40 : 40 + len(name)] = name
    info[56 : 56 + len(name)] = name
    return bytes(info)


def _heap_dump(*numbers: int) -> bytes:
    """A Java heap dump: for each number the int[] that a BigInteger keeps it in, and a byte[] of text."""
    dump = b""
    for identity, number in enumerate(numbers, start=1):
        data = number.to_bytes((number.bit_length() + 31) // 32 * 4, "big")
        dump += struct.pack(">BQIIB", 0x23, identity, 0, len(data) // 4, 10) + data
    text = b"orders and customers " * 5000
    dump += struct.pack(">BQIIB", 0x23, len(numbers) + 1, 0, len(text), 8) + text
    header = b"JAVA PROFILE 1.0.2\0" + struct.pack(">IQ", 8, 1_790_000_000_000)
    return header + struct.pack(">BII", 0x1C, 0, len(dump)) + dump + struct.pack(">BII", 0x2C, 0, 0)
