"""Images are handed to other programs as they are, or in memory, and never through a disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from immure.dumps.readers import BytesReader, FileReader
from immure.errors import RedactionError
from immure.redact.prove.readers.handing import handed

DATA = bytes(range(256)) * 40 + bytes(3 << 20) + b"end"


class Filed(FileReader):
    """A reader that tells its descriptor."""

    def fileno(self) -> int:
        return self._descriptor


class Odd(BytesReader):
    """A reader with a descriptor of something else."""

    def __init__(self, data: bytes, descriptor: int) -> None:
        super().__init__(data)
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


def content(descriptor: int) -> bytes:
    with open(f"/proc/self/fd/{descriptor}", "rb") as stream:
        return stream.read()


def test_a_file_is_handed_over_itself(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(DATA)
    reader = Filed.open(str(path))
    path.unlink()  # by its descriptor: the name may lead elsewhere by now
    with handed(reader, 0) as descriptor:
        assert os.path.sameopenfile(descriptor, reader.fileno())
        assert content(descriptor) == DATA
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
    assert reader.read(0, 4) == DATA[:4]


@pytest.mark.parametrize("other", ["closed", "shorter", "device", "none"])
def test_anything_else_is_laid_into_memory(other: str, tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    path = {"shorter": tmp_path / "short", "device": Path("/dev/null")}.get(other, tmp_path / "short")
    opened = os.open(path, os.O_RDONLY)
    if other == "closed":
        os.close(opened)
    reader = BytesReader(DATA) if other == "none" else Odd(DATA, opened)
    with handed(reader, 1 << 30) as descriptor:
        assert content(descriptor) == DATA
        assert "memfd" in os.readlink(f"/proc/self/fd/{descriptor}")
        assert os.fstat(descriptor).st_blocks * 512 < len(DATA) // 2  # zeros are a hole
    if other != "closed":
        os.close(opened) if other != "none" else None


def test_too_much_for_memory() -> None:
    with pytest.raises(RedactionError, match="too many for memory"), handed(BytesReader(DATA), len(DATA) - 1):
        pass


def test_holes_do_not_count() -> None:
    class Sparse(BytesReader):
        def extents(self, start: int, stop: int):
            yield 0, 10240

    with handed(Sparse(DATA[:10240] + bytes(1 << 20)), 10240) as descriptor:
        assert content(descriptor) == DATA[:10240] + bytes(1 << 20)
