"""Files that hold other files: what is in them is found, whatever it is wrapped in."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import mailbox
import quopri
import shutil
import subprocess
import zipfile
from email.message import EmailMessage
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps.readers import BytesReader
from immure.watching.containers.base64_stream import base64 as decode
from immure.watching.containers.base64_stream import quoted_printable
from immure.watching.containers.encoded import LEAST, LONG
from immure.watching.unfold import Budget, Leaf, unfold

from .making import Made, look, places, tar_of, write_tree


def inside(data: bytes) -> dict[str, bytes]:
    """What unfolds, by its place; each must be without fault."""
    found = {}
    for leaf in unfold(BytesReader(data)):
        assert isinstance(leaf, Leaf), leaf
        leaf.image.settle()
        assert not leaf.image.missing
        found[leaf.inside] = leaf.image.reader.read(0, leaf.image.reader.size or 0)
        leaf.image.close()
    return found


def mail(*attachments: bytes, text: str = "hello\n", name: str = "dump.bin") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Date"], message["Subject"] = "a@example", "today", "a dump"
    message.set_content(text, cte="quoted-printable" if not text.isascii() else None)
    for data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message


def ar_of(files: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in files.items():
        out += (
            f"{name:16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode()
            + data
            + b"\n" * (len(data) % 2)
        )
    return out


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def apport(core: bytes) -> bytes:
    packed = gzip.compress(core)
    lines = [base64.b64encode(packed[at : at + 1000]).decode() for at in range(0, len(packed), 1000)]
    head = b"ProblemType: Crash\nArchitecture: amd64\nDate: today\nExecutablePath: /usr/bin/x\n"
    return head + b"CoreDump: base64\n " + "\n ".join(lines).encode() + b"\nUname: Linux\n"


WRAPPED = {
    "a message": lambda data: mail(data).as_bytes(),
    "a forwarded message": lambda data: _forwarded(data),
    "an archive in a message": lambda data: mail(tar_of({"a/b": data}, "w:gz"), name="x.tgz").as_bytes(),
    "a wheel": lambda data: zip_of({"pkg/a.py": b"x = 1\n", "pkg/key": data}),
    "an npm package": lambda data: tar_of({"package/key": data}, "w:gz"),
    "a Debian package": lambda data: ar_of({
        "debian-binary": b"2.0\n", "control.tar.xz": lzma.compress(tar_of({"control": b"x"})),
        "data.tar.zst": zstandard.compress(tar_of({"./etc/key": data})),
    }),
    "a report of Apport": apport,
    "a ticket with an attachment": lambda data: json.dumps(
        {"id": 1, "attachments": [{"name": "x", "content": base64.b64encode(data + bytes(LONG)).decode()}]}
    ).encode(),
    "a Kubernetes secret": lambda data: b"kind: Secret\ndata:\n  key: " + base64.b64encode(data) + b"\n",
    "a zip of a message": lambda data: zip_of({"mail.eml": mail(data).as_bytes()}),
    "a core in xz": lzma.compress, "a core in lz4": lz4.frame.compress, "a core in bzip2": bz2.compress,
    "a zip in a tar in a zip": lambda data: zip_of({"a.tar": tar_of({"b.zip": zip_of({"key": data})})}),
}  # fmt: skip


def _forwarded(data: bytes) -> bytes:
    outer = mail()
    outer.add_attachment(mail(data))
    return outer.as_bytes()


@pytest.mark.parametrize("wrapped", WRAPPED, ids=lambda name: name.replace(" ", "-"))
def test_a_key_is_found_in(wrapped: str, tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"item": WRAPPED[wrapped](b"core" + bytes(60) + key.pem)})
    result = look(tmp_path)
    assert result.complete, result.runs[0].troubles
    assert list(places(result)) == [key.name]


def test_a_raw_seed_is_found_in_each_of_them(tmp_path: Path, key: Made) -> None:
    write_tree(
        tmp_path, {f"{n}": wrap(bytes(64) + key.seed + bytes(64)) for n, wrap in enumerate(WRAPPED.values())}
    )
    result = look(tmp_path, keys=(key,))
    assert len({path.partition("!")[0] for path in places(result)[key.name]}) == len(WRAPPED)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="NOT TESTED: needs dpkg-deb (package dpkg)")
def test_a_package_that_dpkg_made(tmp_path: Path, key: Made) -> None:
    write_tree(
        tmp_path / "p",
        {
            "DEBIAN/control": b"Package: x\nVersion: 1\nArchitecture: all\n"
            b"Maintainer: a <a@a>\nDescription: x\n",
            "etc/key.pem": key.pem,
        },
    )
    (tmp_path / "out").mkdir()
    subprocess.run(["dpkg-deb", "--build", "p", "out/x.deb"], cwd=tmp_path, check=True, capture_output=True)
    (path,) = places(look(tmp_path / "out"))[key.name]
    assert path.startswith("x.deb!data.tar.")
    assert path.endswith("!./etc/key.pem")


def test_a_mailbox_that_the_standard_library_wrote(tmp_path: Path, key: Made, other: Made) -> None:
    box = mailbox.mbox(tmp_path / "box")
    box.add(mail(key.der, text="From the beginning\n\nFrom here\n"))
    box.add(mail(b"nothing", name="b"))
    box.add(mail(bytes(10) + other.der, name="c"))
    box.flush()
    box.close()
    found = places(look(tmp_path))
    assert "box!dump.bin" in found[key.name]
    assert "box!c" in found[other.name]


def test_quoted_printable_text_is_decoded(tmp_path: Path, key: Made) -> None:
    body = quopri.encodestring(key.pem, quotetabs=True)
    head = b"From: a\nDate: b\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
    write_tree(tmp_path, {"a.eml": head + body.replace(b"-----BEGIN", b"=2D----BEGIN")})
    assert "a.eml!part 1" in places(look(tmp_path))[key.name]


def test_names_and_order_of_parts() -> None:
    message = mail(b"\0one", b"\0two", text="ä\n")
    found = [leaf for leaf in unfold(BytesReader(message.as_bytes())) if isinstance(leaf, Leaf)]
    assert [leaf.inside for leaf in found] == ["", "!part 1", "!dump.bin", "!dump.bin"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000), st.sampled_from([60, 64, 76, 0]), st.sampled_from(["\n", "\r\n"]))
def test_base64_comes_out_as_it_went_in(data: bytes, width: int, end: str) -> None:
    text = base64.b64encode(data).decode()
    if width:
        text = end.join(text[at : at + width] for at in range(0, len(text), width))
    encoded = text.encode()
    assert b"".join(decode(BytesReader(encoded), 0, len(encoded))) == data


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_quoted_printable_comes_out_as_it_went_in(data: bytes) -> None:
    encoded = quopri.encodestring(data)
    assert b"".join(quoted_printable(BytesReader(encoded), 0, len(encoded))) == quopri.decodestring(encoded)


@pytest.mark.parametrize("gap", [0, 1, 2, 3, 59, 60, 61, 64])
def test_a_run_across_the_end_of_what_is_read_at_a_time_is_one(gap: int) -> None:
    data = b"\x7fELF" + bytes(range(256)) * 6000
    text = b'{"a": "x",' + b" " * ((1 << 20) - 100 - gap) + b'"b": "' + base64.b64encode(data) + b'"}'
    (name,) = [name for name in inside(text) if name]
    assert inside(text)[name] == data


def test_json_escapes_and_folded_lines() -> None:
    data = bytes(range(256)) * 40
    lines = base64.encodebytes(data).decode()
    for text in (
        json.dumps({"a": lines}),
        json.dumps({"a": base64.b64encode(data).decode()}).replace("/", "\\/"),
        "k: |\n    " + lines.replace("\n", "\n    ").rstrip() + "\n\nnext: 1\n",
    ):
        (found,) = [value for name, value in inside(text.encode()).items() if name]
        assert found == data


def test_short_runs_and_bodies_of_pem_are_no_parts(key: Made) -> None:
    assert list(inside(b"text\n" + key.pem)) == [""]
    assert list(inside(b'{"digest": "' + b"a" * (LEAST - 1) + b'"}')) == [""]


def test_parts_of_libraries_have_long_names() -> None:
    table = b"a_very_long_name_of_a_member.o/\nanother_very_long_name.o/\n"
    data = ar_of({"/": b"symbols", "//": table, "/0": b"\0one", "/32": b"\0two", "short.o/": b"\0three"})
    assert inside(data) == {
        "!a_very_long_name_of_a_member.o": b"\0one",
        "!another_very_long_name.o": b"\0two",
        "!short.o": b"\0three",
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (ar_of({"a": b"\0x"}) + b"rubbish" * 20, "no ar header"),
        (ar_of({"a": b"\0" * 100})[:100], "ends before the end"),
        (zip_of({"a": b"text"})[:-10], "zip directory"),
        (mail(gzip.compress(bytes(5000))[:-8]).as_bytes(), "cut short"),
    ],
)
def test_what_is_broken_is_told(data: bytes, reason: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"item": data})
    result = look(tmp_path)
    assert not result.complete
    assert any(reason in trouble.reason for trouble in result.runs[0].troubles), result.runs[0].troubles


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a": b"text" * 100}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    write_tree(tmp_path, {"a.zip": bytes(data)})
    assert [trouble.reason for trouble in look(tmp_path).runs[0].troubles] == ["is encrypted: not opened"]


def test_what_has_no_end_is_given_one() -> None:
    bomb = zip_of({f"{n}": b"x" for n in range(100)})
    found = list(unfold(BytesReader(bomb), budget=Budget(images=10)))
    assert sum(isinstance(leaf, Leaf) for leaf in found) == 10
    assert "more than is opened" in getattr(found[-1], "reason", "")


def test_containers_in_containers_have_an_end() -> None:
    data = b"\0core"
    for _ in range(10):
        data = mail(data).as_bytes()
    found = list(unfold(BytesReader(data)))
    assert len(found) < 20
    assert "the limit" in getattr(found[-1], "reason", "")


def test_a_boundary_that_is_missing_and_one_that_repeats() -> None:
    text = mail(b"\0one", b"\0two").as_bytes()
    boundary = text.split(b'boundary="')[1].split(b'"')[0]
    assert len(inside(text.replace(b"--" + boundary + b"--", b""))) == 2, "both parts have one name"
    for broken in (text.replace(boundary, b""), text * 3, text.replace(b"\n", b"\r")):
        assert inside(broken)[""] == broken
