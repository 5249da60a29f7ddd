"""Records are found in lines, arrays and rows, and reading goes on where it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detections.sources.reading_all import Read, read_bytes, read_file
from immure.detections.sources import Limits, files_of, source_named
from immure.detections.sources.gathering import Gathering
from immure.detections.sources.lines import blocks
from immure.detections.sources.m365 import M365Audit
from immure.detections.sources.stream import Stream
from immure.errors import InputError, UsageError
from immure.synth.logs import mailbox

FOUND = mailbox.accesses(60, seed=5)
NAMES = sorted(str(one.record) for one in FOUND)
SMALL = Limits(record=1 << 13, block=1 << 12, rows=7, chunk=1 << 13)
FORMS = {
    "lines": mailbox.json_lines(FOUND),
    "array": mailbox.json_array(FOUND),
    "indented": mailbox.json_array(FOUND, indent=1),
    "envelope": b'{"@odata.context":"a[{","value":'
    + mailbox.json_array(FOUND)
    + b',"@odata.nextLink":"b]}"}',
    "csv": mailbox.audit_csv(FOUND),
}


def names(read: Read) -> list[str]:
    return sorted(row["record_id"] for row in read.rows("mail"))


@pytest.mark.parametrize("form", FORMS)
def test_small_pieces_give_the_same(form: str, tmp_path: Path) -> None:
    read = read_bytes(tmp_path, FORMS[form], source=M365Audit(), limits=SMALL)
    assert names(read) == NAMES
    assert not read.not_understood
    assert len(read.chunks) > 5


@pytest.mark.parametrize("form", FORMS)
def test_reading_goes_on_after_every_chunk(form: str, tmp_path: Path) -> None:
    whole = read_bytes(tmp_path, FORMS[form], source=M365Audit(), limits=SMALL)
    path = tmp_path / "log"
    for number, chunk in enumerate(whole.chunks[:-1]):
        before = [
            name
            for one in whole.chunks[: number + 1]
            for name in one.records["mail"]["record_id"].to_pylist()
        ]
        after = read_file(path, chunk.position, source=M365Audit(), limits=SMALL)
        assert sorted(before + names(after)) == NAMES
    assert names(read_file(path, whole.chunks[-1].position, source=M365Audit())) == []


@pytest.mark.parametrize("form", ["lines", "csv"])
def test_a_file_that_grows(form: str, tmp_path: Path) -> None:
    data, path = FORMS[form], tmp_path / "log"
    position, seen = "", []
    for end in (1500, 1501, 20_000, 20_003, len(data)):
        path.write_bytes(data[:end])
        read = read_file(path, position, source=M365Audit(), ended=False)
        seen += names(read)
        assert not read.not_understood
        position = read.chunks[-1].position
    assert sorted(seen) == NAMES


def test_a_file_that_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log"
    position = read_bytes(tmp_path, FORMS["lines"]).chunks[-1].position
    path.write_bytes(FORMS["lines"][:400][::-1] + FORMS["lines"])
    with pytest.raises(InputError, match="another file"):
        read_file(path, position, source=M365Audit())
    path.write_bytes(FORMS["lines"][:5000])
    with pytest.raises(InputError, match=r"shorter|another"):
        read_file(path, position, source=M365Audit())
    with pytest.raises(InputError, match="no position"):
        read_file(path, "]", source=M365Audit())


def test_a_record_that_is_too_long_takes_no_other_with_it(tmp_path: Path) -> None:
    long = b'{"CreationTime":"' + b"x" * 60_000 + b'"}'
    parts = FORMS["lines"].splitlines()
    for data in (
        b"\n".join([*parts[:30], long, *parts[30:]]),
        b"[" + b",".join([*parts[:30], long, *parts[30:]]) + b"]",
    ):
        read = read_bytes(tmp_path, data, source=M365Audit(), limits=SMALL)
        assert names(read) == NAMES
        assert read.reasons == {("too-long", ""): 1}


def test_a_torn_stream_of_gzip_gives_what_comes_out_of_it(tmp_path: Path) -> None:
    import gzip

    data = gzip.compress(FORMS["lines"])
    read = read_bytes(tmp_path, data[: len(data) // 2])
    assert set(names(read)) < set(NAMES)
    assert names(read)
    assert {reason for reason, _ in read.reasons} == {"torn"}


def test_a_file_that_nobody_knows(tmp_path: Path) -> None:
    read = read_bytes(tmp_path, b"once upon a time\n" * 9, name="tale.txt")
    assert read.reasons == {("file", "tale.txt"): 1}


def test_a_table_of_log_analytics(tmp_path: Path) -> None:
    rows = [mailbox.office_activity(one) for one in FOUND]
    wide = sorted({name for row in rows for name in row})
    table = {"name": "PrimaryResult", "columns": [{"name": name, "type": "string"} for name in wide]}
    table["rows"] = [[row.get(name) for name in wide] for row in rows]
    read = read_bytes(tmp_path, json.dumps({"tables": [table]}).encode())
    assert names(read) == NAMES


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Id", "Operation", "CreationTime", "x"]), JSON, max_size=4),
        max_size=6,
    ),
    st.sampled_from([None, 1]),
    st.binary(max_size=8),
)
def test_everything_that_is_there_is_counted(
    tmp_path_factory: Any, rows: Any, indent: int | None, tail: bytes
) -> None:
    folder = tmp_path_factory.mktemp("hypothesis")
    read = read_bytes(folder, json.dumps(rows, indent=indent).encode(), source=M365Audit(), limits=SMALL)
    assert read.count == len(rows)
    read_bytes(folder, json.dumps(rows, indent=indent).encode() + tail, source=M365Audit(), limits=SMALL)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(10, 300), st.integers(5, 100))
def test_lines_come_whole(tmp_path_factory: Any, parts: list[bytes], most: int, block: int) -> None:
    data = b"x" + b"\n".join(parts)
    path = tmp_path_factory.mktemp("hypothesis") / "log"
    path.write_bytes(data)
    stream = Stream(path)
    plain = b""
    while piece := stream.read(1 << 20):
        plain += piece
    stream.close()
    out, again = Gathering("x", "x", Limits(record=most, block=block)), Stream(path)
    got: list[tuple[int, bytes]] = []
    for one in blocks(again, out):
        assert plain[one.offset : one.end] == one.body
        assert one.line == plain[: one.offset].count(b"\n") + 1
        got.append((one.offset, one.body))
    again.close()
    assert sum(len(body) for _, body in got) == len(plain) or out.read
    joined = b"".join(body for _, body in got)
    assert all(line + b"\n" in joined for line in plain.split(b"\n")[:-1] if len(line) < most)


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError):
            read_file(path)
    with pytest.raises(InputError):
        files_of(tmp_path / "nothing")
    with pytest.raises(UsageError, match="a source is one of"):
        source_named("teleport")


def test_the_logs_of_a_directory(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/c.jsonl", "a/c.jsonl.sha256", ".hidden", "a/.git/x", "a/lock", "mapping.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [str(path.relative_to(tmp_path)) for path in files_of(tmp_path)] == ["b.jsonl", "a/c.jsonl"]
    assert read_file(tmp_path / "b.jsonl").chunks == []
