"""Mailbox records: what is new, what is too much, and what cannot be known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detections.test_reconcile import write
from immure.detections.engine import Engine
from immure.detections.finding import Finding
from immure.detections.habit_rules import baseline, first_seen
from immure.detections.row_rules import row_findings
from immure.detections.rule_files import built_in
from immure.detections.tables import bind
from immure.detections.weak import bind_used, weak_counts, weak_findings

RULES = {rule.id: rule for rule in built_in()}
DAY = 86_400_000_000


def mail(day: float, user: str = "ada", **more: Any) -> dict[str, Any]:
    values = {
        "time": int(day * DAY), "source": "x", "operation": "MailItemsAccessed", "tenant": "t", "user": user,
        "mailbox": user, "app": "a1", "client_app": "c1", "ip": "10.0.0.1", **more,
    }  # fmt: skip
    return {"record_id": f"{day}:{user}:{sorted(more.items())}", **values}


def tenant(*more: dict[str, Any]) -> list[dict[str, Any]]:
    """Twenty users over a month, and what else there is."""
    return [mail(day, f"user-{number}") for number in range(20) for day in (0, 5, 10, 15, 20)] + list(more)


def seen(tmp_path: Path, rule: str, rows: list[dict[str, Any]]) -> list[Finding]:
    path = write(tmp_path / "mail.parquet", rows, "mail", 50)
    with Engine(tmp_path, threads=1) as engine:
        bind(engine, "mail", [path])
        known = baseline(engine, "mail", 14)
        assert known is not None
        return sorted(first_seen(engine, RULES[rule], known), key=Finding.order)


def test_a_client_that_is_new_in_a_tenant_is_ranked_by_how_rare_it_is(tmp_path: Path) -> None:
    wide = [mail(16, f"user-{number}", app="new") for number in range(12)]
    rare = [mail(17, "user-3", app="stolen", client_app="00000002-0000-0ff1-ce00-000000000000")]
    found = seen(tmp_path, "mail-new-client", tenant(*wide, *rare))
    assert [one.keys["app"] for one in found] == ["stolen", "new"]
    assert found[0].score > found[1].score
    assert "in 1 of 20 mailboxes" in found[0].reason
    assert "after 14 days without it" in found[0].reason


def test_a_new_tenant_of_a_known_client_is_new_too(tmp_path: Path) -> None:
    found = seen(tmp_path, "mail-new-client", tenant(mail(16, "eve", tenant="t2")))
    assert [one.keys["tenant"] for one in found] == ["t2"]


def test_networks_are_told_by_their_first_bits(tmp_path: Path) -> None:
    rows = tenant(
        mail(16, "user-1", ip="10.0.0.77"), mail(16, "user-1", ip="203.0.113.9"),
        mail(16, "user-2", ip="2001:db8:1:2::7"), mail(16, "user-2", ip=None),
    )  # fmt: skip
    found = seen(tmp_path, "mail-new-network", rows)
    assert {one.keys["network"] for one in found} == {"203.0.113.0/24", "2001:db8:1::/48"}


def test_a_log_that_is_shorter_than_the_baseline_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "mail.parquet", [mail(0), mail(13)], "mail", 50)
    with Engine(tmp_path, threads=1) as engine:
        bind(engine, "mail", [path])
        assert baseline(engine, "mail", 14) is None


def test_a_record_that_came_twice_counts_once(tmp_path: Path) -> None:
    rows = [mail(1, throttled=True), mail(1, throttled=True), mail(2, throttled=True)]
    path = write(tmp_path / "mail.parquet", rows, "mail", 50)
    with Engine(tmp_path, threads=1) as engine:
        assert bind(engine, "mail", [path]) == 1
        (found,) = row_findings(engine, RULES["mail-throttled"])
    assert found.count == 2
    assert "nobody can say what was read" in found.reason


def test_tokens_without_a_sign_in_are_weak_leads(tmp_path: Path) -> None:
    signin = [
        {
            "time": n * 3_600_000_000,
            "source": "entra",
            "record_id": f"s{n}",
            "event": "sign-in",
            "token_id": f"t{n}",
        }
        for n in range(48)
    ]
    rows = [
        mail(1, token_id="t24", token_iat=86_400), mail(1, "eve", token_id="forged", token_iat=86_400),
        mail(9, token_id="later", token_iat=9 * 86_400), mail(1, "bob"),
    ]  # fmt: skip
    paths = [
        write(tmp_path / "mail.parquet", rows, "mail", 50),
        write(tmp_path / "s.parquet", signin, "signin", 50),
    ]
    with Engine(tmp_path, threads=1) as engine:
        bind(engine, "mail", paths[:1])
        bind(engine, "signin", paths[1:])
        bind_used(engine)
        (found,) = weak_findings(engine, RULES["token-without-sign-in"])
        counts = weak_counts(engine)
    assert found.keys["token_id"] == "forged"
    assert found.strength == "weak"
    assert counts == {
        "mail records": 4, "without a token identifier": 1, "acceptances without a digest": 0,
        "outside of the sign-ins' time": 1, "held against sign-ins": 2,
    }  # fmt: skip


def test_acceptances_without_a_digest_are_held_against_sign_ins(tmp_path: Path) -> None:
    signin = [
        {"time": n * DAY, "source": "e", "record_id": f"s{n}", "event": "sign-in", "token_id": f"t{n}"}
        for n in range(3)
    ]
    base = {"source": "x", "time": DAY, "verdict": "accepted", "iat": 86_400, "sub": "ada", "client": "c1"}
    rows = [
        {**base, "record_id": "1", "token_id": "t1"},
        {**base, "record_id": "2", "token_id": "forged"},
        {**base, "record_id": "3", "token_id": "with-digest", "digest": b"d" * 16},
        {**base, "record_id": "4", "token_id": "refused", "verdict": "refused"},
    ]
    with Engine(tmp_path, threads=1) as engine:
        bind(engine, "mail", [])
        bind(engine, "signin", [write(tmp_path / "s.parquet", signin, "signin", 50)])
        bind_used(engine, [write(tmp_path / "a.parquet", rows, "acceptance", 50)])
        (found,) = weak_findings(engine, RULES["token-without-sign-in"])
        counts = weak_counts(engine)
    assert found.keys == {"token_id": "forged", "user": "ada", "app": "c1"}
    assert found.strength == "weak"
    assert counts["acceptances without a digest"] == counts["held against sign-ins"] == 2
