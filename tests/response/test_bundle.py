"""Bundles: whole, checked offline, and whatever is changed in one is noticed."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog import AuditLog, NoteKey, parse_vkey
from immure.custody.signer import Signer
from immure.errors import ImmureError
from immure.response.bundle import export, log_key
from immure.response.bundle_tar import FolderBox, TarBox, TarWriter, copy_out
from immure.response.bundle_verify import Verification, verify_bundle
from immure.response.errors import BundleError
from immure.response.evidence import Collector, Tsa
from immure.response.incident import Incident
from immure.response.timestamp import read_roots
from immure.vault import Vault
from response import tsa as authority
from response.house import Clock, make_key


@pytest.fixture
def full(incident: Incident, tmp_path: Path) -> Incident:
    (tmp_path / "access.log").write_text("line\n")
    (tmp_path / "app.core").write_text("core")
    Collector(incident, "bo", vault=Vault.create(tmp_path / "vault")).collect(tmp_path / "app.core", "image")
    Collector(incident, "bo").collect(tmp_path / "access.log", "log")
    return incident


@pytest.fixture
def public(full: Incident, key: Signer) -> NoteKey:
    return parse_vkey(log_key(full, key))


@pytest.fixture
def bundle(full: Incident, key: Signer, tmp_path: Path) -> Path:
    export(full, tmp_path / "incident.tar", key=key, clock=Clock())
    return tmp_path / "incident.tar"


def results(found: Verification) -> dict[str, str]:
    return {one.what: one.result for one in found.checks}


def rewritten(
    bundle: Path, change: Callable[[str, bytes], bytes | None], more: dict[str, bytes] | None = None
) -> Path:
    """A copy of a bundle in which files are other ones, or gone, or more."""
    target = bundle.with_name("changed.tar")
    with tarfile.open(bundle) as old, target.open("wb") as stream:
        tar = TarWriter(stream)
        for member in old:
            reader = old.extractfile(member)
            assert reader is not None
            data = change(member.name, reader.read())
            if data is not None:
                tar.add_bytes(member.name, data)
        for name, data in (more or {}).items():
            tar.add_bytes(name, data)
        tar.finish()
    return target


def test_a_bundle_that_holds(bundle: Path, full: Incident, public: NoteKey) -> None:
    found = verify_bundle(bundle, key=public)
    assert found.verdict == "holds"
    assert found.name == full.name
    [file] = [name for name in results(found) if name.startswith("evidence/")]
    assert results(found) == {"log": "holds", "timeline": "holds", file: "holds", "app.core": "elsewhere"}
    assert b"core" not in bundle.read_bytes().replace(b"app.core", b"")
    assert verify_bundle(full.folder, key=public).verdict == "holds"
    assert bundle.stat().st_mode & 0o077 == 0


def test_equal_contents_give_equal_bytes(bundle: Path, full: Incident, key: Signer, tmp_path: Path) -> None:
    export(full, tmp_path / "again.tar", key=key, clock=Clock())
    assert (tmp_path / "again.tar").read_bytes() == bundle.read_bytes()


def test_an_incident_that_goes_on_while_it_is_verified(
    full: Incident, public: NoteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added between one file and the next is not counted yet; nothing was altered."""
    pieces, asked = FolderBox.pieces, []

    def adding(self: FolderBox, name: str) -> Iterator[bytes] | None:
        found = pieces(self, name)
        data = None if found is None else list(found)
        if name.startswith("log/"):
            asked.append(name)
            full.add("fact", {"says": f"after {name}"}, actor="ann")
        return None if data is None else iter(data)

    count = len(full.entries())
    monkeypatch.setattr(FolderBox, "pieces", adding)
    found = verify_bundle(full.folder, key=public)
    assert found.verdict == "holds"
    assert asked[:2] == ["log/checkpoint", "log/entries.jsonl"]
    assert f"{count:,} entries, signed by" in next(one.words for one in found.checks if one.what == "log")


def test_a_log_is_not_taken_into_memory(full: Incident) -> None:
    for _ in range(40):
        full.add("fact", {"says": "x" * 200_000}, actor="ann")
    size = (full.folder / "log" / "entries.jsonl").stat().st_size
    box = FolderBox(full.folder)
    tracemalloc.start()
    try:
        assert copy_out(box, "log/entries.jsonl", full.folder / "copy", most=1 << 30)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (full.folder / "copy").stat().st_size == size > 8_000_000
    assert peak < size / 2
    with pytest.raises(BundleError, match=r"entries\.jsonl is longer than 1,000,000 bytes"):
        copy_out(box, "log/entries.jsonl", full.folder / "copy", most=1_000_000)
    assert not copy_out(box, "log/none", full.folder / "copy", most=9)


def test_more_files_than_are_read(
    full: Incident, key: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle that could not be verified is not made."""
    monkeypatch.setattr("immure.response.bundle.MOST_FILES", 4)
    with pytest.raises(BundleError, match="name 1 files, and a bundle that is read has 4 at most"):
        export(full, tmp_path / "many.tar", key=key)
    assert not (tmp_path / "many.tar").exists()
    monkeypatch.setattr("immure.response.bundle.MOST_FILES", 5)
    monkeypatch.setattr("immure.response.bundle_tar.MOST_FILES", 5)
    export(full, tmp_path / "many.tar", key=key)
    assert len(TarBox(tmp_path / "many.tar").names()) == 4


def test_without_a_key_it_is_incomplete(bundle: Path, full: Incident) -> None:
    found = verify_bundle(bundle)
    assert found.verdict == "incomplete"
    assert results(found)["key"] == "not checked"
    assert verify_bundle(full.folder).verdict == "incomplete"


def test_another_key(bundle: Path, tmp_path: Path, full: Incident) -> None:
    other = parse_vkey(log_key(full, make_key(tmp_path, "other.key")))
    found = verify_bundle(bundle, key=other)
    assert found.verdict == "altered"
    assert results(found) == {"log": "altered"}


def test_a_checkpoint_that_was_kept(
    bundle: Path, full: Incident, key: Signer, public: NoteKey, tmp_path: Path
) -> None:
    full.add("fact", {"says": "later"}, actor="ann")
    known = AuditLog.open(full.folder / "log").checkpoint()
    assert verify_bundle(bundle, key=public, known=known).verdict == "altered"  # the bundle is older
    export(full, tmp_path / "newer.tar", key=key)
    assert verify_bundle(tmp_path / "newer.tar", key=public, known=known).verdict == "holds"


@pytest.mark.parametrize(
    ("part", "change", "wrong"),
    [
        ("entries.jsonl", lambda data: data.replace(b"app.core", b"bpp.core"), "log"),
        ("entries.jsonl", lambda data: data[: data.rfind(b"\n", 0, -1) + 1], "log"),
        ("entries.jsonl", lambda data: data + 2 * data.splitlines(keepends=True)[-1], "log"),
        ("entries.jsonl", lambda _: None, "log"),
        ("checkpoint", lambda data: data.replace(b"immure", b"immurf"), "log"),
        ("checkpoint", lambda _: b"", "log"),
        ("access.log", lambda data: data + b"x", "evidence/"),
        ("access.log", lambda _: None, "evidence/"),
    ],
)
def test_what_was_changed(
    bundle: Path, public: NoteKey, part: str, change: Callable[[bytes], bytes | None], wrong: str
) -> None:
    changed = rewritten(bundle, lambda name, data: change(data) if name.endswith(part) else data)
    found = verify_bundle(changed, key=public)
    assert found.verdict == "altered"
    assert next(one.what for one in found.checks if one.result == "altered").startswith(wrong)


def test_a_file_that_nobody_names(bundle: Path, public: NoteKey) -> None:
    changed = rewritten(bundle, lambda _, data: data, {"incident/evidence/more": b"x"})
    found = verify_bundle(changed, key=public)
    assert (found.verdict, results(found)["incident/evidence/more"]) == ("incomplete", "not checked")


def test_evidence_that_was_altered_is_not_exported(full: Incident, key: Signer, tmp_path: Path) -> None:
    [copy] = (full.folder / "evidence").iterdir()
    copy.chmod(0o600)
    copy.write_text("other")
    with pytest.raises(BundleError, match="it was altered"):
        export(full, tmp_path / "b.tar", key=key)
    copy.unlink()
    with pytest.raises(BundleError, match="not there"):
        export(full, tmp_path / "b.tar", key=key)
    assert not (tmp_path / "b.tar").exists()
    with pytest.raises(BundleError, match="No such file"):
        export(full, tmp_path / "nowhere" / "b.tar", key=key)


def test_timestamps(full: Incident, key: Signer, public: NoteKey, tsa: authority.Tsa, tmp_path: Path) -> None:
    roots = read_roots([tsa.ca])
    (tmp_path / "mail.eml").write_text("hello")
    Collector(full, "bo", tsa=Tsa(tsa.url, roots)).collect(tmp_path / "mail.eml", "message")
    bundle = tmp_path / "stamped.tar"
    export(full, bundle, key=key, tsa=Tsa(tsa.url, roots))
    found = verify_bundle(bundle, key=public, roots=roots)
    stamps = [one for one in found.checks if one.what.endswith(".tsr")]
    assert [one.result for one in stamps] == ["holds", "holds"]
    assert found.verdict == "holds"
    assert verify_bundle(bundle, key=public).verdict == "incomplete"
    assert verify_bundle(bundle, key=public, roots=read_roots([tsa.other_ca])).verdict == "altered"
    swapped = rewritten(
        bundle, lambda name, data: tsa.answers[0] if name.endswith("checkpoint.tsr") else data
    )
    assert results(verify_bundle(swapped, key=public, roots=roots))["checkpoint.tsr"] == "altered"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda tar: tar.addfile(tarfile.TarInfo("incident/../x")), "odd name"),
        (lambda tar: tar.addfile(tarfile.TarInfo("/x")), "odd name"),
        (lambda tar: tar.addfile(_info("incident/x", tarfile.SYMTYPE)), "no regular file"),
        (lambda tar: tar.addfile(_info("incident/x", tarfile.LNKTYPE)), "no regular file"),
        (lambda tar: tar.addfile(_info("incident", tarfile.DIRTYPE)), "no regular file"),
        (lambda tar: [tar.addfile(tarfile.TarInfo("incident/x")) for _ in "ab"], "twice"),
        (lambda tar: tar.addfile(_info("incident/" + "x" * 120 + "/y")), "no regular file"),
    ],
)
def test_archives_that_are_no_bundle(
    tmp_path: Path, make: Callable[[tarfile.TarFile], None], words: str
) -> None:
    path = tmp_path / "b.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        make(tar)
    with pytest.raises(BundleError, match=words):
        verify_bundle(path)


def _info(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, "incident/manifest.json"
    return made


@pytest.mark.parametrize("data", [b"", b"x", bytes(511), bytes(1024), b"x" * 4096])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(data)
    with pytest.raises(BundleError):
        verify_bundle(tmp_path / "b.tar")


def test_cut_short(bundle: Path, public: NoteKey) -> None:
    whole = bundle.read_bytes()
    cut = bundle.with_name("cut.tar")
    for length in range(0, len(whole.rstrip(b"\0")), 700):  # then come blocks of nothing
        cut.write_bytes(whole[:length])
        try:
            assert verify_bundle(cut, key=public).verdict != "holds"
        except BundleError:
            continue
    with pytest.raises(BundleError, match="No such file"):
        verify_bundle(bundle.with_name("nowhere"))


_NAMES = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,20}){0,3}\Z")


@given(st.dictionaries(_NAMES, st.binary(max_size=1500), max_size=6))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    path = tmp_path_factory.mktemp("tar") / "b.tar"
    with path.open("wb") as stream:
        tar = TarWriter(stream)
        for name, data in files.items():
            tar.add_bytes(name, data)
        tar.finish()
    box = TarBox(path)
    try:
        assert {name: b"".join(box.pieces(name) or ()) for name in box.names()} == files
        assert box.pieces("nowhere/at-all") is None
    finally:
        box.close()
    with tarfile.open(path) as plain:
        assert sorted(plain.getnames()) == sorted(files)


@given(st.binary(max_size=2000), st.integers(0, 20_000))
@settings(max_examples=60, deadline=None)
def test_foreign_bytes_in_a_bundle(tmp_path_factory: pytest.TempPathFactory, junk: bytes, place: int) -> None:
    """Bytes put anywhere: an answer or an error of ours."""
    made = io.BytesIO()
    tar = TarWriter(made)
    tar.add_bytes(
        "incident/manifest.json", b'{"schema":"https://immure.example/schemas/incident-bundle-1.json"}'
    )
    tar.add_bytes("incident/log/checkpoint", b"x")
    tar.add_bytes("incident/log/entries.jsonl", b"{}")
    tar.finish()
    whole = bytearray(made.getvalue())
    place %= len(whole)
    whole[place : place + len(junk)] = junk
    path = tmp_path_factory.mktemp("tar") / "b.tar"
    path.write_bytes(whole)
    try:
        assert verify_bundle(path).verdict != "holds"
    except ImmureError:
        return
