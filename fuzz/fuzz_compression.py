"""Feeds broken streams to immure.dumps.compression."""

from __future__ import annotations

import bz2
import gzip
import lzma

import lz4.frame
import zstandard as zstd
from checks import check_images
from driver import run
from seeds import images

if __name__ == "__main__":
    core = images("elf")[0]
    compressors = (zstd.compress, gzip.compress, lzma.compress, lz4.frame.compress, bz2.compress)
    frames = [compress(core) + compress(bytes(100_000)) for compress in compressors]
    run(check_images, [*frames, b"\x5a\x2a\x4d\x18\x04\x00\x00\x00skip" + zstd.compress(core)])
