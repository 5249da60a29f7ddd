"""Feeds memory to the search for AES key schedules: the kernel finds what its plain twin finds, each that is
found is one, and a scan of any bytes ends."""

from __future__ import annotations

import random

from driver import run

from immure.dumps.detect import parse_image
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.keymaterial.aes import LAYOUTS, MOST_FLIPPED, SURELY_FLIPPED, recover
from immure.scanning.kernels import reference_aes
from immure.scanning.kernels.aes import find_schedules
from immure.scanning.kernels.workspace import Runs, Workspace
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image

MEMORY_BYTES = 340  # the twin is slow
CHANCE = random.Random(11)


def check(data: bytes) -> None:
    kind, memory = data[:1], data[1:]
    if kind == b"s":
        image = parse_image("fuzz", BytesReader(memory), Limits())
        report = scan_image(image, (), ScanOptions(threads=1, chunk_bytes=4096, harvest=False, aes=True))
        assert report.error is None
        return
    memory = memory[:MEMORY_BYTES]
    step = 1 if kind == b"\xff" else 4
    space = Workspace(len(memory))
    space.view[: len(memory)] = memory
    space.set_length(len(memory))
    runs = Runs(1)
    runs.set([(0, space.length)])
    hits, stopped = find_schedules(space, runs, step=step, most=SURELY_FLIPPED)
    assert stopped is None
    expected = reference_aes.find_schedules(
        bytes(space.view[: space.length]), [(0, space.length)], step=step, most=6
    )
    assert [tuple(hit) for hit in hits] == expected
    for at, layout, flipped in find_schedules(space, runs, step=step)[0]:
        recovered = recover(layout, bytes(space.view[at : at + layout.length]))
        assert recovered is not None
        assert recovered.flipped == flipped <= MOST_FLIPPED


def _damaged(layout_number: int, flips: int) -> bytes:
    layout = LAYOUTS[layout_number]
    data = bytearray(layout.write(CHANCE.randbytes(layout.key_bytes)))
    for bit in CHANCE.sample(range(8 * len(data)), flips):
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


SEEDS = [
    *(
        bytes([number]) + CHANCE.randbytes(40) + _damaged(number, number % 7)
        for number in range(len(LAYOUTS))
    ),
    b"s" + CHANCE.randbytes(4000) + _damaged(0, 0) + _damaged(23, 4),
    b"\0" + bytes(300) + CHANCE.randbytes(200),
]

if __name__ == "__main__":
    run(check, SEEDS)
