"""Redaction of AES keys, which were found by their key schedules."""

from __future__ import annotations

import random
from pathlib import Path

from immure.keymaterial.aes import expand
from immure.redact import RedactOptions, redact_file
from immure.scanning.options import ScanOptions
from immure.synth import ordinary_memory

CHANCE = random.Random("schedules")
KEY = CHANCE.randbytes(32)


def test_a_key_schedule_is_erased_with_the_key(tmp_path: Path) -> None:
    memory = ordinary_memory(128 << 10, 5)
    schedule = expand(KEY)
    decayed = bytearray(schedule)
    decayed[41] ^= 4
    for offset, data in ((4096, schedule), (20_000, KEY), (40_960, bytes(decayed))):
        memory[offset : offset + len(data)] = data
    (tmp_path / "in.raw").write_bytes(memory)
    options = RedactOptions(scan=ScanOptions(threads=1, aes=True), debugger=False)
    record = redact_file(tmp_path / "in.raw", tmp_path / "out.raw", options=options)
    made = (tmp_path / "out.raw").read_bytes()
    assert len(made) == len(memory)
    assert record.proof is not None
    for at in range(len(schedule) - 15):
        assert schedule[at : at + 16] not in made
    assert bytes(decayed)[32:64] not in made
