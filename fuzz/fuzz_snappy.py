"""Feeds broken blocks to immure.dumps.snappy; both decoders must agree on what they accept."""

from __future__ import annotations

from driver import run
from seeds import MEMORY

from immure.dumps.snappy import block_decoder, decompress_block
from immure.errors import ImageError
from immure.synth.physical import snappy_block

FAST = block_decoder()


def _try(decode, block: bytes) -> bytes | None:
    try:
        return decode(block)
    except ImageError:
        return None


def check(block: bytes) -> None:
    assert _try(decompress_block, block) == _try(FAST, block)


if __name__ == "__main__":
    run(check, [snappy_block(MEMORY), snappy_block(bytes(60_000)), snappy_block(b"ab" * 200), b"\0"])
