"""A file that breaks the scanner costs nothing but itself, and is not forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from immure.errors import LimitError
from immure.scanning import scanner
from immure.scanning.options import ScanOptions
from immure.watching import batch, watch
from immure.watching.errors import StateError
from immure.watching.question import ask
from immure.watching.state import State

from .making import Made, look, places, write_tree

POISON = b"poison of this test"


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def scan_image(image: Any, *arguments: Any, **options: Any) -> Any:
        if POISON in image.reader.read(0, image.reader.size):
            raise ZeroDivisionError(POISON)
        return scanner.scan_image(image, *arguments, **options)

    monkeypatch.setattr(batch, "scan_image", scan_image)
    monkeypatch.setattr(watch, "scan_image", scan_image)
    return monkeypatch


@pytest.mark.parametrize("size", [0, 2 << 20])
def test_the_others_are_searched(tmp_path: Path, poisoned: pytest.MonkeyPatch, key: Made, size: int) -> None:
    files = {"b": POISON + bytes(size), "c": POISON + b"2" + bytes(size)}
    write_tree(tmp_path, {"a": key.pem, **files, "d": b"x" + key.pem})
    state = State()
    for _ in range(2):
        result = look(tmp_path, state=state)
        assert places(result) == {key.name: {"a", "d"}}
        assert not result.complete
        reasons = [trouble.reason for trouble in result.runs[0].troubles]
        assert reasons == ["cannot be scanned: ZeroDivisionError; this is a bug in Immure"] * 2
    poisoned.undo()
    assert look(tmp_path, state=state).complete, "it was not taken for scanned"


def test_a_limit_is_told_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: Made) -> None:
    def scan_image(image: Any, *arguments: Any, **options: Any) -> Any:
        raise LimitError("too many places")

    monkeypatch.setattr(batch, "scan_image", scan_image)
    write_tree(tmp_path, {"a": key.pem})
    assert [trouble.reason for trouble in look(tmp_path).runs[0].troubles] == ["too many places"]


def test_a_state_that_breaks_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(tmp_path / "state")

    def broken(*arguments: Any) -> None:
        raise StateError("the state cannot be used: disk I/O error")

    monkeypatch.setattr(state, "missing", broken)
    write_tree(tmp_path / "t", {"a": b"text"})
    with pytest.raises(StateError):
        look(tmp_path / "t", state=state)


def test_a_database_that_is_gone_is_an_error_of_the_state(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.close()
    with pytest.raises(StateError, match="cannot be used"):
        state.sightings("t", ask([], ScanOptions()))
