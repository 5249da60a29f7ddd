"""Feeds broken sketches, lists of secrets and tokens to their readers, and memory to the kernel and its twin.

What is read as a sketch is written and read again, and is searched for in the input itself: whatever stands
in the file, the search ends, and what it finds is what the plain twin finds.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from driver import run

from immure.errors import ImmureError
from immure.keymaterial.sketch import Sketch, salted_block, to_bytes
from immure.keymaterial.sketch_file import parse_sketch
from immure.keymaterial.sketch_guess import guess_bits
from immure.keymaterial.sketch_make import sketch_of
from immure.keymaterial.sketch_sources import read_list, read_secrets
from immure.scanning.chunks import Chunk
from immure.scanning.hmac_token import parse_token
from immure.scanning.kernels import reference_sketch
from immure.scanning.kernels.sketch import DigestTable
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.sketch_table import SketchTable

MEMORY_BYTES = 2048  # the twin is slow
CHANCE = random.Random(11)
KEY = CHANCE.randbytes(40)
SALT = bytes(range(32))
MADE = sketch_of([("k", "hs256", KEY), ("t", "token", CHANCE.randbytes(24).hex().encode())], salt=SALT)
TEMPORARY = Path(tempfile.mkdtemp(prefix="fuzz-sketch-")) / "input"


def check(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind == b"{":
        _file(data)
    elif kind == b"t":
        assert parse_token(rest, "fuzz").algorithm.startswith("HS")
    elif kind == b"l":
        _sources(rest)
    else:
        _memory(rest[:MEMORY_BYTES], kind)


def _file(data: bytes) -> None:
    made = parse_sketch(data, "fuzz")
    again = parse_sketch(to_bytes(made), "fuzz")
    assert (again.salt, again.looks, again.secrets) == (made.salt, made.looks, made.secrets)
    assert made.windows >= len(made.secrets)
    _search(made, data[:MEMORY_BYTES] + KEY)


def _sources(data: bytes) -> None:
    TEMPORARY.write_bytes(data)
    for read in (
        lambda: read_secrets(str(TEMPORARY), "secret"),
        lambda: list(read_list(str(TEMPORARY), "pin")),
    ):
        try:
            found = read()
            for _, _, value in found:
                assert guess_bits(value, 16) >= 0
            sketch_of(found, allow_guessable=True)
        except ImmureError:
            pass


def _memory(memory: bytes, kind: bytes) -> None:
    looks = [name for bit, name in enumerate(("text", "one-case")) if kind and kind[0] >> bit & 1]
    text, one_case = "text" in looks, "one-case" in looks
    windows = list(reference_sketch.windows(memory, text=text, one_case=one_case))
    block = salted_block(SALT)
    digests = {reference_sketch.digest(block, window) for _, _, window in windows[::2]}
    hits, tried = DigestTable(SALT, digests, looks).find(_space(memory))
    expected = reference_sketch.find(memory, block, digests, text=text, one_case=one_case)
    assert sorted(map(tuple, hits)) == sorted(expected)
    assert tried == len(windows)
    _search(MADE, memory)


def _space(memory: bytes) -> Workspace:
    space = Workspace(len(memory))
    space.view[: len(memory)] = memory
    space.set_length(len(memory))
    return space


def _search(sketch: Sketch, memory: bytes) -> None:
    chunk = Chunk(0, len(memory), 0, len(memory))
    pieces, _, stopped = SketchTable(sketch, 0).examine(_space(memory), chunk)
    assert stopped is None
    for piece in pieces:
        assert 0 <= piece.offset < piece.offset + piece.length <= len(memory)
        assert piece.count == len(piece.data.reveal()) <= piece.length


TOKEN = b"teyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.e30." + b"A" * 43
SEEDS = [
    to_bytes(MADE),
    to_bytes(sketch_of([("p", "password", b"Xk3!9vQz#p7LmW@2r$8Tb/nope")], salt=SALT)),
    TOKEN,
    b"lNAME=value value value\n#\nB=" + KEY.hex().encode(),
    b'l{"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}]}',
    b"\x00" + CHANCE.randbytes(300) + KEY + KEY.hex().encode(),
    b"\x03" + b"text that goes on for a while and ClassNamesThatAreLongerThanMost/AndPaths " * 6,
    b"\x03" + KEY.hex().encode("utf-16-le") + KEY.hex().upper().encode() + bytes(40) + KEY[3:27],
]

if __name__ == "__main__":
    run(check, SEEDS)
