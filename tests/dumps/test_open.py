"""From targets to images: files, trees, pipes, and what is wrong with them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from immure.dumps import Image, Unreadable, open_image, open_images
from immure.dumps.limits import Limits
from immure.dumps.readers import FileReader, PiecesReader, SharedReader
from immure.errors import ImageError

from .helpers import assert_regions_hold, opened, read_all, samples

CORE = samples()["elf64"]


@pytest.mark.parametrize(("name", "data"), samples().items())
def test_every_format_by_content(tmp_path, name, data):
    (tmp_path / "x").write_bytes(data)
    with open_image(tmp_path / "x") as image:
        image.settle()
        assert image.format == {"elf": "elf-core"}.get(name[:3], name.split("-")[0])
        assert image.path == str(tmp_path / "x")
        assert_regions_hold(image)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/nonexistent/file", "^/nonexistent/file: cannot be opened: No such file or directory$"),
        ("bad\0name", "cannot be opened: (stat: )?embedded null"),
        ("/dev/null", "^/dev/null: is a character device, not a file$"),
        ("pid:", "is not of the form pid:N"),
        ("pid:-1", "is not of the form pid:N"),
        ("pid:4194305", "^pid:4194305: there is no process 4194305$"),
    ],
)
def test_target_that_cannot_be_opened(target, words):
    with pytest.raises(ImageError, match=words):
        open_images(target)


def test_directory(tmp_path):
    (tmp_path / "b.core").write_bytes(CORE)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "z").write_bytes(b"raw")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to("b.core")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        found = opened(tmp_path)
    said = [
        (os.path.relpath(entry.path, tmp_path), entry.format if isinstance(entry, Image) else entry.reason)
        for entry in found
    ]
    assert said == [
        ("a/loop", "is a symbolic link: skipped"),
        ("a/z", "raw"),
        ("b.core", "elf-core"),
        ("fifo", "is a FIFO: skipped"),
        ("link", "is a symbolic link: skipped"),
        ("socket", "is a socket: skipped"),
    ]
    assert all(entry.skipped for entry in found if isinstance(entry, Unreadable))


@pytest.mark.skipif(os.geteuid() == 0, reason="NOT TESTED: root may read everything")
def test_file_without_permission(tmp_path):
    (tmp_path / "a").write_bytes(CORE)
    (tmp_path / "a").chmod(0)
    (tmp_path / "b").write_bytes(CORE)
    first, second = opened(tmp_path)
    assert first == Unreadable(str(tmp_path / "a"), "cannot be opened: Permission denied")
    assert second.format == "elf-core"


def test_a_file_that_vanishes_does_not_stop_the_rest(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(CORE)
    images = open_images(tmp_path)
    next(images)
    (tmp_path / "b").unlink()
    gone, last = images
    assert gone == Unreadable(str(tmp_path / "b"), "cannot be opened: No such file or directory")
    assert last.path.endswith("c")


def test_number_of_files_is_limited(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(CORE)
    found = opened(tmp_path, Limits(max_files=2))
    assert found[2].reason == "holds more than 2 files: the rest is not opened"


def test_open_image_wants_exactly_one(tmp_path):
    with pytest.raises(ImageError, match="holds no image"):
        open_image(tmp_path)
    (tmp_path / "a").write_bytes(CORE)
    (tmp_path / "b").write_bytes(CORE)
    with pytest.raises(ImageError, match="holds more than one image"):
        open_image(tmp_path)


SCRIPT = """
from immure.dumps import open_image
with open_image("-") as image:
    image.settle()
    print(image.path, image.format, image.reader.size, type(image.reader).__name__)
"""


@pytest.mark.parametrize("piped", [True, False])
def test_standard_input(tmp_path, piped):
    (tmp_path / "core").write_bytes(CORE)
    with (tmp_path / "core").open("rb") as stream:
        source = {"input": CORE} if piped else {"stdin": stream}
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, **source)
    reader = "SpoolReader" if piped else "FileReader"
    assert done.stdout.decode() == f"- elf-core {len(CORE)} {reader}\n"


def test_standard_input_that_is_closed():
    done = subprocess.run(["sh", "-c", f"exec '{sys.executable}' -c '{SCRIPT}' <&-"], capture_output=True)
    assert b"ImageError: -: standard input is closed" in done.stderr


def test_fifo_that_is_named(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(CORE,))
    writer.start()
    with open_image(tmp_path / "fifo") as image:
        assert read_all(image.reader) == CORE
    writer.join()


def test_file_that_shrinks_gives_short_reads(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100_000)
    with open_image(path) as image:
        os.truncate(path, 5)
        assert image.reader.read(0, 100) == b"x" * 5
        assert image.reader.read(50_000, 100) == b""
        assert image.reader.read(1 << 62, 1) == b""


def test_holes_are_left_out(tmp_path):
    path = tmp_path / "a"
    with path.open("wb") as stream:
        stream.seek(8 << 20)
        stream.write(b"x" * 4096)
        stream.truncate(64 << 20)
    with open_image(path) as image:
        extents = list(image.reader.extents(0, 64 << 20))
        if extents == [(0, 64 << 20)]:
            pytest.skip("NOT TESTED: this file system does not tell holes")
        assert extents == [(8 << 20, (8 << 20) + 4096)]
        assert list(image.reader.extents(9 << 20, 10 << 20)) == []


def test_read_after_close_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes(CORE)
    reader = FileReader.open(str(tmp_path / "a"))
    reader.close()
    reader.close()
    with pytest.raises(ImageError, match="read after close"):
        reader.read(0, 1)


def test_pieces_of_a_shared_reader(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    shared = SharedReader(FileReader.open(str(tmp_path / "a")))
    pieces = PiecesReader(shared, ((2, 5, 3), (8, 0, 2)), 12)
    shared.release()
    assert pieces.read(0, 99) == b"\0\x00567\0\0\x0001\0\0"
    assert pieces.read(3, 6) == b"67\0\0\x000"
    assert list(pieces.extents(0, 12)) == [(2, 5), (8, 10)]
    pieces.close()
    with pytest.raises(ImageError, match="read after close"):
        shared.reader.read(0, 1)


def test_imports_stay_light():
    code = (
        "import sys, immure.dumps, immure.dumps.open; "
        "print([m for m in ('cryptography', 'lz4', 'zstandard', 'zipfile', 'lzma') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
