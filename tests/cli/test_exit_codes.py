from __future__ import annotations

import pytest

from immure.cli.exit_codes import FailOn, describe, exit_code
from immure.scanning.finding import ScanReport

from .fakes import image_report


@pytest.mark.parametrize(
    ("names", "incomplete", "findings", "never"),
    [
        ([], 3, 0, 0),
        (["empty"], 3, 0, 0),
        (["empty", "clean"], 0, 0, 0),
        (["empty", "found"], 1, 1, 0),
        (["clean"], 0, 0, 0),
        (["found"], 1, 1, 0),
        (["incomplete"], 3, 0, 0),
        (["corrupt"], 3, 0, 0),
        (["found-incomplete"], 1, 1, 0),
        (["clean", "incomplete"], 3, 0, 0),
        (["corrupt", "found"], 1, 1, 0),
    ],
)
def test_codes(names: list[str], incomplete: int, findings: int, never: int) -> None:
    report = ScanReport([image_report(name) for name in names])
    rules: dict[FailOn, int] = {"incomplete": incomplete, "findings": findings, "never": never}
    for rule, code in rules.items():
        assert exit_code(report, rule) == code
    assert exit_code(report) == incomplete
    assert ("found so far" in describe(report)) == (incomplete == 3)
