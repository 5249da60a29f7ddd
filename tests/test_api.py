"""The front door: what happens to the others if one target cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.keymaterial import formats, keys

import immure
from immure.errors import ImageError, KeySourceError, UsageError
from immure.synth import build_elf_core, ordinary_memory
from immure.synth.elf import Segment

OPTIONS = immure.ScanOptions(threads=1)


def core(directory: Path, name: str) -> str:
    """A core with a whole private key in it."""
    memory = bytes(ordinary_memory(8192, seed=1)) + formats.pkcs8_pem(keys.key("Ed25519"))
    path = directory / name
    path.write_bytes(build_elf_core([Segment(0x5000_0000, memory, 6)]).data)
    return str(path)


def test_target_that_does_not_exist_costs_no_report(tmp_path: Path) -> None:
    good, other, absent = core(tmp_path, "a.core"), core(tmp_path, "b.core"), str(tmp_path / "none.core")
    report = immure.scan_report([absent, good, "pid:4194999", other], options=OPTIONS)
    assert [(image.path, image.format, len(image.findings)) for image in report.images] == [
        (absent, "none", 0),
        (good, "elf-core", 1),
        ("pid:4194999", "none", 0),
        (other, "elf-core", 1),
    ]
    assert report.images[0].error == "cannot be opened: No such file or directory"
    assert report.images[2].error == "there is no process 4194999"
    assert not report.complete


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_target_that_may_not_be_read_costs_no_report(tmp_path: Path) -> None:
    good, closed = core(tmp_path, "a.core"), core(tmp_path, "b.core")
    os.chmod(closed, 0)
    report = immure.scan_report([closed, good], options=OPTIONS)
    assert [image.error for image in report.images] == ["cannot be opened: Permission denied", None]


def test_findings_come_before_the_error(tmp_path: Path) -> None:
    good, absent = core(tmp_path, "a.core"), [str(tmp_path / f"none{number}") for number in range(30)]
    found = immure.scan([absent[0], good, *absent[1:]], options=OPTIONS)
    assert next(found).key.label == "Ed25519"
    with pytest.raises(ImageError, match="none0: cannot be opened: No such file or directory") as caught:
        next(found)
    assert caught.value.path == absent[0]
    assert str(caught.value).count(absent[0]) == 1
    notes = caught.value.__notes__
    assert notes[0] == f"{absent[1]}: cannot be opened: No such file or directory"
    assert notes[-1] == "and 9 more"
    assert len(notes) == 21


def test_mistakes_are_told_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown detector"):
        immure.scan(str(tmp_path), options=immure.ScanOptions(detectors=("dsa",)))
    with pytest.raises(KeySourceError, match="no-such-file: No such file"):
        immure.scan(str(tmp_path), keys="no-such-file")
