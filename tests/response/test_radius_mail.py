"""Mailboxes: what was read with the tokens that count, and what is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from immure.detections.records import MailAccess
from immure.response.radius import Interval, Mailbox, TenantImpact
from response.states import BEGIN, END, digest, radius_of, read, used

ADA = "ada@contoso.example"


def tenant(radius: Any, name: str = "contoso") -> TenantImpact:
    found: TenantImpact = next(one for one in radius.tenants if one.tenant == name)
    return found


def boxes(
    place: Path, mail: list[MailAccess], accepted: list[Any] | None = None, **members: Any
) -> tuple[Mailbox, ...]:
    rows = [used(1), used(2)] if accepted is None else accepted
    return tenant(radius_of(place, rows, mail, **members)).mailboxes


def test_messages_and_folders(tmp_path: Path) -> None:
    mail = [
        read(1, 120),
        read(1, 130, messages=["<b@x>", "<a@x>"]),
        read(2, 140, action="sync", messages=None, folders=["Inbox", "Drafts"]),
        read(
            2, 150, mailbox="bo@contoso.example", messages=None, action=None, operation="Send", folders=None
        ),
        read(9, 160),  # a token of nobody's interest
    ]
    assert boxes(tmp_path, mail) == (
        Mailbox(ADA, ("<1@x>", "<a@x>", "<b@x>"), ("Drafts", "Inbox"), 3),
        Mailbox("bo@contoso.example", (), (), 1),
    )


@pytest.mark.parametrize(
    ("accepted", "mail", "count"),
    [
        ({}, {}, 1),
        ({"digest": None, "token_id": "t1"}, {"digest": None, "token_id": "t1"}, 1),
        ({"token_id": "t1"}, {"digest": None, "token_id": "t1"}, 1),
        ({"session": "s1"}, {"digest": None, "session": "s1"}, 1),
        ({"session": "s1"}, {"digest": digest(7), "session": "s1"}, 0),  # it names another token
        ({"session": "s1"}, {"digest": None, "token_id": "t7", "session": "s1"}, 0),
        ({}, {"succeeded": False}, 0),
        ({}, {"succeeded": True}, 1),
        ({"verdict": "refused"}, {}, 0),
        ({"kid": "k2"}, {}, 0),
        ({}, {"time": (END + 5) * 1_000_000}, 0),
        ({}, {"tenant": None}, 1),
        ({}, {"mailbox": None, "mailbox_id": ADA}, 1),
    ],
)
def test_how_a_record_names_a_token(
    tmp_path: Path, accepted: dict[str, Any], mail: dict[str, Any], count: int
) -> None:
    radius = radius_of(tmp_path, [used(1, **accepted), used(2)], [read(1, **mail)])
    found = tenant(radius).mailboxes
    assert sum(box.accesses for box in found) == count
    assert [box.address for box in found] == [ADA] * count


def test_a_record_that_came_twice(tmp_path: Path) -> None:
    [box] = boxes(tmp_path, [read(1), read(1, source="other-shape"), read(1, 121)])
    assert box.accesses == 2


def test_what_a_person_says_is_the_thief(tmp_path: Path) -> None:
    mail = [
        read(7, 120, digest=None, app="evil"),
        read(7, 121, digest=None, client_app="evil"),
        read(7, 122, digest=None, ip="203.0.113.7"),
        read(7, 123, digest=None, app="good", ip="192.0.2.1"),
    ]
    assert boxes(tmp_path / "a", mail) == ()
    [box] = boxes(tmp_path / "b", mail, apps=["evil"], addresses=["203.0.113.7", "it's"])
    assert box.accesses == 3
    alone = radius_of(tmp_path / "c", [], mail, apps=["evil"])  # no log of acceptances at all, as in 2023
    assert tenant(alone).standing == "affected"
    assert tenant(alone).at_least


def test_throttled(tmp_path: Path) -> None:
    """Logging stopped: unknown for a day, also of a tenant of which nothing else is seen."""
    mail = [read(1, 300, digest=None, throttled=True, tenant="fabrikam", mailbox="f@f"), read(1, 120)]
    radius = radius_of(tmp_path, [used(1)], mail)
    words = "logging of the mailbox f@f stopped: throttled"
    assert (
        Interval(BEGIN + 300, END, words) in tenant(radius, "fabrikam").unknown
    )  # cut where we look no more
    assert tenant(radius, "fabrikam").standing == "unknown"


def test_a_gap_of_dovecot(tmp_path: Path) -> None:
    mail = [
        read(1, 100, source="dovecot"),
        MailAccess(
            time=(BEGIN + 500) * 1_000_000, source="dovecot", record_id="g", operation="gap", throttled=True
        ),
    ]
    radius = radius_of(tmp_path, [used(1)], mail)
    assert Interval(BEGIN + 100, BEGIN + 501, "the mailbox log has a gap here") in radius.unknown
    first = radius_of(tmp_path / "b", [used(1)], mail[1:])
    assert Interval(BEGIN, BEGIN + 501, "the mailbox log has a gap here") in first.unknown


def test_records_that_name_no_token(tmp_path: Path) -> None:
    mail = [read(1), read(8, 400, digest=None), read(9, 500, digest=None, tenant="fabrikam")]
    radius = radius_of(tmp_path, [used(1)], mail, tenants=["fabrikam"])
    words = "1 mailbox record without a token's name: whose they are is not known"
    assert Interval(BEGIN + 400, BEGIN + 401, words) in tenant(radius).unknown
    assert not any("name" in one.reason for one in tenant(radius, "fabrikam").unknown)


def test_names_that_acceptances_do_not_have(tmp_path: Path) -> None:
    """A mailbox log with identifiers helps nobody if the logs of acceptances have digests only."""
    mail = [read(1, 200, digest=None, token_id="t1")]
    radius = radius_of(tmp_path, [used(1)], mail)
    assert any("without a token's name" in one.reason for one in tenant(radius).unknown)


def test_no_mailbox_log(tmp_path: Path) -> None:
    radius = radius_of(tmp_path, [used(1)])
    assert (
        Interval(BEGIN, END, "the mailbox log of this tenant has no row of this time")
        in tenant(radius).unknown
    )
    seen = radius_of(tmp_path / "b", [used(1)], [read(1)])
    assert tenant(seen).unknown == ()
