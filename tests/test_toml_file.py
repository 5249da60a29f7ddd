"""Files of settings: within bounds, and no error but the one that was asked for."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure import toml_file
from immure.errors import InputError, PolicyError, UsageError
from immure.toml_file import MOST_ITEMS, MOST_TEXT, Table, parse_toml, read_bounded


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"a = 1\n")
    name, data = read_bounded(tmp_path / "a.toml", 100)
    assert name == str(tmp_path / "a.toml")
    assert parse_toml(data, name, 100) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.toml", "No such file"), ("", "No such file"), (".", "Is a directory"), ("a\0b", "null")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=f"cannot be read: .*{words}"):
        read_bounded(str(tmp_path / name) if name else "", 100, InputError)


def test_no_more_is_read_than_it_takes_to_know(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_bytes(b"a = 1\n" * 1000)
    name, data = read_bounded(tmp_path / "long.toml", 10)
    assert len(data) == 11
    with pytest.raises(UsageError, match="is longer than 10 bytes"):
        parse_toml(data, name, 10)


@pytest.mark.parametrize("data", [b"a = ", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 20_000])
def test_what_is_no_toml(data: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.toml: is no TOML: ") as caught:
        parse_toml(data, "x.toml", 1 << 20, InputError)
    assert len(str(caught.value)) < 300


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with suppress(UsageError):
        assert isinstance(parse_toml(data, "x", 100), dict)
        assert len(data) <= 100


def test_examples() -> None:
    result = doctest.testmod(toml_file)
    assert result.attempted
    assert not result.failed


MEMBERS: dict[str, Any] = {
    "flag": True, "number": 7, "text": "words", "empty": "", "long": "x" * (MOST_TEXT + 1),
    "texts": ["a", "b", "a"], "numbers": [1], "blank": [""],
    "many": [str(one) for one in range(MOST_ITEMS + 1)],
    "inner": {"number": 1}, "list": [{"number": 1}, {"number": 2}], "mixed": [{}, 1],
}  # fmt: skip
READ: dict[str, tuple[Callable[[Table], object], object]] = {
    "a truth": (lambda table: table.flag("flag"), True),
    "a truth that is left out": (lambda table: table.flag("none", False), False),
    "a number": (lambda table: table.number("number", least=7, most=7), 7),
    "a number that is left out": (lambda table: table.number("none", 3, least=1, most=9), 3),
    "a text": (lambda table: table.text("text"), "words"),
    "one of some texts": (lambda table: table.text("text", choices=("other", "words")), "words"),
    "an empty text": (lambda table: table.text("empty", ""), ""),
    "an empty text among some": (lambda table: table.text("empty", choices=("", "x")), ""),
    "texts, each once": (lambda table: table.texts("texts"), ("a", "b")),
    "texts that are left out": (lambda table: table.texts("none", ()), ()),
    "a table": (lambda table: table.table("inner").number("number", least=0, most=1), 1),
    "a table that is left out": (lambda table: table.table("none").done(), None),
    "a list of tables": (
        lambda table: [one.where for one in table.tables("list")],
        ["top.list 1", "top.list 2"],
    ),
    "no list of tables": (lambda table: table.tables("none"), []),
    "whether it is there": (lambda table: (table.has("text"), table.has("none")), (True, False)),
}


@pytest.mark.parametrize("row", READ)
def test_what_is_in_a_table(row: str) -> None:
    read, value = READ[row]
    assert read(Table(MEMBERS, "x.toml", "top")) == value


REFUSED: dict[str, tuple[Callable[[Table], object], str]] = {
    "nothing": (lambda table: table.text("none"), "needs 'none', a text of 1 to"),
    "a number for a truth": (lambda table: table.flag("number"), "'number' is not true or false"),
    "a truth for a number": (
        lambda table: table.number("flag", least=0, most=9),
        "'flag' is not a whole number",
    ),
    "too small": (lambda table: table.number("number", least=8, most=9), "is not a whole number from 8 to 9"),
    "too large": (lambda table: table.number("number", least=1, most=6), "is not a whole number from 1 to 6"),
    "a number for a text": (lambda table: table.text("number"), "'number' is not a text"),
    "an empty text": (lambda table: table.text("empty"), "'empty' is not a text of 1 to"),
    "a long text": (lambda table: table.text("long"), "'long' is not a text of 1 to"),
    "none of some texts": (
        lambda table: table.text("text", choices=("a", "b")),
        '\'text\' is not "a" or "b"',
    ),
    "a text for texts": (lambda table: table.texts("text"), "'text' is not a list of texts"),
    "numbers for texts": (lambda table: table.texts("numbers"), "'numbers' is not a list of texts"),
    "an empty text among texts": (lambda table: table.texts("blank"), "'blank' is not a list of texts"),
    "too many texts": (lambda table: table.texts("many"), "'many' is not a list of texts"),
    "a text that is none of some": (
        lambda table: table.texts("texts", choices=("a",)),
        "names 'b'; there are a",
    ),
    "a number for a table": (lambda table: table.table("number"), "'number' is not a table"),
    "no table": (lambda table: table.table("none", required=True), "needs 'none', a table"),
    "a table for a list of them": (lambda table: table.tables("inner"), "'inner' is not a list of tables"),
    "a number among tables": (lambda table: table.tables("mixed"), "'mixed' is not a list of tables"),
    "what nobody asked for": (lambda table: (table.flag("flag"), table.done()), "has no member 'number'"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_not_in_a_table(row: str) -> None:
    read, words = REFUSED[row]
    with pytest.raises(PolicyError) as caught:
        read(Table(MEMBERS, "x.toml", "top"))
    assert str(caught.value).startswith("x.toml: [top] ")
    assert words in str(caught.value)
