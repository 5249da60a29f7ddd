"""Files where the kernel keeps them; and what happens when they are cut short meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from immure.scanning.kernels.mapping import MASKS_BYTES, Mapping
from immure.scanning.kernels.workspace import Workspace

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(random.Random(1).randbytes(64 * PAGE))
    return path


def mapping_of(path: Path) -> Mapping:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return Mapping(descriptor, path.stat().st_size)
    finally:
        os.close(descriptor)


def is_bus_error_handled() -> bool:
    status = Path("/proc/self/status").read_text()
    caught = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)
    return bool(caught >> (signal.SIGBUS - 1) & 1)


def test_pieces_are_the_bytes_of_the_file(path: Path) -> None:
    mapping, data = mapping_of(path), path.read_bytes()
    for start, stop in [(0, len(data)), (1, 9), (PAGE - 3, 5 * PAGE + 1), (len(data) - 8, len(data))]:
        piece = mapping.piece(start, stop)
        assert piece is not None
        assert piece[0] == data[start:stop]
        assert bytes(piece[1][0 : stop - start]) == data[start:stop]
        assert piece[0].readonly
        mapping.drop(start, stop)
        assert piece[0] == data[start:stop]
    assert mapping.faults == 0


@pytest.mark.parametrize(("start", "stop"), [(-8, 8), (0, 64 * PAGE + 1), (8, 8), (16, 8)])
def test_there_is_nothing_outside_the_file(path: Path, start: int, stop: int) -> None:
    assert mapping_of(path).piece(start, stop) is None


@pytest.mark.parametrize(("descriptor", "size"), [(-1, PAGE), (None, 0)])
def test_what_cannot_be_mapped(path: Path, descriptor: int | None, size: int) -> None:
    with path.open("rb") as file, pytest.raises(OSError, match="cannot be mapped"):
        Mapping(file.fileno() if descriptor is None else descriptor, size)


def test_a_view_keeps_the_map_alive(path: Path) -> None:
    data = path.read_bytes()
    piece = mapping_of(path).piece(8, 3 * PAGE)
    assert piece is not None
    view = piece[0]
    del piece
    assert view == data[8 : 3 * PAGE]


def test_a_file_that_is_cut_short_reads_as_zeros_and_is_counted(path: Path) -> None:
    mapping, data = mapping_of(path), path.read_bytes()
    piece = mapping.piece(0, len(data))
    assert piece is not None
    os.truncate(path, 2 * PAGE + 100)
    assert piece[0][: 2 * PAGE + 100] == data[: 2 * PAGE + 100]
    assert not any(piece[0][2 * PAGE + 100 :])
    assert mapping.faults == 61
    assert mapping.piece(0, PAGE) is None  # from now on copies are made


def test_what_was_cut_off_before_is_no_piece(path: Path) -> None:
    mapping = mapping_of(path)
    os.truncate(path, 2 * PAGE)
    assert mapping.piece(0, 3 * PAGE) is None
    assert mapping.piece(0, 2 * PAGE) is not None
    assert mapping.faults == 0


def test_bus_errors_are_handled_only_while_there_is_a_map(path: Path) -> None:
    before = is_bus_error_handled()
    one, other = mapping_of(path), mapping_of(path)
    assert is_bus_error_handled()
    del one
    assert is_bus_error_handled()
    del other
    assert is_bus_error_handled() == before


def test_more_maps_than_are_watched(path: Path) -> None:
    maps = [mapping_of(path) for _ in range(64)]
    with pytest.raises(OSError, match="cannot be mapped"):
        mapping_of(path)
    del maps
    assert mapping_of(path).piece(0, 8) is not None


FOREIGN = """
import mmap, os, sys
from immure.scanning.kernels.mapping import Mapping
path = sys.argv[1]
descriptor = os.open(path, os.O_RDWR)
{before}
ours = Mapping(descriptor, 1 << 16)
theirs = mmap.mmap(descriptor, 1 << 16)
os.truncate(path, 0)
print("touching", flush=True)
theirs[4096]
"""


BETWEEN = """
import faulthandler
first = Mapping(descriptor, 1 << 16)
faulthandler.enable()  # calls the handler that it finds, which is ours
del first
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", ""),
        ("import faulthandler; faulthandler.enable()", "Fatal Python error: Bus error"),
        (BETWEEN, "Fatal Python error: Bus error"),
    ],
    ids=["by default", "with a handler", "with one that was set between two of ours"],
)
def test_bus_errors_of_others_do_what_they_did(tmp_path: Path, before: str, said: str) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 16))
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{FOREIGN}"
    done = subprocess.run(
        [sys.executable, "-c", limited.format(before=before), str(path)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "touching\n"
    assert done.returncode == -signal.SIGBUS
    assert said in done.stderr


def test_a_workspace_shows_a_piece_and_goes_back_to_its_buffer(path: Path) -> None:
    data = path.read_bytes()
    space = Workspace(4 * PAGE, mapping_of(path))
    assert space.show(PAGE, 3 * PAGE)
    assert space.length == 2 * PAGE
    assert space.view == data[PAGE : 3 * PAGE]
    assert space.find_runs() > 1000
    assert not space.show(0, 5)  # no whole words
    space.view[:8] = b"ABCDEFGH"
    space.set_length(8)
    assert bytes(space.buffer[:8]) == b"ABCDEFGH"
    assert path.read_bytes() == data
    assert not space.show(0, 5 * PAGE)  # longer than the buffer, should a copy be needed after all


def test_the_mask_of_a_piece_is_kept(path: Path) -> None:
    mapping = mapping_of(path)
    spaces = [Workspace(8 * PAGE, mapping) for _ in range(2)]
    found = []
    for space in spaces:
        for start in (0, 8 * PAGE):
            assert space.show(start, start + 8 * PAGE)
            found.append((space.find_runs(), space.strict.pairs(), space.loose.pairs()))
    assert found[:2] == found[2:]
    mask, alive = mapping.kept((0, 8 * PAGE)) or (b"", 0)
    assert (len(mask), alive) == (8 * PAGE // 64, found[0][0])
    assert mapping.kept((8, 16)) is None


def test_not_all_masks_are_kept(path: Path) -> None:
    mapping = mapping_of(path)
    mapping.keep((0, 1), bytes(MASKS_BYTES - 1), 0)
    mapping.keep((1, 2), bytes(2), 0)
    assert mapping.kept((0, 1)) is not None
    assert mapping.kept((1, 2)) is None
