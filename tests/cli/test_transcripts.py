from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import fakes
from .transcripts import execute, matches, parse

HERE = Path(__file__).parent
TARGETS = (
    "clean.core found.core incomplete.core found-incomplete.core corrupt.core interrupt.core unopenable.core "
    "bug.core empty.core long-1.core long-2.core a.core b.core"
)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TARGETS.split():
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for module in ("immure.scanning.scanner", "immure.keymaterial.sources"):
        monkeypatch.setitem(sys.modules, module, sys.modules.get(module, sys))
    fakes.install()
    steps = list(parse(path.read_text(encoding="utf-8")))
    assert steps
    for step in steps:
        printed = execute(step.command)
        if not matches(step.expected, printed):
            shown = "\n".join(printed)
            pytest.fail(f"{path.name}:{step.number}: $ {step.command}\nprinted\n{shown}", pytrace=False)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["a"], ["a"], True),
        (["a", ""], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "…"], ["a", "b", "c"], True),
        (["…", "c"], ["a", "b", "c"], True),
        (["a … c"], ["a big c"], True),
        (["a … c"], ["a", "c"], False),
        (["(a.b)"], ["(axb)"], False),
        ([""], [], True),
    ],
)
def test_matching(expected: list[str], printed: list[str], same: bool) -> None:
    assert matches(expected, printed) is same
