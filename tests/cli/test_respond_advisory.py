"""``immure respond advisory`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.responding import Desk
from response.advisory.making import DRAFT, faults
from response.notification.making import CONTOSO


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    made = Desk(tmp_path, monkeypatch, capsys, CONTOSO)
    Path("draft.toml").write_text(DRAFT)
    return made


def test_versions(desk: Desk) -> None:
    made = desk.run("advisory", "incident", "draft.toml", "-o", "out")
    assert made.code == 0
    assert made.out.splitlines()[0] == "EXAMPLE-2026-0001, version 1, is written: First version."
    assert "  out/example-2026-0001.json" in made.out.splitlines()
    assert faults(json.loads(Path("out/example-2026-0001.json").read_text())) == []
    made = desk.run("advisory", "incident", "draft.toml")
    assert made.out == "EXAMPLE-2026-0001, version 1, is as it was: First version.\n"
    Path("draft.toml").write_text(DRAFT.replace("left the room", "stayed in the room"))
    before = Path("out/example-2026-0001.json").read_bytes()
    made = desk.run("advisory", "incident", "draft.toml", "-o", "out")
    assert made.code == 1
    assert made.err == "immure: version 1 said otherwise of dump: say what was wrong (--correction)\n"
    assert Path("out/example-2026-0001.json").read_bytes() == before
    made = desk.run(
        "advisory", "incident", "draft.toml", "-o", "out", "--correction", "It stayed.", "-f", "json"
    )
    value = json.loads(made.out)
    assert (value["version"], value["correction"]) == (2, "It stayed.")
    assert value["changes"][0]["finding"] == "dump"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("entry = 0", "entry = 77"), 2, "rests on entry 77, and there is none"),
        (("version = 1", "version = 9"), 2, "draft.toml: version is not 1"),
        (("[publisher]", "[publisher"), 2, "draft.toml: is no TOML"),
    ],
)
def test_what_cannot_be_done(desk: Desk, change: tuple[str, str], code: int, words: str) -> None:
    Path("draft.toml").write_text(DRAFT.replace(*change))
    made = desk.run("advisory", "incident", "draft.toml", "-o", "out")
    assert made.code == code
    assert words in made.err
    assert not Path("out").exists()


def test_a_place_that_cannot_be_written(desk: Desk) -> None:
    Path("out").write_text("a file")
    made = desk.run("advisory", "incident", "draft.toml", "-o", "out")
    assert made.code == 3
    assert "out: cannot be written" in made.err
