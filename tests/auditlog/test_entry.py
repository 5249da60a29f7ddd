"""Entries: a line of a known shape, and nothing else."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from immure.auditlog.entry import MAX_ENTRY_BYTES, encode_entry, parse_entry
from immure.errors import LogError

TIME = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "body": {"a": 1},
    "index": 3,
    "kind": "gate.allow",
    "time": "2026-11-25T01:02:03Z",
    "v": 1,
}


def line(**changes: object) -> bytes:
    fields = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_line() -> None:
    assert encode_entry(3, TIME, "gate.allow", {"a": 1}) == line()
    entry = parse_entry(line(), index=3)
    assert (entry.index, entry.time, entry.kind, entry.body) == (3, TIME, "gate.allow", {"a": 1})
    assert entry.leaf_hash == hashlib.sha256(b"\0" + line()).digest()
    assert entry.to_line() == line()


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 11, 25, 3, 2, 3, 45, tzinfo=timezone(timedelta(hours=2)))
    data = encode_entry(0, moment, "k", {})
    assert b'"time":"2026-11-25T01:02:03.000045Z"' in data
    assert parse_entry(data, index=0).time == moment


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "not an object of body, index, kind, time, v"),
        (line(v=...), "not an object of"),
        (line(more=1), "not an object of"),
        (line(v=2), "of a version"),
        (line(v=True), "of a version"),
        (line(v="1"), "of a version"),
        (line(index=4), "its own index is another one"),
        (line(index="3"), "its own index"),
        (line(index=None), "its own index"),
        (line(body=[]), "its body is not an object"),
        (line(body="a"), "its body is not an object"),
        (line(kind="Gate"), "the kind of an entry"),
        (line(kind=7), "the kind of an entry"),
        (line(kind="a" * 65), "the kind of an entry"),
        (line(time=None), "not one of RFC 3339"),
        (line(time="yesterday"), "not one of RFC 3339"),
        (line(time="2026-11-25T01:02:03"), "not one of RFC 3339"),
        (line(time="0001-01-01T00:00:00+23:59"), "not one of RFC 3339"),
        (line(time="2026-11-25T01:02:03+00:00"), "not written as"),
        (line(time="2026-11-25T01:02:03.100Z"), "not written as"),
        (line() + b" ", "not in canonical form"),
        (b'"' + b"x" * MAX_ENTRY_BYTES + b'"', "longer than"),
    ],
)
def test_what_is_no_entry(data: bytes, words: str) -> None:
    with pytest.raises(LogError, match=words) as caught:
        parse_entry(data, index=3, path="entries.jsonl", offset=77)
    assert (caught.value.path, caught.value.offset) == ("entries.jsonl", 77)
    assert caught.value.reason.startswith("entry 3: ")


@pytest.mark.parametrize("index", [True, False])
def test_a_boolean_is_no_index(index: bool) -> None:
    with pytest.raises(LogError, match="its own index"):
        parse_entry(line(index=index), index=int(index))


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("", {}, "the kind"),
        ("a..b", {}, "the kind"),
        (".a", {}, "the kind"),
        ("a b", {}, "the kind"),
        ("a\n", {}, "the kind"),
        ("é", {}, "the kind"),
        ("a", [], "the body of an entry is an object, not list"),
        ("a", {"x": 0.5}, "type float"),
        ("a", {"x": "y" * MAX_ENTRY_BYTES}, "there may be 1048576"),
    ],
)
def test_what_is_not_written(kind: str, body: Any, words: str) -> None:
    with pytest.raises(LogError, match=words):
        encode_entry(0, TIME, kind, body)


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(LogError, match="without a time zone"):
        encode_entry(0, TIME.replace(tzinfo=None), "a", {})


@pytest.mark.parametrize("kind", ["a", "gate.allow", "key-event.created_2", "0", "a" * 64])
def test_kinds(kind: str) -> None:
    assert parse_entry(encode_entry(0, TIME, kind, {}), index=0).kind == kind


def test_the_longest_entry() -> None:
    room = MAX_ENTRY_BYTES - len(encode_entry(0, TIME, "k", {"x": ""}))
    data = encode_entry(0, TIME, "k", {"x": "y" * room})
    assert len(data) == MAX_ENTRY_BYTES
    assert parse_entry(data, index=0).to_line() == data
