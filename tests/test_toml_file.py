"""Files of settings: within bounds, and no error but the one that was asked for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import InputError, UsageError
from immure.toml_file import parse_toml, read_bounded


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
