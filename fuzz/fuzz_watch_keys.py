"""Feeds broken OpenPGP packets, age identities, shielded keys and NSS databases to their parsers."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import struct
from contextlib import suppress

from driver import run

from immure.dumps.elfcore import parse_elf_core
from immure.dumps.limits import Limits
from immure.dumps.raw import parse_raw
from immure.dumps.readers import BytesReader, SharedReader
from immure.errors import ImmureError
from immure.keymaterial.pgp import ED25519_LEGACY, read_packets
from immure.keymaterial.private import okp_from_seed
from immure.keymaterial.structures import ANCHORS, parse_at
from immure.scanning.shielded import find_shielded
from immure.synth.elf import Segment, build_elf_core
from immure.watching.containers import nss

SEED = hashlib.sha256(b"a seed of this harness").digest()


def check(data: bytes) -> None:
    """Keys, or an error of ours, or nothing."""
    with suppress(ImmureError):
        for at, key in read_packets(data):
            assert at < key.end <= len(data)
    for anchor in ANCHORS:
        at = data.find(anchor.needle)
        for hit in parse_at(data, anchor, at) if at >= 0 else ():
            assert hit.offset >= 0
            assert hit.offset + hit.length <= len(data)
    for parse in (parse_elf_core, parse_raw):
        with suppress(ImmureError):
            list(find_shielded(parse("image", BytesReader(data), Limits())))
    for part in () if not nss.detect(data[:4096]) else nss.parts(SharedReader(BytesReader(data)), Limits()):
        assert getattr(part, "name", "") or getattr(part, "reason", "")


def _packet() -> bytes:
    public = okp_from_seed("Ed25519", SEED).public.x
    secret = struct.pack(">H", 256) + SEED
    body = (
        b"\x04" + bytes(4) + b"\x16\x09" + ED25519_LEGACY + struct.pack(">H", 263) + b"\x40" + public + b"\0"
    )
    body += secret + struct.pack(">H", sum(secret) % 65536)
    return bytes([0x94, len(body)]) + body


def _database() -> bytes:
    made = sqlite3.connect(":memory:")
    made.execute("CREATE TABLE nssPrivate (id, a100, a120, a122, a124)")
    made.execute("CREATE TABLE metaData (id PRIMARY KEY, item1, item2)")
    made.execute("INSERT INTO metaData VALUES ('password', ?, ?)", (bytes(20), b"\x30\x10" + bytes(16)))
    return made.serialize()


def _core() -> bytes:
    heap = bytearray(0x8000)
    heap[:32] = struct.pack("<4Q", 0x10100, 160, 0x11000, 0x4000)
    return build_elf_core([Segment(0x10000, bytes(heap))]).data


if __name__ == "__main__":
    packets = _packet() * 2
    armor = b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n" + base64.encodebytes(packets)
    armor += b"=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n"
    run(check, [packets, armor, b"AGE-SECRET-KEY-1" + b"Q" * 58, _database(), _core()])
