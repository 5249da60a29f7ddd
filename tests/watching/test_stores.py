"""Stores of crash dumps and caches of packages, as the programs lay them out that keep them."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from immure.synth.elf import Segment, build_elf_core
from immure.synth.memory import ordinary_memory, plant
from immure.synth.minidump import build_minidump
from scanning.test_shielded import core as shielded_core

from .making import Made, look, places, tar_of, write_tree
from .test_containers import apport, mail, zip_of

SYSTEMD = "core.app.0.6e31f9a0c7d94f5bb3f2d0a8e4b1c6d7.4711.1764460800000000"


@pytest.fixture(scope="module")
def heap(key: Made) -> bytes:
    """Memory with the bare seed of a key in it."""
    memory = ordinary_memory(2 << 20, seed=7)
    plant(memory, 0x81230, key.seed)
    return bytes(memory)


@pytest.fixture(scope="module")
def core(heap: bytes) -> bytes:
    return build_elf_core([Segment(0x7F00_0000_0000, heap)], process=(4711, "app", "app")).data


@pytest.fixture(scope="module")
def minidump(heap: bytes) -> bytes:
    return build_minidump([(0x1_0000_0000, heap)]).data


def test_a_shielded_key_in_the_core_of_an_agent(tmp_path: Path) -> None:
    write_tree(tmp_path, {"core.ssh-agent": shielded_core()})
    (finding,) = look(tmp_path).findings
    (sighting,) = finding.sightings
    assert [spot.encoding for spot in sighting.hit.spots] == ["openssh-shielded"]


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [("", bytes), (".zst", zstandard.compress), (".lz4", lz4.frame.compress), (".xz", lzma.compress)],
)
def test_systemd_coredump(
    tmp_path: Path, key: Made, core: bytes, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    write_tree(tmp_path, {SYSTEMD + suffix: pack(core), "core.other": b"\x7fELF, but no core"})
    assert places(look(tmp_path, keys=(key,))) == {key.name: {SYSTEMD + suffix}}


def test_apport(tmp_path: Path, key: Made, core: bytes) -> None:
    name = "_usr_bin_app.1000.crash"
    write_tree(tmp_path, {name: apport(core), f"{name.removesuffix('crash')}upload": b""})
    assert places(look(tmp_path, keys=(key,))) == {key.name: {f"{name}!CoreDump"}}


def test_windows_error_reporting(tmp_path: Path, key: Made, minidump: bytes) -> None:
    report = "ReportQueue/AppCrash_app.exe_1a2b"
    text = "Version=1\r\nEventType=APPCRASH\r\n".encode("utf-16")
    write_tree(tmp_path, {f"{report}/Report.wer": text, f"{report}/app.exe.mdmp": minidump})
    assert places(look(tmp_path, keys=(key,))) == {key.name: {f"{report}/app.exe.mdmp"}}


def test_an_export_of_sentry(tmp_path: Path, key: Made, other: Made, minidump: bytes) -> None:
    event = {"event_id": "a" * 32, "contexts": {"env": {"KEY": other.pem.decode()}}}
    write_tree(tmp_path, {
        "events/1.json": json.dumps(event).encode(),
        "attachments/upload_file_minidump": gzip.compress(minidump),
        "export.zip": zip_of({"event.json": json.dumps(event).encode(), "minidump.dmp": minidump}),
    })  # fmt: skip
    assert places(look(tmp_path, keys=(key,))) == {
        key.name: {"attachments/upload_file_minidump", "export.zip!minidump.dmp"},
        other.name: {"events/1.json", "export.zip!event.json"},
    }


def test_an_export_of_backtrace(tmp_path: Path, key: Made, minidump: bytes) -> None:
    document = {"attributes": {"hostname": "x"}, "dump": base64.b64encode(minidump).decode()}
    write_tree(tmp_path, {"object.json": json.dumps(document).encode()})
    (place,) = places(look(tmp_path, keys=(key,)))[key.name]
    assert place.startswith("object.json!base64 at 0x")


def test_a_dump_in_a_ticket(tmp_path: Path, key: Made, core: bytes) -> None:
    write_tree(tmp_path, {"INC-1.eml": mail(tar_of({"var/core": core}, "w:gz"), name="core.tgz").as_bytes()})
    assert places(look(tmp_path, keys=(key,))) == {key.name: {"INC-1.eml!core.tgz!var/core"}}


@pytest.mark.parametrize(
    ("name", "pack", "inside"),
    [
        (".cache/pip/http-v2/a/b/c.body", lambda data: zip_of({"pkg/k.pem": data}), "!pkg/k.pem"),
        (".cache/uv/sdists/x-1.tar.gz", lambda data: tar_of({"x-1/k.pem": data}, "w:gz"), "!x-1/k.pem"),
        (
            ".npm/_cacache/content-v2/sha512/ab/cd/ef",
            lambda data: tar_of({"package/k.pem": data}, "w:gz"),
            "!package/k.pem",
        ),
        (
            "conda/pkgs/x.conda",
            lambda data: zip_of({"pkg-x.tar.zst": zstandard.compress(tar_of({"k": data}))}),
            "!pkg-x.tar.zst!k",
        ),
        ("gems/x.gem", lambda data: tar_of({"data.tar.gz": tar_of({"k": data}, "w:gz")}), "!data.tar.gz!k"),
        (
            "m2/x.war",
            lambda data: zip_of({"WEB-INF/lib/y.jar": zip_of({"k.pem": data})}),
            "!WEB-INF/lib/y.jar!k.pem",
        ),
    ],
)  # fmt: skip
def test_caches_of_packages(
    tmp_path: Path, key: Made, name: str, pack: Callable[[bytes], bytes], inside: str
) -> None:
    write_tree(tmp_path, {name: pack(key.pem)})
    assert places(look(tmp_path)) == {key.name: {name + inside}}
