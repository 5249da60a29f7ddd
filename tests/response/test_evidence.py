"""Evidence: copied with its digest, once; images are sealed; key sets are public."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from immure.custody.signer import Signer
from immure.response.errors import EvidenceError, FormError, IncidentError, TimestampError
from immure.response.evidence import EVIDENCE_KINDS, Collector, Tsa, file_name
from immure.response.incident import Incident
from immure.response.key_set_snapshot import check_snapshot
from immure.response.named_files import files_in, named_files
from immure.response.timestamp import check_stamp, read_roots
from immure.vault import Vault
from response import tsa as authority


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(b"line\n" * 100)
    return path


def test_a_copy(incident: Incident, log: Path) -> None:
    entry = Collector(incident, "bo").collect(log, "log")
    digest = hashlib.sha256(log.read_bytes()).hexdigest()
    assert entry.body["sha256"] == digest
    assert entry.body["size"] == 500
    assert entry.source == str(log)
    copy = incident.folder / str(entry.body["file"])
    assert copy.read_bytes() == log.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o400
    assert [one.name for one in (incident.folder / "evidence").iterdir()] == [f"{digest[:16]}-access.log"]


def test_nothing_is_taken_twice(incident: Incident, log: Path, tmp_path: Path) -> None:
    collector = Collector(incident, "bo")
    first = collector.collect(log, "log")
    assert collector.collect(log, "log") == first
    other = tmp_path / "b" / "access.log"
    other.parent.mkdir()
    other.write_bytes(log.read_bytes())
    assert collector.collect(other, "log") != first  # the same bytes, from another place
    log.write_bytes(b"more")
    assert collector.collect(log, "log").body["size"] == 4
    assert len(named_files(incident.entries())) == 2


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("access.log", "access.log"), ("../../x y", "x_y"), ("a/b\\c\n", "b_c_"), ("\u00e9", "_"), ("", "file")],
)
def test_names_are_harmless(name: str, wanted: str) -> None:
    assert file_name(name, 64 * "a") == f"{16 * 'a'}-{wanted}"


def test_what_cannot_be_taken(incident: Incident, log: Path, tmp_path: Path) -> None:
    collector = Collector(incident, "bo")
    with pytest.raises(FormError, match="no kind of evidence"):
        collector.collect(log, "rumour")
    with pytest.raises(FormError, match="name a vault"):
        collector.collect(log, "image")
    with pytest.raises(EvidenceError, match="No such file"):
        collector.collect(tmp_path / "nowhere", "log")
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", tmp_path):
        with pytest.raises(EvidenceError, match=r"no regular file|Is a directory"):
            collector.collect(odd, "log")
    with pytest.raises(FormError, match="of this sort"):
        collector.collect_bytes(b"", "image", name="a", source="b")
    assert len(incident.entries()) == 2
    assert set(EVIDENCE_KINDS) >= {"image", "log", "configuration", "jwks"}


def test_images_are_sealed(incident: Incident, log: Path, tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "vault")
    entry = Collector(incident, "bo", vault=vault).collect(log, "image", name="app.core")
    assert entry.body["file"] is None
    assert entry.body["vault"] == {
        "directory": str(tmp_path / "vault"),
        "id": f"sha256:{entry.body['sha256']}",
    }
    assert list((incident.folder / "evidence").iterdir()) == []
    assert [one.name for one in vault.list()] == ["app.core"]
    assert list(files_in(2, entry.body)) == []


def test_key_sets_are_public(incident: Incident, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}))
    assert Collector(incident, "bo").collect(path, "jwks").body["kind"] == "jwks"
    path.write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}]}))
    with pytest.raises(EvidenceError, match="private key"):
        Collector(incident, "bo").collect(path, "jwks")
    assert len(list((incident.folder / "evidence").iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ("[" * 5000, "no JSON"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "private key"),
        ('{"a": {"b": [{"kty": "EC", "d": ""}]}}', "private key"),
        (" " * (17 << 20), "more than"),
    ],
)
def test_key_sets_that_are_none(text: str, words: str) -> None:
    with pytest.raises(EvidenceError, match=words):
        check_snapshot(text.encode(), "jwks.json")


def test_a_timestamp_beside_it(incident: Incident, log: Path, tsa: authority.Tsa) -> None:
    roots = read_roots([tsa.ca])
    plain = Collector(incident, "bo").collect(log, "log")
    stamped = Collector(incident, "bo", tsa=Tsa(tsa.url, roots)).collect(log, "log")
    assert plain.body["timestamp"] is None
    [own, answer] = list(files_in(3, stamped.body))
    assert (own.stamped, answer.stamped) == (None, own.sha256)
    data = (incident.folder / answer.path).read_bytes()
    assert check_stamp(data, bytes.fromhex(own.sha256), roots=roots).trusted
    with pytest.raises(TimestampError):
        Collector(incident, "bo", tsa=Tsa("http://127.0.0.1:9")).collect_bytes(
            b"x", "message", name="m", source="s"
        )
    assert len(incident.entries()) == 4


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "evidence/../x", "evidence/.x", "log/entries.jsonl", "evidence/a/", "evidence"],
)
def test_entries_that_name_files_elsewhere(path: str) -> None:
    with pytest.raises(IncidentError, match="none of an incident"):
        list(files_in(0, {"a": [{"file": path, "sha256": 64 * "0"}]}))


def test_one_file_with_two_digests(incident: Incident, key: Signer) -> None:
    for digest in "01":
        incident.add("fact", {"file": "work/a.json", "sha256": 64 * digest}, actor="ann")
    with pytest.raises(IncidentError, match="two digests"):
        named_files(incident.entries())
