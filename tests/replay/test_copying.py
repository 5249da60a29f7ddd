from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from immure.dumps.open import open_image
from immure.replay.copying import _mappings, copy_memory

MAPS = """\
55d0c0000000-55d0c0001000 r--p 00000000 08:01 42 /usr/bin/python3
55d0c0001000-55d0c0003000 rw-p 00001000 08:01 42 /usr/bin/python3
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7f0100000000-7f0100001000 rw-s 00000000 00:05 7 /dev/shm/x
7f0200000000-7f0240000000 rw-p 00000000 00:00 0
ffffffffff600000-ffffffffff601000 rw-p 00000000 00:00 0 [vsyscall]
nonsense
"""


def test_which_mappings_are_taken() -> None:
    taken = [(one.start, one.size) for one in _mappings(MAPS)]
    assert taken == [(0x55D0C0001000, 0x2000), (0x7F0000000000, 0x21000)]  # the largest one is too large


def test_a_copy_is_a_core_that_has_what_the_process_has(tmp_path: Path) -> None:
    code = "import os, sys; kept = os.urandom(64); print(kept.hex(), flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        secret = bytes.fromhex(process.stdout.readline().decode())
        try:
            copy_memory(process.pid, tmp_path / "copy.core")
        except PermissionError:
            pytest.skip("NOT TESTED: this machine lets nobody read the memory of its own children")
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
    assert secret in (tmp_path / "copy.core").read_bytes()
    assert (tmp_path / "copy.core").stat().st_mode & 0o777 == 0o600
    with open_image(str(tmp_path / "copy.core")) as image:
        assert image.format == "elf-core"
        assert any(region.address for region in image.regions)


def test_a_process_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such"):
        copy_memory(2**22 + 1, tmp_path / "copy.core")
    assert not os.listdir(tmp_path)
