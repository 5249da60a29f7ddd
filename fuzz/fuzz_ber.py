"""Feeds broken BER to immure.keymaterial.ber, and what comes out to the reader of PKCS#12 files."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from driver import run

from immure.errors import KeyFormatError
from immure.keymaterial.ber import to_der
from immure.keymaterial.pkcs12 import read_pkcs12

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keymaterial import keys, pfx_files

SECONDS = 1.5  # of computing for one input: both budgets, and a machine that is busy


def check_ber(data: bytes) -> None:
    """What is read at all is DER, is stable and no longer; a file costs no more than the budgets."""
    begun = time.thread_time()
    try:
        encoded, end = to_der(data)
    except KeyFormatError:
        encoded, end = b"", 0
    assert len(encoded) <= end <= len(data)
    assert not encoded or to_der(encoded) == (encoded, len(encoded))
    try:
        for key in read_pkcs12(data):
            assert 0 <= key.start < key.end <= len(data)
            assert key.private is not None or key.reason
    except KeyFormatError:
        pass  # no file
    assert time.thread_time() - begun < SECONDS


if __name__ == "__main__":
    chance = random.Random(1)
    seeds = [bytes.fromhex("3080 2480 0401aa 2480 0402bbcc 0000 0000 0000"), b"\x30\x80" * 40]
    for style in (None, *range(6)):
        for password in ("changeit", "", "no common one"):
            bags = pfx_files.shrouded(keys.key("P-256"), password), pfx_files.key_bag(keys.key("Ed25519"))
            infos = (
                pfx_files.data(*bags),
                pfx_files.encrypted(*bags, password=password, pieces=chance.randrange(50)),
            )
            seeds.append(pfx_files.pfx(*infos, password=password if style != 2 else None, style=style))
    run(check_ber, seeds)
