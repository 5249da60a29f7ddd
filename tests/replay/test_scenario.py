from __future__ import annotations

import re
from pathlib import Path

import pytest

from immure.errors import UsageError
from immure.replay.controls import CONTROLS
from immure.replay.matrix import worlds
from immure.replay.scenario import FITTING, names, parse_scenario, read_scenario

GOOD = """
version = 1
name = "mine"
title = "A title"
about = "What it is about"
[theft]
way = "dump"
issuer = "consumer"
[[links]]
title = "one"
happened = "it happened"
controls = ["custody", "redact"]
[[links]]
title = "two"
happened = "it happened"
controls = ["access"]
[[links]]
title = "three"
happened = "it happened"
controls = ["key-scope"]
[[links]]
title = "four"
happened = "it happened"
controls = ["ledger"]
[[organizations]]
name = "Ministry"
mailbox = "minister@ministry.example"
"""


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    made = read_scenario(str(tmp_path / "mine.toml"))
    assert made.controls == ("custody", "redact", "access", "key-scope", "ledger")
    assert [link.number for link in made.links] == [1, 2, 3, 4]
    assert made.link_of("key-scope") == 3
    assert made.organizations[0].domain == "ministry.example"
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made.organizations[0].tenant)


@pytest.mark.parametrize(
    ("controls", "link"),
    [
        (set(), None),
        ({"ledger"}, None),
        ({"key-scope"}, 3),
        ({"redact", "ledger"}, 1),
        ({"custody", "redact", "key-scope", "ledger"}, 1),
    ],
)
def test_where_the_chain_must_break(controls: set[str], link: int | None) -> None:
    assert parse_scenario(GOOD.encode(), "mine.toml").expected_break(frozenset(controls)) == link


def test_who_must_notice() -> None:
    made = parse_scenario(GOOD.encode(), "mine.toml")
    assert made.expected_notice(frozenset({"ledger"}))
    assert not made.expected_notice(frozenset({"custody"}))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("version = 1", "version = 2", "version is not 1"),
        ("version = 1", "version = 1\nmore = 2", "more is not known"),
        ('way = "dump"', 'way = "mail"', "theft.way is not one of dump, host, repository"),
        ('way = "dump"', 'way = "dump"\nhow = "x"', "theft.how is not known"),
        ('issuer = "consumer"', 'issuer = "others"', "theft.issuer is not one of"),
        (
            'issuer = "consumer"',
            'issuer = "enterprise"',
            "key-scope does not stop a key that signs for its own",
        ),
        ('way = "dump"', 'way = "host"', "'redact' has nothing to do where a key is lost by host"),
        ('"access"', '"door"', "there is no control 'door'"),
        ('"access"', '"redact"', "the control 'redact' is at two links"),
        ("minister@ministry.example", "minister@ministry.gov", "is not of the form"),
        ("minister@ministry.example", "minister@../x.example", "is not of the form"),
        ('name = "mine"', 'name = "My Own"', "name: 'My Own' is not of the form"),
        ("[[organizations]]", "[[others]]", "organizations is not a list of 1 to 100 tables"),
        ('title = "two"', "title = 2", "links.2.title is not a text"),
        ("[theft]", "[theft", "is no TOML"),
    ],
)
def test_what_is_refused(before: str, after: str, words: str) -> None:
    assert before in GOOD
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        parse_scenario(GOOD.replace(before, after).encode(), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")


def test_two_organizations_with_one_domain() -> None:
    twice = GOOD + '[[organizations]]\nname = "Twice"\nmailbox = "other@ministry.example"\n'
    with pytest.raises(UsageError, match="two have the same domain"):
        parse_scenario(twice.encode(), "mine.toml")


def test_a_scenario_without_any_control() -> None:
    bare = re.sub(r"controls = \[.*\]", 'controls = ["access"]', GOOD, count=1)
    bare = re.sub(r'controls = \["(?:key-scope|ledger|access)"\]', "controls = []", bare[::-1][::-1])
    with pytest.raises(UsageError, match="none of them has a control"):
        parse_scenario(bare.encode(), "mine.toml")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a" * (1 << 19), b"x = [" * 5000])
def test_bytes_that_are_no_scenario(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"x\.toml: "):
        parse_scenario(data, "x.toml")


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"there is no scenario 'solarwinds'; there are .*storm-0558"):
        read_scenario("solarwinds")
    with pytest.raises(UsageError, match=r"nowhere.toml: cannot be read"):
        read_scenario("nowhere.toml")


@pytest.mark.parametrize("name", names())
def test_those_that_come_with_it(name: str) -> None:
    made = read_scenario(name)
    assert made.name == name
    assert set(made.controls) <= FITTING[made.way]
    assert all(link.title.isprintable() and len(link.title) <= 60 for link in made.links)
    everything = frozenset(made.controls)
    assert made.expected_break(everything) == min(
        one.number for one in made.links if set(one.controls) & set(made.controls)
    )
    assert made.expected_notice(everything)
    assert next(world.controls for world in worlds(made)) == frozenset()


def test_the_incident_has_all_links_and_controls() -> None:
    made = read_scenario("storm-0558")
    assert len(made.organizations) == 25
    assert len(made.links) == 8
    assert set(made.controls) == set(CONTROLS)
    assert len(worlds(made)) == 2 + 2 * len(CONTROLS)
