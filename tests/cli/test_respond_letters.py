"""``immure respond letters`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.responding import NOTIFY, Desk
from response.notification.making import CONTOSO, FABRIKAM


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys, CONTOSO)


def test_they_are_written_and_shown(desk: Desk) -> None:
    made = desk.run("letters", "incident", "--settings", "notify.toml")
    assert made.code == 0
    assert made.out.splitlines()[:3] == [
        "letters 1: 2 letters to 1 tenant",
        "  00001-contoso: contoso by mail to it@contoso.example (de)",
        "  00001-contoso: contoso by mail to ceo@contoso.example (de)",
    ]
    assert made.out.splitlines()[-1].startswith("digest ")
    digest = made.out.split()[-1]
    assert desk.run("letters", "incident", "--settings", "notify.toml", "-q").out.split() == [digest]
    again = desk.run("letters", "incident", "--settings", "notify.toml")
    assert again.out.startswith("letters 1, as before: ")


def test_as_json(desk: Desk) -> None:
    made = desk.run("letters", "incident", "--settings", "notify.toml", "-f", "json")
    value = json.loads(made.out)
    assert value["new"] is True
    assert len(value["digest"]) == 64
    assert [one["to"] for one in value["deliveries"]] == ["it@contoso.example", "ceo@contoso.example"]


def test_a_tenant_without_an_address(desk: Desk) -> None:
    Path("notify.toml").write_text(NOTIFY.partition("[tenants")[0])
    made = desk.run("letters", "incident", "--settings", "notify.toml")
    assert made.code == 3
    assert "NOT TOLD: contoso: no address is known" in made.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("letters", "incident", "--settings", "gone.toml"), 2, "gone.toml: cannot be read: No such file"),
        (("letters", "gone", "--settings", "notify.toml"), 3, "no incident that can be read"),
        (
            ("letters", "incident", "--settings", "notify.toml", "--templates", "gone"),
            2,
            "no folder of templates",
        ),
        (("letters", "incident"), 2, "Missing option '--settings'"),
    ],
)
def test_what_cannot_be_done(desk: Desk, arguments: tuple[str, ...], code: int, words: str) -> None:
    made = desk.run(*arguments)
    assert made.code == code
    assert words in made.err


def test_a_template_that_is_wrong(desk: Desk) -> None:
    Path("ours/de").mkdir(parents=True)
    Path("ours/de/letter.txt.j2").write_text("Guten Tag,\n{{ nobody }}")
    made = desk.run("letters", "incident", "--settings", "notify.toml", "--templates", "ours")
    assert made.code == 2
    assert made.err == "immure: ours/de/letter.txt.j2: line 2: 'nobody' is undefined\n"
    assert not list(Path("incident/work").glob("letters-*"))
    assert not list(Path("incident/work").glob(".*.part"))


def test_without_a_radius_or_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, monkeypatch, capsys)
    made = desk.run("letters", "incident", "--settings", "notify.toml")
    assert (made.code, made.err) == (
        2,
        "immure: no blast radius was worked out yet: immure respond blast-radius\n",
    )
    desk.add_radius(CONTOSO)
    desk.add_radius(FABRIKAM)
    made = desk.run("letters", "incident", "--settings", "notify.toml")
    assert made.code == 2
    assert "give two blast radii: correct the one that is wrong" in made.err
