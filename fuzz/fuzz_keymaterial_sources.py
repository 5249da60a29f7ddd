"""Feeds broken files of keys to immure.keymaterial.sources_files."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from driver import run

from immure.keymaterial.sources_files import parse_keys

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keymaterial import formats, keys
from tests.keymaterial.test_sources import FILES, NOTES, PRIVATE_FILES

SECONDS = 2.0  # of computing for one input, which is far more than any needs


def check_sources(data: bytes) -> None:
    """Keys, or an error that names the file; nothing that costs much."""
    begun = time.thread_time()
    try:
        loaded = parse_keys(data, "file")
        assert loaded.keys
        for key in loaded:
            assert len(key.thumbprint) == 43
            assert key.size
    finally:
        assert time.thread_time() - begun < SECONDS


if __name__ == "__main__":
    samples = [data for data, _ in (*FILES.values(), *PRIVATE_FILES.values(), *NOTES.values())]
    members = [formats.jwk(keys.key(kind), kid="same") for kind in keys.KINDS]
    run(check_sources, [*samples, json.dumps({"keys": members}).encode()])
