"""``immure respond notify`` as a person uses it, to a real SMTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.responding import Desk
from response.notification.making import CONTOSO, FABRIKAM, Mailroom, mailroom


@pytest.fixture
def post() -> Iterator[Mailroom]:
    with mailroom() as made:
        yield made


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], post: Mailroom
) -> Desk:
    made = Desk(tmp_path, monkeypatch, capsys, CONTOSO)
    made.settings(post.port)
    return made


def approved(desk: Desk, *people: str) -> str:
    digest = desk.letters()
    for person in people:
        assert desk.run("approve", "incident", digest, "--by", person).code == 0
    return digest


def test_sent_once(desk: Desk, post: Mailroom) -> None:
    approved(desk, "bo", "cleo")
    made = desk.run("notify", "incident", "--settings", "notify.toml")
    assert made.code == 0
    assert made.out.splitlines() == [
        "letters 1, approved by bo, cleo",
        "  sent: contoso, it@contoso.example (250 2.0.0 taken)",
        "  sent: contoso, ceo@contoso.example (250 2.0.0 taken)",
        "2 of 2 letters are sent",
    ]
    assert desk.run("notify", "incident", "--settings", "notify.toml", "-q") == (0, "", "")
    assert len(post.raw) == 2


@pytest.mark.parametrize("people", [(), ("bo",)])
def test_half_the_approvals(desk: Desk, post: Mailroom, people: tuple[str, ...]) -> None:
    digest = approved(desk, *people)
    made = desk.run("notify", "incident", "--settings", "notify.toml")
    assert made.code == 1
    assert f"need the approval of 2 people and have that of {len(people)}" in made.err
    assert digest in made.err
    assert not post.raw


def test_a_server_that_is_not_there(desk: Desk) -> None:
    desk.settings(1)
    approved(desk, "bo", "cleo")
    made = desk.run("notify", "incident", "--settings", "notify.toml", "-q")
    assert made.code == 3
    assert "failed: contoso, it@contoso.example (127.0.0.1:1: Connection refused)" in made.out
    assert "Traceback" not in made.err


def test_who_has_been_told(desk: Desk) -> None:
    approved(desk, "bo", "cleo")
    made = desk.run("notify", "incident", "--status")
    assert made.code == 3
    assert "waiting: contoso, it@contoso.example" in made.out
    desk.run("notify", "incident", "--settings", "notify.toml")
    value = json.loads(desk.run("notify", "incident", "--status", "-f", "json").out)
    assert value["complete"] is True
    assert value["approved_by"] == ["bo", "cleo"]
    assert {one["state"] for one in value["deliveries"]} == {"sent"}


def test_a_letter_that_came_back(desk: Desk) -> None:
    approved(desk, "bo", "cleo")
    made = desk.run("notify", "incident", "--settings", "notify.toml", "-f", "json")
    delivery = json.loads(made.out)["deliveries"][0]["delivery"]
    made = desk.run("notify", "incident", "--bounced", delivery, "--reference", "no such mailbox")
    assert made.code == 3
    assert "refused: contoso, it@contoso.example (came back: no such mailbox)" in made.out


def test_a_tenant_that_cannot_be_told_is_shown_to_the_end(desk: Desk) -> None:
    entries = desk.incident().entries()
    old = next(one.sequence for one in entries if "radius" in one.body)
    from response.notification.making import add_radius, radius

    add_radius(desk.incident(), radius(CONTOSO, FABRIKAM), corrects=old)
    approved(desk, "bo", "cleo")
    made = desk.run("notify", "incident", "--settings", "notify.toml")
    assert made.code == 3
    assert "  NOT TOLD: fabrikam: no address is known" in made.out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("notify", "incident"), 2, "by what servers? (--settings)"),
        (("notify", "incident", "--settings", "notify.toml"), 2, "no letters were written yet"),
        (("notify", "incident", "--status"), 2, "no letters were written yet"),
        (("notify", "incident", "--bounced", "x"), 2, "no letter 'x' was sent"),
        (("notify", "gone", "--status"), 3, "no incident that can be read"),
    ],
)
def test_what_cannot_be_done(desk: Desk, arguments: tuple[str, ...], code: int, words: str) -> None:
    made = desk.run(*arguments)
    assert made.code == code
    assert words in made.err
