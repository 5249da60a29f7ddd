"""Work over the chunks of an image, also of a file that is cut short in the midst of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from immure.dumps.open import open_image
from immure.scanning.chunks import Chunk, load
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.options import NoProgress, ScanOptions
from immure.scanning.part import Part
from immure.scanning.pieces import EXHAUSTIVE_CHUNK_BYTES, Pieces

from .material import PAGE, filler


class Counted(NoProgress):
    done = 0

    def advance(self, count: int) -> None:
        self.done += count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(filler("ordinary", 64 * PAGE))
    return path


@pytest.mark.parametrize("threads", [1, 3])
def test_every_chunk_once_and_in_order(path: Path, threads: int) -> None:
    progress = Counted()
    with open_image(path) as image:
        pieces = Pieces(image, ScanOptions(threads=threads, chunk_bytes=8 * PAGE), progress, None)
        done = list(pieces.each(pieces.chunks(), lambda space, chunk: chunk.start))
        assert [(chunk.start, result) for chunk, result in done] == [(8 * n * PAGE,) * 2 for n in range(8)]
        assert progress.done == 64 * PAGE
        assert list(pieces.chunks()) == [chunk for chunk, _ in done]


@pytest.mark.parametrize(
    ("mode", "wanted", "longest"),
    [
        ("quick", 8 << 20, 8 << 20),
        ("exhaustive", 8 << 20, EXHAUSTIVE_CHUNK_BYTES),
        ("exhaustive", PAGE, PAGE),
    ],
)
def test_the_longest_chunk(path: Path, mode: str, wanted: int, longest: int) -> None:
    with open_image(path) as image:
        options = ScanOptions(mode=mode, chunk_bytes=wanted)  # type: ignore[arg-type]
        pieces = Pieces(image, options, NoProgress(), None)
        assert pieces.chunk_bytes == longest
        pieces.shorten(16 * PAGE)
        assert pieces.chunk_bytes == min(longest, 16 * PAGE)


def test_a_part_has_its_own_chunks_only(path: Path) -> None:
    with open_image(path) as image:
        part = Part(16 * PAGE, 32 * PAGE)
        pieces = Pieces(image, ScanOptions(chunk_bytes=8 * PAGE), NoProgress(), part)
        assert [chunk.start for chunk in pieces.chunks()] == [16 * PAGE, 24 * PAGE]
        assert [chunk.start for chunk in pieces.cut(4 * PAGE)] == [n * PAGE for n in (16, 20, 24, 28)]


@pytest.mark.parametrize("threads", [1, 3])
def test_work_on_a_file_that_is_cut_short_meanwhile_is_done_again(path: Path, threads: int) -> None:
    """What was seen the first time may be zeros that never were; the second time it is what can be read."""
    data, seen = path.read_bytes(), list[tuple[int, bool]]()
    with open_image(path) as image:
        pieces = Pieces(image, ScanOptions(threads=threads, chunk_bytes=8 * PAGE), NoProgress(), None)

        def work(space: Workspace, chunk: Chunk) -> list[tuple[int, int]]:
            unread = load(image.reader, chunk, space)
            os.truncate(path, 20 * PAGE)
            seen.append((chunk.start, bytes(space.view[: space.length]) == data[: space.length]))
            return unread

        [(_, unread)] = pieces.each([Chunk(0, 8 * PAGE, 0, 26 * PAGE)], work)
        assert seen == [(0, False), (0, False)]
        assert unread == [(n * PAGE, PAGE) for n in range(20, 26)]
        [(_, unread)] = pieces.each([Chunk(0, 8 * PAGE, 0, 16 * PAGE)], work)
        assert seen[2:] == [(0, True)]
        assert unread == []
