"""Statements, and the digests of files that they are about."""

from __future__ import annotations

import io
import json
import os

import pytest

from immure.attest.reasons import Reason
from immure.attest.statement import Digest, Statement, Subject, digest_of, parse_statement
from immure.errors import AttestationError, InputError

from .samples import BYTES, DIGEST, statement_json


def test_round_trip():
    statement = Statement(
        (Subject("app.core", "ab" * 32), Subject("", "cd" * 32)), "https://example.com/x/v1", {"a": [1]}
    )
    assert parse_statement(statement.to_bytes()) == statement


def test_what_is_not_known_is_passed_over():
    subject = {"digest": {"sha256": DIGEST.sha256, "sha512": "what"}, "uri": "x", "annotations": {}}
    parsed = parse_statement(json.dumps(statement_json(subject=[subject], more=1)).encode())
    assert parsed.subjects == (Subject("", DIGEST.sha256),)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"_type": None}, Reason.NOT_STATEMENT, "_type is missing"),
        (
            {"_type": "https://in-toto.io/Statement/v0.1"},
            Reason.NOT_STATEMENT,
            "_type is not https://in-toto.io/",
        ),
        (
            {"_type": ["https://in-toto.io/Statement/v1"]},
            Reason.NOT_STATEMENT,
            "_type is not https://in-toto.io/",
        ),
        ({"subject": None}, Reason.NOT_STATEMENT, "subject is missing"),
        ({"subject": []}, Reason.NO_SUBJECT, ""),
        ({"subject": {}}, Reason.NO_SUBJECT, ""),
        ({"subject": [{}] * 1001}, Reason.NOT_STATEMENT, "subject is not a list of at most 1000"),
        ({"subject": ["a"]}, Reason.NOT_STATEMENT, r"subject\[0\] is not an object"),
        ({"subject": [{"name": 1}]}, Reason.NOT_STATEMENT, r"subject\[0\].name is not a text"),
        ({"subject": [{"name": "\ud800"}]}, Reason.NOT_STATEMENT, r"subject\[0\].name holds half"),
        ({"subject": [{"name": "a"}]}, Reason.SUBJECT_DIGEST, r"subject\[0\]$"),
        *(
            ({"subject": [{"digest": digest}]}, Reason.SUBJECT_DIGEST, r"subject\[0\]$")
            for digest in (
                {},
                None,
                "ab" * 32,
                {"sha256": None},
                {"sha256": "ab" * 31},
                {"sha256": "ab" * 33},
                {"sha256": "AB" * 32},
                {"sha256": "ab" * 31 + "g0"},
                {"sha256": "ab" * 31 + "a\n"},
                {"sha256": "ab" * 32 + "\n"},
                {"sha256": "٠" * 64},
                {"sha512": "ab" * 64},
            )
        ),
        ({"predicateType": None}, Reason.NOT_STATEMENT, "predicateType is missing"),
        ({"predicateType": ""}, Reason.NOT_STATEMENT, "predicateType is not a text"),
        ({"predicate": None}, Reason.NOT_STATEMENT, "predicate is missing"),
        ({"predicate": []}, Reason.NOT_STATEMENT, "predicate is not an object"),
    ],
)
def test_what_is_no_statement(changes, reason, words):
    with pytest.raises(AttestationError, match=f"^{reason}(: )?{words}"):
        parse_statement(json.dumps(statement_json(**changes)).encode())


def test_digests_of_open_files(tmp_path):
    (tmp_path / "dump").write_bytes(BYTES)
    with (tmp_path / "dump").open("rb") as stream:
        stream.seek(5)
        os.rename(tmp_path / "dump", tmp_path / "elsewhere")
        (tmp_path / "dump").write_bytes(b"another")
        assert digest_of(stream, "dump") == DIGEST  # what is open counts, not what the name leads to
        assert stream.tell() == 0
    assert digest_of(io.BytesIO(b""), "x") == Digest(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0
    )


def test_files_that_cannot_be_read(tmp_path):
    read, write = os.pipe()
    os.close(write)
    with open(read, "rb") as pipe, pytest.raises(InputError, match="dump: "):
        digest_of(pipe, "dump")
    with pytest.raises(InputError, match="dump: cannot be read"):
        digest_of(pipe, "dump")
    with (tmp_path / "out").open("wb") as stream, pytest.raises(InputError, match="dump: "):
        digest_of(stream, "dump")
