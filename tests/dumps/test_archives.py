"""Images in tar and zip archives, and archives that mean harm."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import random
import shutil
import subprocess
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps import Image, Unreadable, open_images
from immure.dumps.limits import Limits
from immure.synth import ordinary_memory

from .helpers import MEMORY, assert_regions_hold, opened, read_all, samples

CORE = samples()["elf64"]
_DESCRIPTOR = b"PK\x07\x08"


def tar_of(*members: tuple[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def look(tmp_path, data: bytes, limits: Limits | None = None) -> list[tuple[str, object]]:
    """(member, its bytes or what was said of it), in order."""
    path = tmp_path / "archive"
    path.write_bytes(data)
    found: list[tuple[str, object]] = []
    for entry in open_images(path, limits=limits):
        name = entry.path.removeprefix(str(path))
        if isinstance(entry, Unreadable):
            found.append((name, entry.reason))
            continue
        with entry:
            content = read_all(entry.reader)
            entry.settle()
            assert_regions_hold(entry)
            found.append((name, entry.missing[0].reason if entry.missing else content))
    return found


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compress", [lambda data: data, gzip.compress, bz2.compress])
def test_tar(tmp_path, form, compress):
    long = "deep/" * 19 + "n" * 60 if form == tarfile.USTAR_FORMAT else "deep/" * 60 + "ü"
    data = compress(tar_of(("app.core", CORE), (long, b"text"), ("empty", b""), form=form))
    assert look(tmp_path, data) == [("!app.core", CORE), (f"!{long}", b"text"), ("!empty", b"")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip(tmp_path, method):
    data = zip_of(("app.core", CORE), ("b", b"text" * 1000), method=method)
    assert look(tmp_path, data) == [("!app.core", CORE), ("!b", b"text" * 1000)]
    assert look(tmp_path, gzip.compress(data)) == [("!app.core", CORE), ("!b", b"text" * 1000)]


def test_formats_and_codecs_inside(tmp_path):
    (tmp_path / "a").write_bytes(tar_of(("dump.gz", gzip.compress(CORE)), ("m", samples()["avml"])))
    images = opened(tmp_path / "a")
    assert [(image.path[-9:], image.format) for image in images] == [
        ("a!dump.gz", "elf-core"),
        (f"{tmp_path}/a!m"[-9:], "avml"),
    ]


def test_members_stay_readable_after_the_walk(tmp_path):
    (tmp_path / "a").write_bytes(tar_of(("x", CORE), ("y", MEMORY)))
    images = list(open_images(tmp_path / "a"))
    assert [read_all(image.reader) for image in images] == [CORE, MEMORY]
    shared = images[0].reader._shared
    for image in images:
        image.close()
    assert shared.reader._descriptor == -1


def test_archives_in_archives(tmp_path):
    inner = zip_of(("t", tar_of(("core", CORE))))
    assert look(tmp_path, tar_of(("z", inner)), Limits(max_nesting=2)) == [("!z!t!core", CORE)]
    [(name, said)] = look(tmp_path, tar_of(("z", inner)))
    assert name == "!z!t"
    assert "tar inside so many others is not opened" in said
    [(name, said)] = look(tmp_path, inner, Limits(max_nesting=0))
    assert name == "!t"


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_tar_members_without_bytes(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(special("soft", tarfile.SYMTYPE, "/etc/shadow"))
        archive.addfile(special("hard", tarfile.LNKTYPE, "../../etc/shadow"))
        archive.addfile(special("device", tarfile.CHRTYPE))
        archive.addfile(special("fifo", tarfile.FIFOTYPE))
        archive.addfile(special("directory", tarfile.DIRTYPE))
    assert look(tmp_path, out.getvalue()) == [
        ("!soft", "is a symbolic link: skipped"),
        ("!hard", "is a hard link: skipped"),
        ("!device", "is a character device: skipped"),
        ("!fifo", "is a FIFO: skipped"),
    ]


def test_names_that_climb_are_only_names(tmp_path):
    data = tar_of(("../../../../tmp/immure-evil", b"x"), ("/etc/immure-evil", b"y"), ("\x1b[2J", b"z"))
    assert [name for name, _ in look(tmp_path, data)] == [
        "!../../../../tmp/immure-evil",
        "!/etc/immure-evil",
        "!\\x1b[2J",
    ]
    assert not os.path.exists("/etc/immure-evil")


@pytest.mark.skipif(not shutil.which("tar"), reason="NOT TESTED: needs GNU tar")
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_members(tmp_path, form):
    source = tmp_path / "sparse"
    with source.open("wb") as stream:
        for place in range(30):  # more pieces than fit into the first header
            stream.seek(place << 20)
            stream.write(bytes([place + 1]) * 4096)
        stream.truncate(32 << 20)
    subprocess.run(
        ["tar", "-S", f"--format={form}", "-C", tmp_path, "-cf", tmp_path / "a.tar", "sparse"], check=True
    )
    if (tmp_path / "a.tar").stat().st_size > 16 << 20:
        pytest.skip("NOT TESTED: this file system does not tell holes")
    [image] = opened(tmp_path / "a.tar")
    assert image.path.endswith("a.tar!sparse")
    assert read_all(image.reader) == source.read_bytes()
    assert sum(stop - start for start, stop in image.reader.extents(0, 32 << 20)) <= 30 * 8192


@pytest.mark.parametrize(
    ("head", "words"),
    [(tar_of(("a", CORE)), None), (gzip.compress(CORE), "what follows is no gzip but zeros: not searched")],
)
def test_a_hole_of_terabytes_behind_takes_no_time(tmp_path, head, words):
    with (tmp_path / "a").open("wb") as stream:
        stream.write(head)
        stream.truncate(4 << 40)
    [image] = opened(tmp_path / "a")
    assert read_all(image.reader) == CORE
    assert [missing.reason[: len(words or "")] for missing in image.missing] == ([words] if words else [])


def rewritten(data: bytes, at: int, field: bytes) -> bytes:
    """A tar header changed, its checksum put right."""
    header = bytearray(data[:512])
    header[at : at + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


ONE = tar_of(("a", b"x" * 1000))
HOSTILE_TARS = [
    ("cut in a member", ONE[:900], [("!a", "the archive ends 612 bytes before the end of this member")]),
    (
        "size of 8 GiB",
        rewritten(ONE, 124, b"77777777777\0"),
        [("!a", "the archive ends 8589924863 bytes before the end of this member")],
    ),
    (
        "size beyond any file",
        rewritten(ONE, 124, b"\x80" + b"\xff" * 11),
        [("!(offset 0x0)", "a tar header with a size beyond any file: the rest is not opened")],
    ),
    (
        "negative size",
        rewritten(ONE, 124, b"\xff" * 12),
        [("!(offset 0x0)", "a tar header with a size beyond any file: the rest is not opened")],
    ),
    (
        "size that is no number",
        rewritten(ONE, 124, b"12x45678901\0"),
        [("!(offset 0x0)", "a tar header with a broken number: the rest is not opened")],
    ),
    (
        "garbage behind",
        ONE + b"garbage" * 100,
        [
            ("!a", b"x" * 1000),
            (f"!(offset {len(ONE):#x})", "no tar header where one is due: the rest is not opened"),
        ],
    ),
    ("two archives", ONE + tar_of(("b", b"y")), [("!a", b"x" * 1000), ("!b", b"y")]),
    (
        "a pax header of a gigabyte",
        rewritten(rewritten(ONE, 156, b"x"), 124, b"10000000000\0"),
        [("!(offset 0x0)", "an extension header of 1073741824 bytes: the rest is not opened")],
    ),
    (
        "a broken pax header",
        rewritten(ONE, 156, b"x"),
        [("!(offset 0x0)", "a broken pax header: the rest is not opened")],
    ),
]


@pytest.mark.parametrize(("what", "data", "expected"), HOSTILE_TARS, ids=[row[0] for row in HOSTILE_TARS])
def test_hostile_tar(tmp_path, what, data, expected):
    assert look(tmp_path, data) == expected


def test_compressed_tar_that_breaks_off(tmp_path):
    data = gzip.compress(tar_of(("a", CORE), ("b", bytes(ordinary_memory(300_000, seed=3)))))
    found = look(tmp_path, data[: len(data) // 2])
    assert found[0] == ("!a", CORE)
    assert found[1][0] == "!b"
    assert "before the end of this member" in found[1][1]
    assert found[2][1].startswith("the archive breaks off: the gzip stream is cut short")


def test_zip_members_that_are_not_opened(tmp_path):
    data = bytearray(zip_of(("secret", b"x" * 100), method=zipfile.ZIP_STORED))
    for at in (6, data.index(b"PK\x01\x02") + 8):  # general purpose flags
        data[at] |= 1
    assert look(tmp_path, bytes(data)) == [("!secret", "is encrypted: not opened")]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/shadow")
        archive.writestr("lzma", b"x", zipfile.ZIP_LZMA)
    assert look(tmp_path, out.getvalue()) == [
        ("!link", "is a link or device: skipped"),
        ("!lzma", "is compressed by method 14, which is not supported"),
    ]


def test_zip_damage(tmp_path):
    data = bytearray(zip_of(("a", CORE), method=zipfile.ZIP_DEFLATED))
    data[200] ^= 0xFF
    [(_, said)] = look(tmp_path, bytes(data))
    assert "corrupt" in said or "checksum differs" in said
    stored = bytearray(zip_of(("a", CORE), method=zipfile.ZIP_STORED))
    stored[0:4] = b"PK\x03\x03"
    assert look(tmp_path, b"PK\x03\x04" + bytes(stored[4:])) == [("!a", CORE)]


def without_directory(data):
    return data[: data.index(b"PK\x01\x02")]


def streamed_zip(*members):
    """As a program writes it that cannot seek: sizes stand behind the bytes."""

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("build", [zip_of, streamed_zip])
def test_zip_that_is_cut_short_is_read_as_far_as_it_goes(tmp_path, build):
    noise = random.Random(1).randbytes(5000)
    members = [("a", CORE), ("d/", b""), ("b", noise + _DESCRIPTOR * 50 + noise), ("c", CORE)]
    data = without_directory(build(*members))
    *found, (path, said), (raw, content) = look(tmp_path, data)
    assert found == [(f"!{name}", content) for name, content in members if content]
    assert said.endswith(": members were sought by their own headers")
    assert (path, raw, content) == ("", "", data)  # what no member claims is searched as well
    *found, _, _ = look(tmp_path, data[: data.rindex(b"PK\x03\x04") + 100])
    assert found[:2] == [("!a", CORE), ("!b", members[2][1])]
    assert found[2][0] == "!c"
    assert "cut short" in found[2][1] or "ends before the end" in found[2][1]


def test_zip_full_of_descriptors_is_not_looked_at_again_for_each(tmp_path):
    header = without_directory(streamed_zip(("a", b"x")))[:30]
    look(tmp_path, header + b"a" + _DESCRIPTOR * 500_000)  # for each would take hours


def test_what_begins_like_a_zip_and_is_none_is_searched_as_it_is(tmp_path):
    data = b"PK\x03\x04" + bytes(10)
    (path, said), (raw, content) = look(tmp_path, data)
    assert "the zip directory cannot be read" in said
    assert (path, raw, content) == ("", "", data)


def test_bombs_are_bounded(tmp_path):
    limits = Limits(max_apparent_bytes=8 << 20)
    zeros = zip_of(("bomb", bytes(9 << 20)))
    [(_, said)] = look(tmp_path, zeros, limits)
    assert said == "more than 8388608 bytes come out of the stream"
    many = zip_of(*[(f"{n}", bytes(3 << 20)) for n in range(5)])
    found = look(tmp_path, many, limits)
    assert [name for name, _ in found] == ["!0", "!1", "!2", ""]
    assert found[-1][1] == "holds more than 8388608 bytes: the rest is not opened"


def test_members_that_overlap_are_bounded(tmp_path):
    limits = Limits(max_stored_bytes=1 << 20, max_archive_ratio=10)
    many = zip_of(*[(f"{n}", b"a" * (900 << 10)) for n in range(9)])
    found = look(tmp_path, many, limits)
    assert [name for name, _ in found] == ["!0", "!1", ""]
    assert (
        found[-1][1]
        == "holds 1966080 non-zero bytes, more than 10 times its own size: the rest is not opened"
    )


def test_a_member_without_a_name(tmp_path):
    # found by fuzzing: the standard library's is_dir() raises IndexError
    data = bytes.fromhex(
        "504b0304140000000000000021000000000001000000010000000000000078"
        "504b0102140014000000000000002100000000000100000001000000000000000000000000000000000000000000"
        "504b050600000000010001002e0000001f0000000000"
    )  # fmt: skip
    [(name, said)] = look(tmp_path, data)
    assert (name, said) == ("!(no name)", b"x")


def test_number_of_members_is_limited(tmp_path):
    members = [(f"{n}", b"x") for n in range(9)]
    for data in (tar_of(*members), zip_of(*members)):
        found = look(tmp_path, data, Limits(max_members=4))
        assert len(found) == 5
        assert found[-1][1] == "holds more than 4 members: the rest is not opened"


@pytest.mark.parametrize(
    "archive",
    [
        tar_of(("a", CORE), ("b" * 150, b"x" * 700), form=tarfile.GNU_FORMAT),
        tar_of(("a", CORE), ("b" * 150, b"x" * 700), form=tarfile.PAX_FORMAT),
        zip_of(("a", CORE), ("b", b"x" * 700)),
    ],
    ids=["gnu", "pax", "zip"],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_is_survived(archive, data, tmp_path_factory):
    damaged = bytearray(archive)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    if data.draw(st.booleans()):
        del damaged[cut:]
    look(tmp_path_factory.mktemp("d"), bytes(damaged), Limits(max_apparent_bytes=1 << 24))


def test_all_entries_are_values(tmp_path):
    (tmp_path / "a").write_bytes(tar_of(("a", CORE)))
    assert all(isinstance(entry, Image | Unreadable) for entry in opened(tmp_path))
