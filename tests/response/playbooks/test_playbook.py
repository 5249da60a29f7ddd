"""Playbooks as documents: those that come with Immure, and what is refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.response.finding import FINDING_KINDS
from immure.response.playbooks import playbook as module
from immure.response.playbooks.errors import PlaybookError
from immure.response.playbooks.playbook import find, names, parse_playbook
from response.containment.house import immure

SCHEMA = json.loads((Path(module.__file__).parent / "playbook-1.schema.json").read_text())
GOOD = """
version = 1
name = "mine"
title = "Mine"
text = "For trials."
findings = ["report"]
[[steps]]
id = "ask"
do = "ask"
title = "Ask"
text = "Whom?"
outcomes = ["yes", "no"]
[[steps]]
id = "stop"
do = "contain"
title = "Stop"
only = ["push"]
when = { ask = "yes" }
needs = ["ask"]
"""


def test_all_of_them() -> None:
    """Each finding has one; each passes the schema, and ends in a proof if it contains."""
    import jsonschema

    books = [find(name) for name in names()]
    assert len(books) == 6
    assert {kind for book in books for kind in book.findings} == set(FINDING_KINDS)
    for book in books:
        text = (Path(module.__file__).parent / f"{book.name}.toml").read_text()
        jsonschema.validate(tomllib.loads(text), SCHEMA)
        kinds = [step.do for step in book.steps]
        if "contain" in kinds:
            assert "prove" in kinds[kinds.index("contain") :]
        assert all(step.text for step in book.steps if step.do == "ask")


def test_the_schema_says_the_same() -> None:
    import jsonschema

    assert parse_playbook(GOOD.encode(), "mine.toml").step("stop").when == {"ask": "yes"}
    jsonschema.validate(tomllib.loads(GOOD), SCHEMA)


#: What is changed, and the words; ``schema``: the schema refuses it, too.
REFUSED: list[tuple[str, str, str, str, bool]] = [
    ("another version", "version = 1", "version = 2", "version is not 1", True),
    ("no version", "version = 1", "", "version is not 1", True),
    ("a name with blanks", '"mine"', '"my own"', "name is words", True),
    ("no title", 'title = "Mine"', "", "title is missing", True),
    ("a title of two lines", '"Mine"', '"a\\nb"', "title is a line", False),
    ("another member", 'name = "mine"', 'name = "mine"\nowner = "me"', "owner is not known", True),
    ("another finding", '["report"]', '["rumour"]', "findings are some of", True),
    ("no finding", '["report"]', "[]", "findings are some of", True),
    ("another thing to do", 'do = "ask"', 'do = "guess"', r"steps\[0\].do is not one of", True),
    (
        "a member of a step",
        'title = "Ask"',
        'title = "Ask"\nwho = "me"',
        r"steps\[0\].who is not known",
        True,
    ),
    ("two of one id", 'id = "stop"', 'id = "ask"', "two steps have the id", False),
    (
        "needs what comes later",
        'outcomes = ["yes", "no"]',
        'needs = ["stop"]',
        "which is no step before it",
        False,
    ),
    ("an outcome that is none", '{ ask = "yes" }', '{ ask = "maybe" }', "has no outcome 'maybe'", False),
    ("no text to be asked", 'text = "Whom?"', "", r"steps\[0\].text is missing", False),
    ("a step that is none", '["push"]', '["pull"]', "only is of contain", True),
    ("outcomes of the program", 'do = "ask"', 'do = "prove"', "has outcomes and a command", False),
    ("only of a proof", 'do = "contain"', 'do = "prove"', "only is of contain", False),
    (
        "a place that is none",
        'text = "Whom?"',
        'text = "x"\ncommand = "rm {home}"',
        "has places other",
        False,
    ),
    ("seconds", 'title = "Stop"', 'title = "Stop"\nseconds = -1', "seconds is not a number", True),
    ("no TOML", "version", "version version", "is no TOML", False),
]


@pytest.mark.parametrize(
    ("old", "new", "words", "schema"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(old: str, new: str, words: str, schema: bool) -> None:
    import jsonschema

    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(PlaybookError, match=words):
        parse_playbook(text.encode(), "mine.toml")
    if schema:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(text), SCHEMA)


FORMS: list[tuple[str, bytes, str]] = [
    ("no steps", b"version = 1", "list of 1 to 64 steps"),
    ("steps a text", b'steps = "all"', "list of 1 to 64 steps"),
    ("too many", b"steps = [" + b'"x",' * 65 + b"]", "list of 1 to 64 steps"),
    ("a step that is a text", b'steps = ["x"]', r"steps\[0\] is not a table"),
    ("too long", b"#" * (256 << 10) + b"##", "is longer"),
    ("not UTF-8", b"\xff", "is no TOML"),
]


@pytest.mark.parametrize(("data", "words"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_forms(data: bytes, words: str) -> None:
    with pytest.raises(PlaybookError, match=words):
        parse_playbook(data, "mine.toml")


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["1", "[]", "{}", '"x"', "true", "-5", "[1]", "{ a = 1 }", "1.5"]
)
LINES = [line for line in GOOD.splitlines() if " = " in line]


@given(st.sampled_from(LINES), VALUES)
def test_any_value(line: str, value: str) -> None:
    text = GOOD.replace(line, f"{line.split(' = ')[0]} = {value}", 1)
    try:
        parse_playbook(text.encode(), "mine.toml")
    except PlaybookError:
        return


def test_one_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    assert find(str(tmp_path / "mine.toml")).title == "Mine"
    for name, words in (("nothing", "no playbook 'nothing'"), (str(tmp_path / "no.toml"), "cannot be read")):
        with pytest.raises(PlaybookError, match=words):
            find(name)


def test_by_the_command_line() -> None:
    listed = immure("respond", "play", "--list")
    assert [line.split()[0] for line in listed.splitlines()] == list(names())
    shown = immure("respond", "play", "forged-token-seen")
    assert "contain: Stop the key everywhere (the program, if real is forged)" in shown
