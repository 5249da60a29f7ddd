"""Proofs to hand out: complete in themselves, and worth nothing once a byte is another one."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog import AuditLog, NoteKey, Verified, verify_log
from immure.auditlog.checkpoint import sign_checkpoint
from immure.auditlog.prooffile import MAX_PROOF_BYTES, ProofFile, parse_proof, prove
from immure.auditlog.report import SCHEMA_ID, read_schema, to_json, verdict
from immure.auditlog.tree import leaf_hash
from immure.errors import LogError

from .helpers import KEY, ORIGIN, SIGNER, SoftwareSigner, error_of, make_log


@pytest.fixture(scope="module")
def log(module_path: Path) -> AuditLog:
    return make_log(module_path, 11)


@pytest.fixture(scope="module")
def proof(log: AuditLog) -> bytes:
    return prove(log, 5).to_bytes()


def test_every_entry_can_be_proved(log: AuditLog) -> None:
    for entry in log.entries():
        data = prove(log, entry.index).to_bytes()
        assert parse_proof(data).verify(KEY) == parse_proof(data).verify(SIGNER.public_key) == entry
    with pytest.raises(LogError, match="there is no entry 11"):
        prove(log, 11)


def test_the_form(log: AuditLog, proof: bytes) -> None:
    head, checkpoint = proof.split(b"\n\n", 1)
    lines = head.decode().split("\n")
    line = (Path(log._storage.directory) / "entries.jsonl").read_bytes().split(b"\n")[5]
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == f"extra {base64.b64encode(line).decode()}"
    assert lines[2] == "index 5"
    hashes = [base64.b64decode(text) for text in lines[3:]]
    assert hashes == list(log.inclusion_proof(5).hashes)
    assert checkpoint == log.checkpoint().note


def test_a_proof_stays_good_while_the_log_goes_on(tmp_path: Path) -> None:
    log = make_log(tmp_path, 1)
    data = prove(log, 0).to_bytes()
    log.append("a", {"number": 1})
    assert parse_proof(data).verify(KEY).index == 0
    assert b"\nindex 0\n\n" in data  # alone in its tree


def test_every_altered_byte_is_noticed(proof: bytes) -> None:
    for position in range(len(proof)):
        for change in (0x01, 0x80):
            altered = bytearray(proof)
            altered[position] ^= change
            assert error_of(lambda data=bytes(altered): parse_proof(data).verify(KEY)), position  # type: ignore[misc]


def test_a_proof_of_another_entry_place_or_log(log: AuditLog, proof: bytes) -> None:
    good, other = parse_proof(proof), prove(log, 6)
    cases = [
        ProofFile(other.line, good.proof, good.checkpoint),
        ProofFile(good.line, other.proof, good.checkpoint),
        ProofFile(good.line, good.proof, sign_checkpoint(ORIGIN, 11, leaf_hash(b"other"), SIGNER)),
    ]
    for case in cases:
        with pytest.raises(LogError, match="does not lead from entry"):
            case.verify(KEY)
    for key in (NoteKey(ORIGIN, SoftwareSigner(2).public_key), SoftwareSigner(2).public_key):
        with pytest.raises(LogError, match="not signed by the key"):
            good.verify(key)


def test_what_the_key_signs_must_still_be_an_entry() -> None:
    line = b'{"not":"an entry"}'
    state = sign_checkpoint(ORIGIN, 1, leaf_hash(line), SIGNER)
    data = b"c2sp.org/tlog-proof@v1\nextra %s\nindex 0\n\n" % base64.b64encode(line) + state.note
    with pytest.raises(LogError, match="entry 0: not an object of body"):
        parse_proof(data).verify(KEY)


NOTE = sign_checkpoint(ORIGIN, 11, bytes(32), SIGNER).note
HASH = base64.b64encode(bytes(32))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a proof of the form"),
        (b"c2sp.org/tlog-proof@v2\nextra aa==\nindex 0\n\n" + NOTE, "not a proof of the form"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE, "not a proof of the form"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n%s\n\n" % HASH + NOTE, "with an entry as its extra data"),
        (b"c2sp.org/tlog-proof@v1\nextra aa=\nindex 0\n\n" + NOTE, "with an entry as its extra data"),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\nindex 00\n\n" + NOTE, "with an entry as its extra data"),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\nindex -1\n\n" + NOTE, "with an entry as its extra data"),
        (b"c2sp.org/tlog-proof@v1\nextra \xff\nindex 0\n\n" + NOTE, "not a proof of the form"),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\nindex 0\nYQ==\n\n" + NOTE, "is not a hash"),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\nindex 0\n\n", "not a signed note"),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\nindex 0\n" + (HASH + b"\n") * 65 + b"\n" + NOTE, "too many"),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\nindex 0\n" + b"\n" * 9, "not a signed note"),
        (b"x" * (MAX_PROOF_BYTES + 1), "more than"),
    ],
)
def test_what_is_no_proof(data: bytes, words: str) -> None:
    with pytest.raises(LogError, match=words) as caught:
        parse_proof(data, path="file")
    assert caught.value.path == "file"


@settings(max_examples=200, deadline=None)
@given(cut=st.tuples(st.integers(0, 1200), st.integers(0, 1200), st.binary(max_size=30)))
def test_anything_may_come(proof: bytes, cut: tuple[int, int, bytes]) -> None:
    data = proof[: cut[0]] + cut[2] + proof[cut[1] :]
    if error_of(lambda: parse_proof(data).verify(KEY)) is None:
        assert parse_proof(data).to_bytes() == data


def test_reports(tmp_path: Path) -> None:
    log = make_log(tmp_path, 1)
    known = log.checkpoint()
    log.append("a", {"number": 1})
    error = LogError("entry 0 of 2 is missing", path="entries.jsonl", offset=0)
    outcomes: list[Verified | LogError] = [
        verify_log(tmp_path, public_key=KEY),
        verify_log(tmp_path, public_key=KEY, known=known),
        error,
    ]
    schema = read_schema()
    assert schema["$id"] == SCHEMA_ID
    assert schema["properties"]["schema"]["const"] == SCHEMA_ID
    reports = [json.loads(json.dumps(to_json("log", outcome))) for outcome in outcomes]
    for report in reports:
        jsonschema.Draft202012Validator(schema).validate(report)
        assert set(report) == set(schema["properties"]) == set(schema["required"])
    assert [report["verified"] for report in reports] == [True, True, False]
    assert [report["known"] for report in reports] == [None, 1, None]
    assert reports[0]["key"] == KEY.to_vkey()
    assert reports[2]["error"] == {"path": "entries.jsonl", "offset": 0, "reason": "entry 0 of 2 is missing"}
    good = f"VERIFIED  log: 2 entries of the log {ORIGIN}, signed by {KEY}"
    assert [verdict("log", outcome) for outcome in outcomes] == [
        good,
        f"{good}; it continues the known checkpoint of 1",
        "ALTERED  log: entries.jsonl: at offset 0x0: entry 0 of 2 is missing",
    ]
