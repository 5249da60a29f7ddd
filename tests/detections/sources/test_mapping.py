"""Logs that are described by a mapping."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from detections.sources.reading_all import read_bytes, read_file
from immure.detections.sources.mapped import MappedSource
from immure.detections.sources.mapping import parse_mapping, read_mapping
from immure.digest import signed_digest
from immure.errors import UsageError

GATEWAY = """
name = "my-gateway"
kind = "acceptance"
known = ["noise"]
[columns]
time = { path = "ts", format = "%d/%b/%Y:%H:%M:%S %z" }
record_id = "request.id"
client = ["auth.client", "auth.azp"]
digest = { path = "auth.token", type = "token" }
iat = "auth.iat"
aud = { path = "auth.aud", type = "words" }
verdict = { path = "status", values = { 200 = "accepted", 401 = "refused" } }
[constants]
channel = "api"
[passed_over]
path = "kind"
values = ["health"]
""".replace('client = ["auth.client", "auth.azp"]', 'client = { path = ["auth.client", "auth.azp"] }')
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln"
ROW = {
    "ts": "16/Jun/2023:08:01:02 +0000",
    "status": 200,
    "noise": 1,
    "request": {"id": "r1"},
    "auth": {"azp": "mail", "token": TOKEN, "iat": "1686902000", "aud": "a b"},
}


def test_json(tmp_path: Path) -> None:
    source = MappedSource(parse_mapping(GATEWAY))
    rows = [
        ROW,
        {**ROW, "status": 401, "new": 1},
        {"kind": "health"},
        {**ROW, "ts": "?"},
        {**ROW, "status": 500},
    ]
    got = read_bytes(tmp_path, b"".join(json.dumps(one).encode() + b"\n" for one in rows), source=source)
    first, second = got.rows("acceptance")
    assert first["time"].timestamp() == 1_686_902_462
    assert (first["source"], first["record_id"], first["client"], first["channel"]) == (
        "my-gateway",
        "r1",
        "mail",
        "api",
    )
    assert first["digest"] == signed_digest(TOKEN.rpartition(".")[0].encode())
    assert (first["iat"], first["aud"]) == (1_686_902_000, ["a", "b"])
    assert (first["verdict"], second["verdict"]) == ("accepted", "refused")
    assert got.passed == {"health": 1}
    assert got.reasons == {("field", "new"): 1, ("no-time", ""): 1, ("operation", "verdict 500"): 1}


SIMPLE = """
name = "logins"
kind = "signin"
[columns]
time = "When"
user = "Who"
ip = "From"
succeeded = "OK"
"""


def test_csv_and_parquet_give_the_same(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"When": "2023-06-16T08:01:02Z", "Who": "ada", "From": "192.0.2.1:1", "OK": "yes"},
        {"When": "2023-06-16T08:01:03Z", "Who": "eve", "From": "", "OK": "no"},
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    source = MappedSource(parse_mapping(SIMPLE))
    by_csv = read_bytes(tmp_path, out.getvalue().encode(), source=source).rows("signin")
    path = tmp_path / "logins.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    by_parquet = read_file(path, source=source)
    for row in (*by_csv, *by_parquet.rows("signin")):
        row.pop("record_id")
    assert (
        by_csv == by_parquet.rows("signin")
        or [
            {key: kept for key, kept in row.items() if key != "record_id"}
            for row in by_parquet.rows("signin")
        ]
        == by_csv
    )
    assert [(row["user"], row["ip"], row["succeeded"]) for row in by_csv] == [
        ("ada", "192.0.2.1", True),
        ("eve", None, False),
    ]
    assert read_file(path, by_parquet.chunks[-1].position, source=source).rows("signin") == []


REFUSED: list[tuple[str, str]] = [
    ("name = 1", "no mapping"),
    (SIMPLE.replace("signin", "issued"), "kind is"),
    (SIMPLE.replace('"logins"', '"My Logins"'), "name is made of"),
    (SIMPLE.replace("user =", "usr ="), "no column 'usr'"),
    (SIMPLE.replace('time = "When"', ""), "no column time"),
    (SIMPLE.replace('"When"', '{ path = "When", type = "hex" }'), "column time is of type time"),
    (SIMPLE.replace('"Who"', '{ path = "Who", format = "%Y" }'), "a format is for times"),
    (SIMPLE + "\n[constants]\nexternal = 1\n", "no column 'external'"),
    (SIMPLE + '\n[constants]\nresource = ""\n', "is not what the column holds"),
    ("[" * 2000, "no mapping"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_is_no_mapping(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason) as caught:
        read_mapping(path)
    assert caught.value.path == str(path)


def test_the_mapping_in_the_documentation_is_one() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "detection-sources.md"
    _, _, rest = page.read_text().partition("```toml\n")
    assert parse_mapping(rest.partition("```")[0]).name == "my-gateway"


@pytest.mark.parametrize(
    "header", [b"When\r;Who;From;OK\n", b'When;Who;"From\r;OK\n', b'"When;Who\n', b"x" * 200_000 + b"\n"]
)
def test_a_header_that_is_no_csv_loses_nothing_unseen(tmp_path: Path, header: bytes) -> None:
    rows = b"2023-06-16T08:01:02Z;ada;192.0.2.1;yes\n2023-06-16T08:01:03Z;eve;192.0.2.2;no\n"
    read = read_bytes(tmp_path, header + rows, source=MappedSource(parse_mapping(SIMPLE)))
    assert read.count == len(read.rows("signin")) + sum(read.passed.values()) + read.lost
    assert read.count >= 2
