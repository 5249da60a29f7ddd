"""What becomes of each kind of event, and of lines that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.mail.access import MOST_BYTES, Access, decode_access, encode_access
from immure.mail.errors import AccessRowError, EventError
from immure.mail.events import parse_event
from immure.mail.sessions import Sessions
from immure.mail.translate import Translator
from mail import events as made

DIGEST = bytes.fromhex(made.DIGEST)


def one(line: bytes, *before: bytes) -> Access:
    """The record of a line, when those before it have been read."""
    *_, record = Translator().records([*before, line])
    return record


CASES: list[tuple[bytes, dict[str, Any]]] = [
    (made.login(), {"action": "login", "outcome": "accepted", "mechanism": "XOAUTH2", "service": "imap"}),
    (
        made.login(error="Authentication failed", user="ada@a.example", original_user="bob@b.example"),
        {"action": "login", "outcome": "refused", "mailbox": "bob@b.example"},
    ),
    (made.login(mail_tenant="-"), {"tenant": None, "issuer": "https://login.example"}),
    (
        made.opened(),
        {"action": "bind", "folder": "INBOX", "uid": 2, "how": ("cmd_fetch", "fetch_body"), "digest": DIGEST},
    ),
    (made.opened(uid="2", reason_code="imap:cmd_fetch"), {"uid": None, "how": ("cmd_fetch",)}),
    (made.opened(uid=-1, reason_code=[1, None]), {"uid": None, "how": ()}),
    (made.opened(uid=True), {"uid": None}),
    (made.command("FETCH", "1:* (ENVELOPE)"), {"action": "sync", "messages": "1:*", "numbers": "sequence"}),
    (
        made.command("UID FETCH", "3,5:7 (FLAGS)"),
        {"messages": "3,5:7", "numbers": "uid", "command": "UID FETCH"},
    ),
    (made.command("FETCH", "nonsense"), {"action": "sync", "messages": None, "numbers": None}),
    (made.command("SEARCH", "TEXT secret"), {"action": "sync", "messages": None}),
    (made.command("SELECT", "INBOX"), {"action": "select", "folder": "INBOX"}),
    (
        made.command("COPY", '2 "Deep Box"', tagged_reply="OK [COPYUID 1796020954 17 3] Copy completed."),
        {"action": "copy", "messages": "17", "numbers": "uid", "to": "Deep Box"},
    ),
    (
        made.command("UID MOVE", "2 Trash"),
        {"action": "move", "messages": "2", "numbers": "uid", "to": "Trash"},
    ),
    (
        made.command("APPEND", "INBOX", tagged_reply="OK [APPENDUID 1796020954 9] Append completed."),
        {"action": "append", "uid": 9},
    ),
    (made.event("mail_expunged", uid=4, mailbox="INBOX"), {"action": "expunge", "uid": 4}),
    (made.ended(), {"action": "logout", "received": 3, "sent": 4}),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_an_event_makes_a_record(line: bytes, expected: dict[str, Any]):
    record = one(line)
    assert {name: getattr(record, name) for name in expected} == expected
    assert (record.ip, record.port, record.session) == ("192.0.2.7", 43588, "SPvWu3hhRKp/AAAB")
    assert record.time == 1796021431.5
    assert decode_access(encode_access(record)) == record


@pytest.mark.parametrize(
    "line",
    [
        made.event("dns_request_finished"),
        made.command("NOOP"),
        made.command("FETCH", "1", tagged_reply_state="NO"),
        made.sent(recipients_succeeded=0),
    ],
)
def test_other_events_are_counted(line: bytes):
    translator = Translator()
    assert translator.records([line]) == []
    assert translator.passed == 1


def test_a_command_has_the_digest_of_its_login():
    record = one(made.command("FETCH", "1"), made.login())
    assert (record.digest, record.tenant, record.issuer) == (DIGEST, "7ab8", "https://login.example")


def test_a_login_may_stand_after_what_was_done_with_it():
    first, _ = Translator().records([made.command("FETCH", "1"), made.login()])
    assert first.digest == DIGEST


def test_without_a_login_nothing_is_guessed():
    record = one(made.command("FETCH", "1", session="other", remote_port=1), made.login())
    assert record.digest is None
    assert record.session == "other"


def test_what_was_sent_has_the_session_of_the_login():
    record = one(made.sent(), made.login(protocol="submission"))
    assert (record.action, record.digest, record.session) == ("send", DIGEST, "SPvWu3hhRKp/AAAB")


def test_a_port_that_is_used_again_is_another_connection():
    other = "f" * 32
    lines = [
        made.login(),
        made.sent(),
        made.ended(),
        made.login(session="second", token_digest=other),
        made.sent(),
    ]
    sends = [row for row in Translator().records(lines) if row.action == "send"]
    assert [row.digest for row in sends] == [DIGEST, bytes.fromhex(other)]


def test_a_session_that_has_ended_is_forgotten():
    translator = Translator()
    translator.records([made.login(), made.ended()])
    assert len(translator.sessions) == 0


def test_the_table_of_sessions_is_bounded():
    sessions = Sessions(most=10)
    translator = Translator(sessions)
    translator.records([made.login(session=str(number), remote_port=number) for number in range(100)])
    assert len(sessions) <= 20
    again = Sessions(most=10)
    again.from_json(json.loads(json.dumps(sessions.to_json())))
    assert again.to_json() == sessions.to_json()


@pytest.mark.parametrize(
    "rows",
    [None, {}, [1], [[]], [["s x", 1, None, None, None, None]], [[None, None, None, None, None, None]]],
)
def test_a_table_that_is_none_is_refused(rows: Any):
    with pytest.raises(ValueError, match=r"session"):
        Sessions().from_json(rows)


BROKEN = [
    b"",
    b"no json",
    b"[]",
    b"{}",
    b'{"event":"x","fields":{}}',
    b'{"event":"x","fields":[],"end_time":"2026-11-30T06:50:31Z"}',
    b'{"event":1,"fields":{},"end_time":"2026-11-30T06:50:31Z"}',
    b'{"event":"x","fields":{},"end_time":"yesterday"}',
    b'{"event":"x","fields":{},"end_time":"2026-11-30T06:50:31"}',
    b'{"event":"x","fields":{},"end_time":1796021431}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"event":"x",' + b" " * (1 << 20) + b'"fields":{}}',
]


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_event_is_a_gap(line: bytes):
    with pytest.raises(EventError):
        parse_event(line)
    record, gap = Translator().records([made.login(), line, line])
    assert (gap.action, gap.reason, gap.lines, gap.time) == ("gap", "unreadable", 2, record.time)


def test_the_same_event_has_the_same_name_and_another_has_another():
    first, second = one(made.opened()), one(made.opened(uid=3))
    assert first.id == one(made.opened()).id != second.id


def test_a_record_has_a_bounded_size():
    long = "\U0001f600" * 5000
    line = made.opened(mailbox=long, user=long, token_issuer=long, reason_code=[long] * 99, session=long)
    assert len(encode_access(one(line))) < MOST_BYTES
    line = made.command("COPY", f"1 {long}", mailbox=long, user=long, tagged_reply=long)
    assert len(encode_access(one(line, made.login(token_issuer=long)))) < MOST_BYTES


ROWS: list[tuple[bytes, str]] = [
    (b"", "no JSON"),
    (b"[]", "no object"),
    (b"{}", "without id"),
    (b'{"id":"00","time":1,"action":"bind"}', "id is not 16"),
    (b'{"id":"' + b"0" * 32 + b'","time":true,"action":"bind"}', "time"),
    (b'{"id":"' + b"0" * 32 + b'","time":NaN,"action":"bind"}', "time"),
    (b'{"id":"' + b"0" * 32 + b'","time":1,"action":"fly"}', "action"),
    (b'{"id":"' + b"0" * 32 + b'","time":1}', "without action"),
    (b'{"id":"' + b"0" * 32 + b'","time":1,"action":"bind","uid":-1}', "uid"),
    (b'{"id":"' + b"0" * 32 + b'","time":1,"action":"bind","how":"x"}', "how"),
    (b'{"id":"' + b"0" * 32 + b'","time":1,"action":"bind","folder":1}', "folder"),
    (b'{"id":"' + b"0" * 32 + b'","time":1,"action":"bind","digest":"zz"}', "digest"),
    (b"[" * 70_000, "more than"),
]


@pytest.mark.parametrize(("line", "words"), ROWS)
def test_what_is_no_record_is_refused(line: bytes, words: str):
    with pytest.raises(AccessRowError, match=words):
        decode_access(line)


def test_members_that_are_not_known_are_passed_over():
    line = b'{"id":"' + b"0" * 32 + b'","time":1,"action":"bind","later":{}}'
    assert decode_access(line).action == "bind"


TEXT = st.none() | st.text(max_size=30)


@given(
    st.builds(
        Access,
        id=st.binary(min_size=16, max_size=16),
        time=st.floats(0, 4e9),
        action=st.sampled_from(["login", "bind", "sync", "gap"]),
        folder=TEXT,
        mailbox=TEXT,
        digest=st.none() | st.binary(min_size=16, max_size=16),
        uid=st.none() | st.integers(0, 2**63 - 1),
        how=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    )
)
def test_a_record_comes_back_as_it_was(record: Access):
    assert decode_access(encode_access(record)) == record
