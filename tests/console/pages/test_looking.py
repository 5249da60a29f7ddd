"""Pages of tokens, incidents, access and logs: who sees what, and what is on them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import pytest

from console.columns import BEGIN
from console.pages.conftest import LivedIn
from console.world import ROOM_ORIGIN, Visitor
from immure.clock import to_rfc3339
from immure.console.pages import access, incidents, logs, tokens
from immure.console.tenant import Tenant

People = Callable[[str], Visitor]
PAGES = ("tokens", "incidents", "incidents/inc-1", "access", "logs", "logs/gate/checkpoint")
SPAN = "tokens/span?begin=2026-11-01T00:00:00Z&end=2026-11-01T07:00:00Z"


@pytest.mark.parametrize("page", [*PAGES, SPAN])
@pytest.mark.parametrize(
    ("account", "status"),
    [("", 303), ("prd-barbara", 404), ("prd-edsger", 200), ("prd-grace", 200), ("prd-ada", 200)],
)
def test_who_may_look(people: People, page: str, account: str, status: int) -> None:
    answer = people(account).get(f"/t/acme/{page}")
    assert answer.status_code == status
    if status == 303:
        assert answer.headers["location"] == "/sign-in"


@pytest.mark.parametrize("page", ["access", "logs", "logs/gate/checkpoint", "incidents/no-such"])
def test_what_a_tenant_has_not_is_not_there(people: People, page: str) -> None:
    assert people("prd-barbara").get(f"/t/globex/{page}").status_code == 404


@pytest.mark.parametrize("page", [*PAGES, SPAN, "tokens?span=year"])
def test_nothing_of_another_tenant(people: People, page: str) -> None:
    assert "globex" not in people("prd-ada").get(f"/t/acme/{page}").text.lower()


def test_another_tenants_rows(people: People) -> None:
    when = f"begin={to_rfc3339(_moment(BEGIN))}&end={to_rfc3339(_moment(BEGIN + 3600))}"
    assert people("prd-barbara").get(f"/t/globex/tokens/span?{when}").text.count("globex-user") == 3


def _moment(seconds: int) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("start", ["tokens", "tokens?span=month", "incidents", "access?grants=all", "logs"])
def test_every_link_leads_somewhere(people: People, start: str) -> None:
    visitor, seen, todo = people("prd-ada"), set[str](), [f"/t/acme/{start}"]
    while todo and len(seen) < 40:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = visitor.get(path)
        assert answer.status_code == 200, (path, answer.text)
        found = [html.unescape(one) for one in re.findall(r'href="([^"]+)"', answer.text)]
        own = [urljoin(path, one) for one in found if not urlsplit(one).netloc and not one.startswith("#")]
        section = start.partition("?")[0]
        todo += [one for one in own if one.startswith(f"/t/acme/{section}")]
    assert len(seen) > 1 or start.startswith("access")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("tokens?span=century", 400, "span is one of"),
        ("tokens?end=tomorrow", 400, "end is a time"),
        ("tokens?end=2026-11-01T00:00:00", 400, "end is a time"),
        ("tokens?end=9999-12-31T23:59:59Z&span=year", 200, "Nothing in this span"),
        ("tokens?end=1970-01-01T00:00:00Z", 200, "Nothing in this span"),
        ("tokens?end=1969-12-31T00:00:00Z", 400, "from 1970"),
        ("tokens?page=99999999", 200, "Findings"),
        ("tokens?page=x&rule=no-such-rule", 200, "Nothing was found"),
        ("tokens?rule=" + "x" * 401, 400, "longer than"),
        ("tokens/span", 400, "begin and end"),
        ("tokens/span?begin=2026-11-01T01:00:00Z&end=2026-11-01T00:00:00Z", 400, "after begin"),
        ("tokens/span?begin=2020-11-01T01:00:00Z&end=2026-11-01T00:00:00Z", 400, "by a year"),
        (f"{SPAN}&kind=stolen", 400, "kind is one of"),
        (f"{SPAN}&after=x", 400, "no place"),
        (f"{SPAN}&issuer=%3Cscript%3Ealert(1)%3C/script%3E", 200, "&lt;script&gt;"),
        (f"{SPAN}&kind=forged", 200, r"Forged \(3\)"),
        ("incidents/inc-1?kind=rumour", 400, "kind is one of"),
        ("incidents/inc-1?kind=fact&sure=confirmed&order=oldest", 200, "left the room"),
        ("incidents/..%2F..%2Froom", 404, "no such page"),
        ("incidents/no-such", 404, "no such incident|no such page"),
        ("access?grants=none", 400, "grants is one of"),
        ("logs/no-such/checkpoint", 404, "no such"),
    ],
)
def test_what_addresses_ask_for(people: People, path: str, status: int, words: str) -> None:
    answer = people("prd-ada").get(f"/t/acme/{path}")
    assert answer.status_code == status
    assert re.search(words, answer.text)
    assert "<script>alert" not in answer.text


# --- what is on them ---


def test_tokens_over_time(people: People, lived_in: LivedIn) -> None:
    text = people("prd-edsger").get("/t/acme/tokens").text
    (drawing,) = re.findall(r'<svg [^>]*class="plot".*?</svg>', text, re.S)
    svg = ElementTree.fromstring(drawing)
    told = next(one.text for one in svg if one.tag.endswith("desc"))
    verdicts = lived_in.outcome.verdicts
    assert told is not None
    assert f"{sum(verdicts.values()):,} accepted, 0 refused, {verdicts['forged']:,} forged" in told
    rows = re.findall(r'<tr><th scope="row"><a href="[^"]+">.*?</tr>', text)
    cells = [[int(one.replace("\u202f", "")) for one in re.findall(r'number">([^<]*)<', row)] for row in rows]
    assert [sum(column) for column in zip(*cells, strict=True)][1:] == [
        sum(verdicts.values()), 0, verdicts["forged"],
    ]  # fmt: skip
    assert text.count("a token was accepted that the issuer never issued") == verdicts["forged"]


def test_from_a_finding_to_the_row(people: People, lived_in: LivedIn) -> None:
    visitor = people("prd-edsger")
    finding = next(one for one in lived_in.outcome.findings if one.rule == "token-forged")
    links = re.findall(r'href="([^"]*kind=forged)"', visitor.get("/t/acme/tokens?rule=token-forged").text)
    assert any(finding.keys["digest"] in visitor.get(html.unescape(link)).text for link in links)


def test_an_incident(people: People) -> None:
    visitor = people("prd-edsger")
    overview, text = (visitor.get(f"/t/acme/{path}").text for path in ("incidents", "incidents/inc-1"))
    assert "OVERDUE" in overview
    assert "no incident that can be read" in overview
    assert "&lt;script&gt;alert(1)&lt;/script&gt; left the room" in text
    assert re.search(r"<s>it was April</s>.*corrected by", text)
    for words in ("Article 33", "publish", "rp-1", "failed", "not sure|confirmed", "mail log"):
        assert re.search(words, text), words


def test_access_leads_to_the_page_of_the_room_and_approves_nothing(people: People, lived_in: LivedIn) -> None:
    text = people("prd-ada").get("/t/acme/access").text
    assert f'href="{ROOM_ORIGIN}"' in text
    assert "0 of 2" in text
    assert "crash of the mailer" in text
    assert "not reviewed" in text
    assert set(re.findall(r'<form method="post" action="([^"]*)"', text)) == {"/sign-out"}


# --- logs ---


@pytest.mark.parametrize(
    ("account", "token", "log", "status"),
    [
        ("", True, "gate", 401),
        ("prd-barbara", True, "gate", 404),
        ("prd-edsger", True, "gate", 403),
        ("prd-ada", False, "gate", 403),
        ("prd-ada", True, "no-such", 404),
        ("prd-ada", True, "the%20room", 400),
        ("prd-grace", True, "gate", 303),
        ("prd-ada", True, "gate", 303),
    ],
)
def test_who_may_verify(people: People, account: str, token: bool, log: str, status: int) -> None:
    visitor = people(account)
    home = {"": "/sign-in", "prd-barbara": "/t/globex/tokens"}.get(account, "/t/acme/logs")
    form = {"token": visitor.token(home) if token else "of nobody"}
    assert visitor.post(f"/t/acme/logs/{log}/verify", form).status_code == status


def test_a_log_is_verified(people: People, lived_in: LivedIn) -> None:
    visitor = people("prd-grace")
    assert "Verify</button>" not in people("prd-edsger").get("/t/acme/logs").text
    assert visitor.get("/t/acme/logs").text.count("Verify</button>") == 1
    lived_in.acme.log.append("gate.note", {"one": "more"})
    path = "/t/acme/logs"
    visitor.post(f"{path}/gate/verify", {"token": visitor.token(path)})
    text = visitor.get(path).text
    assert re.search(r"VERIFIED .*entries of the log gate.example/log", text)
    assert visitor.get(f"{path}/gate/checkpoint").content == lived_in.acme.log.checkpoint().note
    entries = lived_in.top / "acme" / "gate-log" / "entries.jsonl"
    kept = entries.read_bytes()
    try:
        entries.write_bytes(kept.replace(b'"one":"more"', b'"one":"less"'))
        visitor.post(f"{path}/gate/verify", {"token": visitor.token(path)})
        assert re.search(r"ALTERED .*is not the one that was logged", visitor.get(path).text)
    finally:
        entries.write_bytes(kept)


def test_news(lived_in: LivedIn) -> None:
    tenant = Tenant(lived_in.settings.tenants["acme"], lived_in.settings, lived_in.room.clock)
    pages = (tokens, incidents, access, logs)
    before = [one.stamp(tenant) for one in pages]
    assert [one.stamp(tenant) for one in pages] == before
    lived_in.incident.add("fact", {"says": "news"}, actor="ann")
    lived_in.room.ask("prd-edsger")
    lived_in.acme.log.append("gate.note", {"news": "yes"})
    after = [one.stamp(tenant) for one in pages]
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True, True]
    tenant.close()
