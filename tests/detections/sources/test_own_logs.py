"""Our own logs: acceptances, the ledger in both its forms, the mail-access log, and OCSF out and in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detections.sources.reading_all import read_bytes, read_file
from immure.detections.records import (
    STRUCTS,
    Acceptance,
    Issued,
    MailAccess,
    Record,
    SignIn,
    batch_of,
    schema,
)
from immure.detections.sources import files_of, identity, read
from immure.detections.sources.acceptance_log import AcceptanceLogSource
from immure.detections.sources.block import Block
from immure.detections.sources.gathering import Gathering
from immure.detections.sources.ledger import read_store
from immure.detections.sources.ocsf import to_ocsf
from immure.errors import InputError
from immure.ledger.row import Issued as Row
from immure.ledger.sqlite_store import SqliteLedger
from immure.tokens.acceptance import AcceptanceLog, Decision

DIGEST = bytes(range(16))


def write_log(folder: Path) -> list[Path]:
    with AcceptanceLog(folder) as log:
        log.record(
            Decision(
                time=1_795_579_642.569742,
                digest=DIGEST,
                issuer="https://login.example",
                kid="1",
                thumbprint="t",
                subject="ada",
                tenant="x",
                audience=("a", "b"),
                client="mail",
                issued_at=1_795_579_639.75,
                expires=1_795_583_239,
                relying_party="store",
                channel="imap",
            )
        )
        log.record(Decision(time=1_795_579_643.0, digest=None, rule="token-form", channel="imap"))
    return files_of(folder)


def test_the_log_of_acceptances(tmp_path: Path) -> None:
    [segment] = write_log(tmp_path / "log")
    got = read_file(segment)
    assert (got.source, got.not_understood) == ("acceptance-log", [])
    assert got.passed == {"head of a segment": 1}
    first, second = got.rows("acceptance")
    assert first["time"].timestamp() == 1_795_579_642.569742
    assert (first["digest"], first["iss"], first["kid"], first["sub"]) == (
        DIGEST,
        "https://login.example",
        "1",
        "ada",
    )
    assert (first["aud"], first["client"], first["iat"]) == (["a", "b"], "mail", 1_795_579_639)
    assert (first["verdict"], first["rule"], first["channel"]) == ("accepted", None, "imap")
    assert (second["verdict"], second["rule"], second["digest"]) == ("refused", "token-form", None)
    assert first["record_id"] != second["record_id"]
    body = segment.read_bytes().partition(b"\n")[2]  # without its head: the quick way
    assert read_bytes(tmp_path, body, name="body").rows("acceptance") == [first, second]


def test_a_sealed_segment_that_was_changed_is_said_to_be(tmp_path: Path) -> None:
    [segment] = write_log(tmp_path / "log")
    segment.write_bytes(segment.read_bytes().replace(b'"ada"', b'"eve"'))
    got = read_file(segment)
    assert got.reasons == {("changed", segment.name): 1}
    assert (len(got.rows("acceptance")), got.lost) == (2, 0)


def test_a_segment_keeps_its_position_when_it_is_sealed(tmp_path: Path) -> None:
    [segment] = write_log(tmp_path / "log")
    data = segment.read_bytes()
    growing = tmp_path / f"{segment.name}.open"
    growing.write_bytes(data[:-20])
    before = read_file(growing, ended=False)
    sealed = tmp_path / segment.name
    growing.rename(sealed)
    sealed.write_bytes(data)
    assert identity(growing) == identity(sealed)
    after = read_file(sealed, before.chunks[-1].position)
    assert (len(before.rows("acceptance")), len(after.rows("acceptance"))) == (1, 1)
    assert read_bytes(tmp_path, data[:-20], name="torn").reasons == {("torn", ""): 1}


PLAIN = {
    "time": 1_795_579_642.5,
    "verdict": "accepted",
    "digest": DIGEST.hex(),
    "issuer": "i",
    "audience": ["a"],
}
MEMBERS = [*PLAIN, "subject", "issued_at", "expires", "new", "rule"]
VALUES = st.sampled_from(
    ["", "x", None, 5, -1, 1e12, 1.75, True, [], ["a", ""], ["b"], "00", "ff" * 16, "accepted"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(MEMBERS), VALUES), max_size=3))
def test_the_quick_way_gives_what_the_slow_one_does(changes: list[tuple[int, str, Any]]) -> None:
    plain = [dict(PLAIN) for _ in range(3)]
    for place, member, value in changes:
        plain[place][member] = value
    block = Block(b"".join(json.dumps(one).encode() + b"\n" for one in plain), 0, 1)
    source, quick, slow = AcceptanceLogSource(), Gathering("a", ""), Gathering("a", "")
    if not source.block(block, quick):
        return
    for where, piece in block.pieces():
        source.take(piece, where, slow)
    one, other = quick.take(""), slow.take("")
    assert one.records["acceptance"].to_pylist() == other.records["acceptance"].to_pylist()
    assert (one.read, one.not_understood) == (other.read, other.not_understood)


def rows(count: int) -> list[Row]:
    return [
        Row(
            number.to_bytes(16, "big"),
            "https://i.example",
            "k",
            1_795_000_000 + number,
            1_795_003_600 + number,
            "ada",
            ("a",),
            "t",
            "c",
            "s",
        )
        for number in range(count)
    ]


def test_the_ledger_while_it_is_written(tmp_path: Path) -> None:
    with SqliteLedger(str(tmp_path / "ledger"), create=True) as store:
        store.append(rows(5))
        first = list(read_store(store))
        store.append([Row(b"\xff" * 16, "https://other.example", "k", 1_795_000_000, 1_795_000_001)])
        second = list(read_store(store, first[-1].position))
        assert [chunk.records["issued"].num_rows for chunk in first + second] == [5, 1]
        assert first[0].records["issued"].schema == schema("issued")
        assert list(read_store(store, second[-1].position)) == []
        with pytest.raises(InputError, match="no position"):
            list(read_store(store, "{}"))
    assert sum(chunk.made for chunk in read(tmp_path / "ledger")) == 6


def test_segments_of_the_ledger(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    made = [
        Issued(
            seq=n,
            digest=row.digest,
            iss=row.issuer,
            kid=row.kid,
            sub=row.subject,
            aud=list(row.audience),
            tenant=row.tenant,
            client=row.client,
            iat=row.issued_at,
            exp=row.expires,
            session=row.session,
        )
        for n, row in enumerate(rows(9), 1)
    ]
    loose = pyarrow.schema(
        [field.with_nullable(True) for field in schema("issued")], {b"immure.ledger": b"[]"}
    )
    path = tmp_path / "000000000001-000000000009.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_batches([batch_of("issued", made)]).cast(loose), path)
    got = read_file(path)
    assert got.rows("issued") == batch_of("issued", made).to_pylist()
    assert read_file(path, got.chunks[-1].position).rows("issued") == []
    bare = pyarrow.Table.from_pylist([{"a": 1}])
    pyarrow.parquet.write_table(bare, path)
    with pytest.raises(InputError, match="no segment of a ledger"):
        read_file(path)


def test_the_mail_access_log(tmp_path: Path) -> None:
    common = {"service": "imap", "mailbox": "ada@x.example", "tenant": "t", "session": "s", "ip": "192.0.2.7"}
    plain = [
        {"id": "0" * 32, "time": 1796021431.25, "action": "login", "outcome": "refused", **common},
        {
            "id": "1" * 32,
            "time": 1796021431.374556,
            "action": "bind",
            **common,
            "digest": DIGEST.hex(),
            "folder": "INBOX",
            "uid": 2,
            "how": ["cmd_fetch"],
        },
        {"id": "2" * 32, "time": 1796021432.0, "action": "move", **common, "folder": "INBOX", "to": "Trash"},
        {"id": "3" * 32, "time": 1796021433.0, "action": "gap", "reason": "truncated"},
        {"id": "4" * 32, "time": 1796021434.0, "action": "beam", **common, "new": 1},
    ]
    got = read_bytes(tmp_path, b"".join(json.dumps(one).encode() + b"\n" for one in plain))
    login, bind, move, gap, _ = got.rows("mail")
    assert got.source == "dovecot"
    assert (login["succeeded"], login["operation"], login["action"]) == (False, "login", None)
    assert (bind["digest"], bind["messages"], bind["action"]) == (DIGEST, ["INBOX/;UID=2"], "bind")
    assert move["folders"] == ["INBOX", "Trash"]
    assert (gap["throttled"], bind["throttled"]) == (True, None)
    assert got.reasons == {("operation", "beam"): 1, ("field", "new"): 1}


TEXTS = st.none() | st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())
TIMES = st.integers(0, 4_000_000_000_000_000)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        Acceptance,
        time=TIMES,
        source=st.just("a"),
        record_id=st.just("i"),
        verdict=st.just("accepted"),
        digest=st.none() | st.binary(min_size=16, max_size=16),
        sub=TEXTS,
        tenant=TEXTS,
        iss=TEXTS,
        aud=st.none() | st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3),
    ),
    st.builds(
        SignIn,
        time=TIMES,
        source=st.just("a"),
        record_id=st.just("i"),
        user=TEXTS,
        ip=TEXTS,
        succeeded=st.none() | st.booleans(),
        token_id=TEXTS,
    ),
    st.builds(
        MailAccess,
        time=TIMES,
        source=st.just("a"),
        record_id=st.just("i"),
        operation=st.just("Send"),
        user=TEXTS,
        throttled=st.none() | st.booleans(),
        session=TEXTS,
    ),
)


@given(RECORDS)
def test_ocsf_out_and_in(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    data = msgspec.json.encode(to_ocsf(record))
    got = read_bytes(tmp_path_factory.mktemp("ocsf"), data + b"\n")
    kind = next(kind for kind, struct in STRUCTS.items() if type(record) is struct)
    assert got.rows(kind) == batch_of(kind, [record]).to_pylist()
    assert got.source == "ocsf"


def test_ocsf_of_others(tmp_path: Path) -> None:
    plain = [
        {
            "class_uid": 3002,
            "time": 1_796_021_431_250,
            "status_id": 2,
            "status_code": "50126",
            "activity_id": 1,
            "metadata": {"version": "1.1.0", "uid": "u", "product": {"name": "Other"}},
            "user": {"email_addr": "ada@x.example"},
            "session": {"uid": "s"},
            "src_endpoint": {"ip": "192.0.2.1"},
        },
        {
            "class_uid": 6003,
            "time": 1_796_021_431_250,
            "metadata": {"version": "1.1.0", "uid": "v"},
            "actor": {"user": {"name": "ada"}, "session": {"uid": "s"}},
            "api": {"operation": "Get"},
        },
        {"class_uid": 4001, "class_name": "Network Activity", "metadata": {"version": "1.1.0"}},
        {"class_uid": 99, "metadata": {}},
    ]
    got = read_bytes(tmp_path, b"".join(json.dumps(one).encode() + b"\n" for one in plain))
    [row], [used] = got.rows("signin"), got.rows("acceptance")
    assert (row["user"], row["succeeded"], row["error"], row["session"]) == (
        "ada@x.example",
        False,
        "50126",
        "s",
    )
    assert (used["sub"], used["channel"], used["verdict"]) == ("ada", "Get", "accepted")
    assert got.passed == {"Network Activity": 1}
    assert got.reasons == {("operation", "99"): 1}
