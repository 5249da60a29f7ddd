"""The kernel gives the rows and the account of the slow way, or leaves a record to it, whatever comes."""

from __future__ import annotations

import json
import random
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detections.sources.reading_all import read_bytes
from immure.detections.sources.block import Block
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.m365 import M365Audit
from immure.detections.sources.m365.mailbox import Mailbox
from immure.detections.sources.source import TextSource
from immure.synth.logs import mailbox
from immure.synth.logs.mailbox import management

FOUND = mailbox.accesses(40, seed=5)
SOURCE = M365Audit()
SYNC = next(one for one in FOUND if one.access == "Sync")
BIND = next(one for one in FOUND if len(one.messages) > 1)


def one(**changes: Any) -> dict[str, Any]:
    """A record with members changed; ``...`` takes one out."""
    return {key: kept for key, kept in (management(BIND) | changes).items() if kept is not ...}


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


class Counting(M365Audit):
    """Knows how many pieces went the slow way."""

    def __init__(self) -> None:
        self.slow = 0

    def take(self, piece: bytes, where: Where, out: Gathering, *, torn: bool = False) -> None:
        self.slow += 1
        super().take(piece, where, out, torn=torn)


def account(chunk: Chunk) -> tuple[Any, ...]:
    for batch in chunk.records.values():
        batch.validate(full=True)
    rows = [str(row) for batch in chunk.records.values() for row in batch.to_pylist()]
    assert chunk.read == chunk.made + chunk.lost + sum(chunk.passed_over.values())
    return sorted(rows), chunk.read, dict(chunk.passed_over), set(chunk.not_understood)


def slowly(block: Block) -> tuple[Any, ...]:
    out = Gathering("m365-audit", "")
    for where, piece in block.pieces():
        SOURCE.take(piece, where, out)
    return account(out.take(""))


def same(data: bytes, *, array: bool = False) -> int:
    """Holds both ways against each other; how many pieces the kernel left."""
    block = Block(data, 1000, 0 if array else 7, array=array)
    out, source = Gathering("m365-audit", ""), Counting()
    if not source.block(block, out):
        assert array
        return -1
    assert account(out.take("")) == slowly(block)
    return source.slow


def kept_structure(data: bytes) -> bool:
    """Whether the elements of an array can be told apart, as whoever makes blocks of them has tried."""
    try:
        list(Block(data, 0, array=True).pieces())
    except ValueError:
        return False
    return True


# --- what the kernel takes itself ---

TAKEN: dict[str, bytes] = {
    "as Exchange writes them": mailbox.json_lines(FOUND),
    "with spaces": b"".join(b" %s\t\r\n\n" % json.dumps(management(one)).encode() for one in FOUND),
    "no break at the end": mailbox.json_lines(FOUND)[:-1],
    "nothing": b"",
    "empty lines": b"\n \r\n\t\n",
    "escapes": lines([one(UserId='"\\/\b\f\n\r\t\u00e9\u20ac\U0001f511\x00')]),
    "escapes for no reason": lines([one()]).replace(b"MSExchangeRPC", b"\\u004d\\/\\u0053"),
    "UTF-8": json.dumps(one(UserId="\u00e9\u20ac\U0001f511"), ensure_ascii=False).encode(),
    "half of a pair that nobody reads": lines([one(LogonUserSid="\ud83d", Fresh="\udd11")]),
    "fractions": lines(
        [one(CreationTime="2024-02-29T23:59:59.9999999Z"), one(CreationTime="2000-01-01 00:00:00.5")]
    ),
    "the last times": lines(
        [one(CreationTime="1970-01-01T00:00:00"), one(CreationTime="9999-12-31T23:59:59")]
    ),
    "the epoch as a token's time": lines([one(AppAccessContext={"IssuedAtTime": "1970-01-01T00:00:00"})]),
    "nulls": lines(
        [
            dict.fromkeys(one(), None)
            | {key: one()[key] for key in ("Id", "CreationTime", "Operation", "Workload")}
        ]
    ),
    "only what must be there": lines(
        [{key: one()[key] for key in ("Id", "CreationTime", "Operation", "Workload")}]
    ),
    "empty": lines(
        [
            one(
                UserId="",
                AppAccessContext={},
                Folders=[],
                OperationProperties=[],
                ClientIPAddress="",
                AppId="",
            )
        ]
    ),
    "the second of two": lines(
        [one(ClientIPAddress="", ClientIP="[2001:DB8::1]:443", TokenObjectId="x", OrganizationId="")]
    ),
    "many texts": lines(
        [
            one(
                Folders=[
                    {"Path": f"\\{i}", "FolderItems": [{"Id": str(j)} for j in range(i)]} for i in range(90)
                ]
            )
        ]
    ),
    "folders again": lines([one(Folders=[{"Path": f"\\{i % 70}"} for i in range(300)])]),
    "a long text": lines([one(ClientInfoString="x" * 300_000)]),
    "a sync with messages": lines([management(SYNC) | {"Folders": one()["Folders"]}]),
    "an item of a bind": lines(
        [one(Item={"InternetMessageId": "<1>", "ParentFolder": {"Path": "\\p", "Id": "i"}})]
    ),
    "an item without a folder": lines([one(Item={"Id": "i", "ParentFolder": None}), one(Item=None)]),
    "members of no concern": lines(
        [one(UserType=1.5e-300, Version=[[], {}, [{"a": [True, None]}]], LogonUserSid={"Id": 1})]
    ),
    "members that are new": lines(
        [one(Fresh=1, fresher=[2]), one(), one(Fresh=None), one(AppAccessContext={"Fresh": "x"})]
    ),
    "names of logs that are no mailboxes": lines([one(ItemType="File", SiteUrl="x", SourceFileName="y")]),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_the_kernel_takes(what: str) -> None:
    assert same(TAKEN[what]) == 0
    rows = b",".join(row for row in TAKEN[what].split(b"\n") if row.strip())
    if rows and kept_structure(rows):
        assert same(rows, array=True) == 0


# --- what it leaves ---

LEFT: dict[str, bytes] = {
    "another operation": lines([one(Operation="Send")]),
    "another workload": lines([one(Workload="SharePoint")]),
    "another type": lines([one(RecordType=1)]),
    "a type as a text": lines([one(RecordType="50")]),
    "another spelling": lines([one(UserId=..., userid="ada")]),
    "another name of it": lines([one(Client_IPAddress="::1")]),
    "a name twice": lines([one()]).replace(b'"UserType":0', b'"UserId":"eve"'),
    "a new name twice": lines([one(Fresh=1)]).replace(b'"UserType":0', b'"Fresh":2'),
    "a new name in two cases": lines([one(Fresh=1, fresh=2), one(fresh=3)]),
    "a name with an escape": lines([one()]).replace(b'"UserType"', b'"User\\u0054ype"'),
    "a name that is no ASCII": lines([one(Zeitä=1)]),
    "no identifier": lines([one(Id=...), one(Id="")]),
    "no time": lines([one(CreationTime=...), one(CreationTime=""), one(CreationTime="2024-02-30T00:00:00")]),
    "a zone": lines([one(CreationTime="2024-05-01T00:00:00+02:00")]),
    "a year before": lines([one(CreationTime="1969-12-31T23:59:59")]),
    "hour 24": lines([one(CreationTime="2024-05-01T24:00:00")]),
    "half of a pair": lines([one(UserId="\ud83d"), one(Folders=[{"Path": "\udd11"}])]),
    "halves in the wrong order": lines([one(UserId="\udd11\ud83d")]),
    "no UTF-8": lines([one()]).replace(b"S-1-5", b"\xff"),
    "an overlong form of a slash": lines([one()]).replace(b"S-1-5", b"\xc0\xaf"),
    "half of a pair as UTF-8": lines([one()]).replace(b"S-1-5", b"\xed\xa0\x80"),
    "a control character": lines([one()]).replace(b"S-1-5", b"\x01"),
    "an escape that is none": lines([one()]).replace(b"S-1-5", b"\\x41"),
    "a comma too many": lines([one()]).replace(b"}],", b"},],", 1),
    "no comma": lines([one()]).replace(b',"UserId"', b'"UserId"', 1),
    "a number that is none": lines([one()]).replace(b'"Version":1', b'"Version":01'),
    "a very long number": lines([one(Version=10**100)]),
    "a long number": lines([one(OperationCount=10**18)]),
    "less than nothing": lines([one(OperationCount=-1)]),
    "a fraction": lines([one(OperationCount=1.0)]),
    "a logon as a text": lines([one(LogonType="Owner"), one(LogonType=7)]),
    "a flag as a text": lines([one(ExternalAccess="True")]),
    "another result": lines([one(ResultStatus="Perhaps")]),
    "another token": lines([one(AppAccessContext={"UniqueTokenId": "a-token-of-another-issuer"})]),
    "a context in a text": lines([one(AppAccessContext='{"ClientAppId":"x"}')]),
    "a context in a context": lines([one(AppAccessContext={"result": {"ClientAppId": "x"}})]),
    "another spelling in the context": lines([one(AppAccessContext={"clientappid": "x"})]),
    "properties of another kind": lines([one(OperationProperties={"Name": "IsThrottled", "Value": "True"})]),
    "a property twice": lines([one(OperationProperties=2 * [{"Name": "IsThrottled", "Value": "True"}])]),
    "another spelling of a property": lines(
        [one(OperationProperties=[{"Name": "isthrottled", "Value": "1"}])]
    ),
    "another spelling of a path": lines([one(Folders=[{"path": "\\x"}])]),
    "a path twice": lines([one()]).replace(b'"Path":', b'"Path":"x","Path":'),
    "two spellings of one path": lines([one(Folders=[{"Path": "/x"}, {"Path": "/x"}])]).replace(
        b"/x", b"\\/x", 1
    ),
    "folders that are none": lines([one(Folders=["x", 1, None])]),
    "items of another kind": lines(
        [one(Item=[{"Id": "x"}]), one(Item={"result": {"Id": "x"}}), one(Item={"id": "x"})]
    ),
    "an envelope": lines(
        [{"records": [one()], **{key: one()[key] for key in ("Id", "CreationTime", "Operation", "Workload")}}]
    ),
    "two on a line": lines([one()])[:-1] + b" " + lines([one()]),
    "an array on a line": b"[" + lines([one()])[:-1] + b"]\n",
    "deep": lines([one(Version=json.loads("[" * 40 + "]" * 40))]),
    "a zero byte": lines([one()])[:-1] + b"\0\n",
    "half a record": lines([one()])[:300],
}


@pytest.mark.parametrize("what", LEFT)
def test_what_the_kernel_leaves(what: str) -> None:
    rows = LEFT[what]
    assert same(rows + lines([one(), management(SYNC)]) * (rows[-1:] == b"\n")) >= 1


def test_a_record_that_is_left_takes_no_other_with_it() -> None:
    rows = [one(), one(Operation="Send"), one(), one(Id=5), one()]
    assert same(lines(rows)) == 2
    assert same(lines(rows)[:-1].replace(b"\n", b","), array=True) == 2


def test_an_array_that_is_none_is_left_whole() -> None:
    out = Gathering("m365-audit", "")
    good = lines([one()])[:-1]
    assert SOURCE.block(Block(good, 0, array=True), out)
    for odd in (good + b" " + good, good + b",", good + b",1", good + b"]", b"", b",", good + b',{"a":"'):
        assert not SOURCE.block(Block(odd, 0, array=True), out)
    chunk = out.take("")
    assert (chunk.read, chunk.made) == (1, 1)


@pytest.mark.parametrize("odd_every", [0, 1, 7, 500])
def test_arrays_give_what_lines_do(odd_every: int, tmp_path: Path) -> None:
    rows = [management(access) | {"New": 1} for access in mailbox.accesses(1500, seed=9)]
    for place in range(0, len(rows), odd_every) if odd_every else ():
        rows[place] |= [{"LogonType": "Owner"}, {"Fresh": {"a": "]},{"}}, {"Operation": "Send"}][place % 3]
    texts = [json.dumps(row) for row in rows]
    lines_read = read_bytes(tmp_path, "\n".join(texts).encode(), "lines", source=SOURCE)
    array_read = read_bytes(tmp_path, f"[{','.join(texts)}]".encode(), "array", source=SOURCE)
    assert len(lines_read.rows("mail")) == len(rows)
    assert sorted(map(str, array_read.rows("mail"))) == sorted(map(str, lines_read.rows("mail")))
    assert array_read.reasons == lines_read.reasons
    assert (array_read.count, array_read.lost) == (lines_read.count, lines_read.lost)


def test_endless_names_are_learned_up_to_a_bound() -> None:
    rows = [one(**{f"New{number}": 1, "Fresh": 2}) for number in range(600)]
    out = Gathering("m365-audit", "")
    source = Counting()
    assert source.block(Block(lines(rows), 1000, 7), out)
    assert 300 < source.slow < 400
    assert account(out.take("")) == slowly(Block(lines(rows), 1000, 7))


def test_rows_are_held_until_the_chunk_is_taken() -> None:
    out = Gathering("m365-audit", "")
    data = mailbox.json_lines(FOUND)
    for _ in range(3):
        assert SOURCE.block(Block(data, 0, 1), out)
    assert out.rows == 3 * len(FOUND)
    first = out.take("")
    assert (first.read, first.made, out.rows) == (3 * len(FOUND), 3 * len(FOUND), 0)
    assert SOURCE.block(Block(data, 0, 1), out)
    again = out.take("").records["mail"].to_pylist()
    assert again == first.records["mail"].to_pylist()[: len(FOUND)]


def test_two_readings_at_once_are_apart() -> None:
    one_out, other_out = Gathering("m365-audit", "a"), Gathering("m365-audit", "b")
    SOURCE.block(Block(mailbox.json_lines(FOUND[:3]), 0, 1), one_out)
    SOURCE.block(Block(mailbox.json_lines(FOUND[3:8]), 0, 1), other_out)
    assert (one_out.take("").made, other_out.take("").made) == (3, 5)


# --- values, against the functions that say what they mean ---

ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda ip: f"{ip}:443"),
    st.ip_addresses(v=6).map(lambda ip: f"[{ip}]:51234"),
    st.ip_addresses(v=4).map(lambda ip: f"::FFFF:{ip}"),
    st.ip_addresses(v=4).map(lambda ip: f"[::ffff:{ip}:1]:443"),
    st.text("0123456789abcdefABCDEF:.[]%g \t", max_size=50),
)
TIMES = st.one_of(
    st.datetimes().map(lambda time: time.isoformat()[:26]),
    st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S}Z"),
    st.from_regex(
        r"\A(19|20|00)\d\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-6]\d(:[0-6]\d([.,]\d{1,10})?)?(Z|\+01:00)?\Z"
    ),
)
TOKENS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda one: f"{{{one}}}".upper()),
    st.uuids().map(mailbox.uti),
    st.uuids().map(lambda one: f"{mailbox.uti(one)}=="),
    st.from_regex(r"\A[A-Za-z0-9_+/=-]{20,24}\Z"),
    st.binary(min_size=36, max_size=36).map(lambda raw: b64encode(raw).decode()),
    st.uuids().map(lambda one: urlsafe_b64encode(str(one).encode()).decode()),
    st.sampled_from(["", "null", "None", "Not applicable", "00000000-0000-0000-0000-000000000000", "A" * 22]),
    st.text(max_size=50),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ADDRESSES, ADDRESSES, TIMES, TIMES, TOKENS), min_size=1, max_size=8))
def test_values(drawn: list[tuple[str, str, str, str, str]]) -> None:
    same(
        lines(
            [
                one(
                    ClientIPAddress=ip,
                    ClientIP=other,
                    CreationTime=time,
                    AppAccessContext={"IssuedAtTime": issued, "UniqueTokenId": token},
                )
                for ip, other, time, issued, token in drawn
            ]
        )
    )


TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 1 << 65)
    | st.floats(allow_nan=False)
    | TEXTS
    | st.sampled_from(["Path", "Id", "id", "2024-05-01T00:00:00", "Bind", "Sync", "True", "MailAccessType"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Path",
                    "path",
                    "Id",
                    "ID",
                    "FolderItems",
                    "InternetMessageId",
                    "Name",
                    "Value",
                    "ParentFolder",
                    "result",
                    "New",
                    "IssuedAtTime",
                    "ClientAppId",
                    "UniqueTokenId",
                ]
            )
            | TEXTS,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *management(BIND),
        "Item",
        "ClientIP",
        "TokenObjectId",
        "New",
        "new",
        "id",
        "Subject",
        "records",
        "result",
    ]
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), NAMES | TEXTS, PLAIN), max_size=6), st.booleans(), st.booleans())
def test_members_of_all_kinds(changes: list[tuple[int, str, Any]], ascii_only: bool, array: bool) -> None:
    rows = [management(access) for access in FOUND[:6]]
    for place, name, value in changes:
        rows[place][name] = value
    texts = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    data = (",\n" if array else "\n").join(texts).encode("utf-8", "surrogatepass")
    if not array or kept_structure(data):
        same(data, array=array)


PIECES = [
    b'"',
    b"\\",
    b"\n",
    b"\0",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b" ",
    b"\xff",
    b"\xc3\xa9",
    b"\\u",
    b"\\ud83d",
    b"\\ude00",
    b"\\n",
    b"0",
    b"-",
    b"1e5",
    b".",
    b"null",
    b"true",
    b'"Id":"x",',
    b'"New":1,',
    b'{"a":[1]},',
    b"\x7f",
    b"\xf0\x9f\x94\x91",
    b'"UserId":null,',
    b"\r",
    b"\\/",
    b"A",
    b"\x1e",
    b"\xef\xbb\xbf",
]


def broken(chance: random.Random, data: bytes) -> bytes:
    """With a few changes, most of them within a record's beginning or where its parts meet."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made))
        if chance.random() < 0.5:  # where something begins or ends
            at = max(made.find(chance.choice((b'"', b"\\", b",", b"{", b"}", b":")), at), 0) + chance.randint(
                0, 1
            )
        width = chance.choice((0, 0, 1, 1, 1, 2, 8, 40))
        made[at : at + width] = chance.choice((b"", chance.choice(PIECES), bytes([chance.randrange(256)])))
    return bytes(made)


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_bytes_that_were_changed(seed: int, array: bool) -> None:
    chance = random.Random(seed)
    rows = [one(New=1), management(SYNC), *map(management, FOUND[:4]), one(UserId="\u00e9\U0001f511")]
    whole = lines(rows)[:-1].replace(b"\n", b",") if array else lines(rows)
    done = 0
    for _ in range(60):
        data = broken(chance, whole)
        if array and not kept_structure(data):
            continue
        done += same(data, array=array) >= 0
    assert done > 5


# --- a column of CSV ---


def cells(rows: list[Any], **around: str) -> list[tuple[Where, dict[str, str]]]:
    """Rows of CSV with records in them; texts are taken as they are."""
    columns = {
        "RecordType": "ExchangeItemAggregated",
        "UserIds": "around@x",
        "Operations": "MailItemsAccessed",
    } | around
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return [(Where(9 * n, n), columns | {"AuditData": text}) for n, text in enumerate(texts, 2)]


def left_of(found: list[tuple[Where, dict[str, str]]]) -> int:
    """Holds both ways against each other; how many rows the kernel left."""
    quick, slow = Gathering("m365-audit", ""), Gathering("m365-audit", "")
    left = Mailbox("m365-audit").take_texts(found, Gathering("m365-audit", ""))
    SOURCE.rows(found, quick)
    TextSource.rows(SOURCE, found, slow)
    quick.read = slow.read = len(found)
    assert account(quick.take("")) == account(slow.take(""))
    return len(left)


CELLS: list[tuple[str, list[tuple[Where, dict[str, str]]], int]] = [
    ("whole", cells([one(), management(SYNC)]), 0),
    ("new members", cells([one(), one(New=1), one(AppAccessContext={"New": 2})]), 0),
    ("no user", cells([one(UserId=...), one(UserId=""), one()]), 2),
    ("no type", cells([one(RecordType=None), one()], RecordType="ExchangeAdmin"), 1),
    ("nothing", cells(["", " ", one(), "\n", "x\n", "null"]), 5),
    ("a break within", cells([json.dumps(one(), indent=1), one()]), 1),
    ("half a record", cells([json.dumps(one())[:500], one()]), 1),
    ("twice encoded", cells([json.dumps(json.dumps(one())), one()]), 1),
    ("half of a pair", cells(["\ud83d", one()]), 2),
    ("columns that say more", cells([one(), one()], ClientIP="192.0.2.1"), 2),
    ("columns that are new", cells([one(), one()], Fresh="x"), 2),
    ("the column twice", cells([one(), one()], auditdata="x"), 2),
    ("a row that is cut", [*cells([one()]), (Where(5, 3), {"RecordType": "50"})], 1),
]


@pytest.mark.parametrize(("what", "found", "left"), CELLS, ids=[row[0] for row in CELLS])
def test_a_column_of_csv(what: str, found: list[tuple[Where, dict[str, str]]], left: int) -> None:
    assert left_of(found) == left
