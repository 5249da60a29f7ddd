"""One mailbox record is one row, in whatever shape it comes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from detections.sources.reading_all import read_bytes
from immure.detections.sources.block import Block
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.decoding import decode
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.m365 import M365Audit
from immure.synth.logs import mailbox
from immure.synth.logs.mailbox import MailboxAccess

FOUND = mailbox.accesses(150, seed=3)


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def by_csv_of_columns(found: list[MailboxAccess]) -> bytes:
    """Two exports, one behind the other, the second with its header."""
    half = len(found) // 2
    return mailbox.audit_csv(found[:half]) + mailbox.audit_csv(found[half:])


SHAPES: dict[str, Callable[[list[MailboxAccess]], bytes]] = {
    "lines": mailbox.json_lines,
    "array": mailbox.json_array,
    "array with spaces": lambda found: mailbox.json_array(found, indent=2),
    "arrays, one a line": lambda found: b"".join(mailbox.json_array([one]) + b"\n" for one in found),
    "two arrays": lambda found: mailbox.json_array(found[:100]) + b"\n" + mailbox.json_array(found[100:]),
    "csv": mailbox.audit_csv,
    "csv with a mark": lambda found: mailbox.audit_csv(found, encoding="utf-8-sig"),
    "csv of UTF-16": lambda found: mailbox.audit_csv(found, encoding="utf-16"),
    "csv twice": by_csv_of_columns,
    "office activity": lambda found: lines([mailbox.office_activity(one) for one in found]),
    "cloud app events": lambda found: lines([mailbox.cloud_app_event(one) for one in found]),
    "cloud app events, twice encoded": lambda f: lines(
        [mailbox.cloud_app_event(one, twice=True) for one in f]
    ),
    "graph": lambda f: json.dumps(
        {"@odata.context": "x", "value": [mailbox.graph_record(o) for o in f]}
    ).encode(),
    "elastic": lambda f: lines([{"_index": "a", "_source": mailbox.management(one)} for one in f]),
    "syslog": lambda f: b"".join(
        b"<14>Aug 13 14:22:33 host o365: " + json.dumps(mailbox.management(one)).encode() + b"\n" for one in f
    ),
    "gzip": lambda found: gzip.compress(mailbox.json_lines(found)),
    "zstd": lambda found: zstandard.compress(mailbox.json_lines(found)),
}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The rows, made one by one."""
    out = Gathering("m365-audit", "")
    source = M365Audit()
    for one in FOUND:
        source.record(decode(json.dumps(mailbox.management(one))), Where(0), b"", out)
    return out.take("").records["mail"].to_pylist()


def test_what_the_rows_say(wanted: list[dict[str, Any]]) -> None:
    for access, row in zip(FOUND, wanted, strict=True):
        assert row["time"].timestamp() == access.time
        assert row["record_id"] == str(access.record)
        assert (row["operation"], row["action"]) == ("MailItemsAccessed", access.access.lower())
        assert (row["tenant"], row["token_tenant"]) == (str(access.tenant), str(access.tenant))
        assert row["mailbox"] == row["user"] == access.user
        assert row["client_app"] == (access.app or None)
        assert row["ip"] == access.ip
        assert row["session"] == str(access.session)
        assert row["token_id"] == str(access.token)
        assert row["token_iat"] == access.issued
        assert row["folders"] == [access.folder]
        assert row["messages"] == (list(access.messages) or None)
        assert (row["throttled"], row["succeeded"], row["logon"]) == (False, True, "owner")


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str, wanted: list[dict[str, Any]], tmp_path: Path) -> None:
    read = read_bytes(tmp_path, SHAPES[shape](FOUND))
    assert read.source == "m365-audit"
    assert read.not_understood == []
    rows = read.rows("mail")
    assert len(rows) == len(FOUND)
    by_name = {row["record_id"]: row for row in rows}
    for one in wanted:
        assert by_name[one["record_id"]] == one


def test_a_throttled_mailbox_is_said_to_be(tmp_path: Path) -> None:
    found = [replace(FOUND[0], throttled=True)]
    for shape in ("lines", "csv", "office activity", "cloud app events"):
        assert [row["throttled"] for row in read_bytes(tmp_path, SHAPES[shape](found)).rows("mail")] == [True]


def one(**changes: Any) -> dict[str, Any]:
    """A record with members changed; None takes one out."""
    plain = mailbox.management(FOUND[0]) | changes
    return {key: kept for key, kept in plain.items() if kept is not ...}


ADDRESSES = {
    "203.0.113.7:50123": "203.0.113.7",
    "[2001:db8::15]:50123": "2001:db8::15",
    "[2001:DB8::15]": "2001:db8::15",
    "::ffff:192.0.2.1": "192.0.2.1",
    "": None,
}


@pytest.mark.parametrize("given", ADDRESSES)
def test_addresses(given: str, tmp_path: Path) -> None:
    rows = read_bytes(tmp_path, lines([one(ClientIPAddress=given)])).rows("mail")
    assert [row["ip"] for row in rows] == [ADDRESSES[given]]


ODD: list[tuple[str, dict[str, Any], tuple[str, str], str, object]] = [
    # what it is, record, what is counted, column, value
    ("a new member", one(SomethingNew={"a": 1}), ("field", "somethingnew"), "operation", "MailItemsAccessed"),
    (
        "a new member of the token's",
        one(AppAccessContext={"UniqueTokenId": "I4NnRauJ782rEiM0VniavA", "Fresh": 1}),
        ("field", "AppAccessContext.fresh"),
        "token_id",
        "45678323-89ab-cdef-ab12-233456789abc",
    ),
    ("a new operation", one(Operation="MailItemsPeeked"), ("operation", "MailItemsPeeked"), "action", "bind"),
    ("a new kind of logon", one(LogonType=77), ("value", "LogonType"), "logon", None),
    ("no list", one(Folders="all of them"), ("value", "folders"), "folders", None),
    (
        "no time of the token",
        one(AppAccessContext={"IssuedAtTime": "now"}),
        ("value", "IssuedAtTime"),
        "ip",
        FOUND[0].ip,
    ),
]


@pytest.mark.parametrize(("what", "record", "counted", "column", "value"), ODD, ids=[row[0] for row in ODD])
def test_what_is_new_is_counted_and_shown(
    what: str, record: dict[str, Any], counted: tuple[str, str], column: str, value: object, tmp_path: Path
) -> None:
    read = read_bytes(tmp_path, lines([one(), record, one(), record]))
    assert read.reasons == {counted: 2}
    assert read.lost == 0
    assert [row[column] for row in read.rows("mail")].count(value) >= 2
    assert read.not_understood[0].line == 2


LOST: list[tuple[str, bytes, str]] = [
    ("half a record", b'{"CreationTime":"2024-05-01T00:00:00","Operation":"Send"', "torn"),
    ("no JSON", b'{"CreationTime":\n', "syntax"),
    ("no time", lines([one(CreationTime="yesterday")]), "no-time"),
    ("no operation", lines([one(Operation=...)]), "no-name"),
    ("no object", b"[1]\n", "shape"),
    (
        "a workload that nobody knows",
        lines([one(Workload="Teleport", RecordType=999, MailboxGuid=..., Operation="Beam")]),
        "operation",
    ),
    ("too deep", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}\n", "nesting"),
]


@pytest.mark.parametrize(("what", "data", "reason"), LOST, ids=[row[0] for row in LOST])
def test_what_is_lost_is_counted(what: str, data: bytes, reason: str, tmp_path: Path) -> None:
    read = read_bytes(tmp_path, lines([one(), one()]) + data)
    assert [(one.reason, one.count, one.lost) for one in read.not_understood] == [(reason, 1, True)]
    assert len(read.rows("mail")) == 2


def test_records_of_no_concern_are_counted_by_name(tmp_path: Path) -> None:
    rows = [one(Workload="SharePoint", RecordType=6, Operation="FileAccessed", MailboxGuid=...)] * 3
    read = read_bytes(tmp_path, lines([one(), *rows]))
    assert read.passed == {"SharePoint: FileAccessed": 3}
    assert not read.not_understood


def test_other_operations_on_mail(tmp_path: Path) -> None:
    item = {"InternetMessageId": "<1@x>", "ParentFolder": {"Path": "\\Sent Items"}}
    moved = one(
        Operation="MoveToDeletedItems",
        Folders=...,
        OperationProperties=...,
        AffectedItems=[item, item],
        Folder={"Path": "\\Inbox"},
        DestFolder={"Path": "\\Deleted Items"},
        ResultStatus="Failed",
    )
    [row] = read_bytes(tmp_path, lines([moved])).rows("mail")
    assert row["folders"] == ["\\Sent Items", "\\Inbox", "\\Deleted Items"]
    assert row["messages"] == ["<1@x>", "<1@x>"]
    assert (row["action"], row["succeeded"], row["throttled"]) == (None, False, None)


def test_a_csv_whose_data_was_cut_off_gives_what_its_columns_say(tmp_path: Path) -> None:
    whole = mailbox.audit_csv([FOUND[0], FOUND[1]]).decode()
    cut = whole.replace('""LogonType"":0,', "", 1)
    head, sep, rest = cut.partition('""OperationProperties""')
    _, _, behind = rest.partition('","1","2"')
    read = read_bytes(tmp_path, (head + '","1","2"' + behind).encode())
    assert sep
    assert read.reasons == {("value", "AuditData"): 1}
    first = next(row for row in read.rows("mail") if row["record_id"] == str(FOUND[0].record))
    assert (first["user"], first["time"].timestamp()) == (FOUND[0].user, FOUND[0].time)


def test_sign_ins_of_the_audit_log(tmp_path: Path) -> None:
    plain = {
        "CreationTime": "2024-05-01T01:02:03",
        "Id": "a",
        "Operation": "UserLoginFailed",
        "OrganizationId": "t",
        "RecordType": 15,
        "UserId": "ada@x.example",
        "Workload": "AzureActiveDirectory",
        "ErrorNumber": "50126",
        "ActorIpAddress": "192.0.2.1",
        "ApplicationId": "app",
        "IntraSystemId": "i",
        "ExtendedProperties": [{"Name": "UserAgent", "Value": "curl"}],
        "DeviceProperties": [{"Name": "SessionId", "Value": "s"}],
        "Target": [{"ID": "res", "Type": 0}],
    }
    [row] = read_bytes(tmp_path, lines([plain])).rows("signin")
    assert (row["user"], row["app"], row["resource"], row["session"]) == ("ada@x.example", "app", "res", "s")
    assert (row["succeeded"], row["error"], row["user_agent"]) == (False, "50126", "curl")


def test_names_in_other_cases(tmp_path: Path) -> None:
    small = {key[0].lower() + key[1:]: kept for key, kept in one(OperationCount="3", LogonType="2").items()}
    [row] = read_bytes(tmp_path, lines([small])).rows("mail")
    assert (row["record_id"], row["count"], row["logon"]) == (str(FOUND[0].record), 3, "delegate")


def test_half_characters_do_not_lose_a_record(tmp_path: Path) -> None:
    data = lines([one()]).replace(b'"ClientInfoString": "', b'"ClientInfoString": "\\ud83d')
    [row] = read_bytes(tmp_path, data).rows("mail")
    assert row["client_info"].startswith("?")


def test_bytes_that_are_no_utf8_do_not_lose_a_record(tmp_path: Path) -> None:
    for text in (b'"IsThrottled"', b'"MailAccessType"', b'"LogonUserSid"', FOUND[0].user.encode()):
        data = lines([one()]).replace(text, text[:-2] + b"\xff" + text[-1:])
        read = read_bytes(tmp_path, data)
        assert (len(read.rows("mail")), read.lost) == (1, 0)


MEMBERS = [*mailbox.management(FOUND[0]), "SomethingNew", "Item", "ClientIP", "id", "ClientVersion"]
VALUES = st.sampled_from(
    [
        "",
        "x",
        "2",
        None,
        True,
        2,
        -1,
        1 << 70,
        1.5,
        [],
        {},
        [{}],
        [{"Name": "IsThrottled", "Value": "True"}],
        ["a"],
        {"IssuedAtTime": "never"},
        {"New": 1, "AADSessionId": ""},
        "2024-05-01",
        "2024-05-01T00:00:00.1234567Z",
        [
            {"Path": "\\a", "FolderItems": [{"Id": "i"}, {"InternetMessageId": ""}, 5]},
            {"Id": "f"},
            {"Id": "f"},
        ],
        [{"Path": "\\a", "FolderItems": [{"Id": "i", "InternetMessageId": "<1>"}]}, {"Path": "\\a"}],
        "\u00e4\u20ac",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(MEMBERS), VALUES), max_size=4))
def test_the_quick_way_gives_what_the_slow_one_does(changes: list[tuple[int, str, Any]]) -> None:
    rows = [mailbox.management(access) for access in FOUND[:5]]
    for place, member, value in changes:
        rows[place][member] = value
    source, quick, slow = M365Audit(), Gathering("m365-audit", ""), Gathering("m365-audit", "")
    data = lines(rows)
    if not source.block(Block(data, 0, 1), quick):
        return
    for where, piece in Block(data, 0, 1).pieces():
        source.take(piece, where, slow)
    one, other = quick.take(""), slow.take("")
    assert sorted(map(str, table(one))) == sorted(map(str, table(other)))
    assert (one.read, one.passed_over) == (other.read, other.passed_over)
    assert set(one.not_understood) == set(other.not_understood)


def table(chunk: Chunk) -> list[dict[str, Any]]:
    return [row for batch in chunk.records.values() for row in batch.to_pylist()]
