"""The report of a drill: what counts as a leak, when nothing can be said, and tables that add up."""

from __future__ import annotations

from typing import Any

import pytest

from immure.signing.drill.looking import Residue
from immure.signing.drill.report import Report, markdown, merged

CLEAN, LEAKY = Residue(size=10), Residue(2, 3, 1, 10, ("p le64",))


def report(*rows: tuple[str, str, str, bool, Residue | None]) -> Report:
    """(backend, way, guards, must be clean, what was found) of each crash; the control is file+unsafe."""
    made = Report(7, controls={"file+unsafe"})
    for backend, way, guards, must, residue in rows:
        made.row(backend, "front end", way, guards, must).count(residue, note="no image")
    return made


CONTROL = ("file+unsafe", "gcore", "as shipped", False, LEAKY)
HOLDER = ("keyholder", "gcore", "as shipped", True, CLEAN)


@pytest.mark.parametrize(
    ("rows", "leaks", "blind"),
    [
        ((CONTROL, HOLDER), 0, []),
        ((CONTROL, ("keyholder", "live", "off", True, LEAKY)), 1, []),
        ((CONTROL, ("keyholder", "live", "off", True, Residue(fragments=1))), 1, []),
        ((CONTROL, ("pkcs11-inside", "live", "off", False, LEAKY)), 0, []),
        ((HOLDER,), 0, ["file+unsafe"]),
        ((("file+unsafe", "gcore", "off", False, CLEAN), HOLDER), 0, ["file+unsafe"]),
        ((("file+unsafe", "gcore", "off", False, Residue(numbers=4)),), 0, ["file+unsafe"]),
        ((CONTROL, ("file+unsafe", "segv", "off", False, None)), 0, ["file+unsafe"]),
        ((CONTROL, ("file+unsafe", "segv", "as shipped", False, None)), 0, []),
        ((CONTROL, ("file+unsafe", "segv", "off", False, CLEAN)), 0, []),
    ],
)
def test_leaks_and_blindness(
    rows: tuple[tuple[str, str, str, bool, Residue | None], ...], leaks: int, blind: list[str]
) -> None:
    made = report(*rows)
    assert (len(made.leaks), made.blind) == (leaks, blind)


def test_a_crash_without_an_image_counts_as_a_crash() -> None:
    row = report(("keyholder", "segv", "as shipped", True, None)).rows[0]
    assert (row.crashes, row.images, dict(row.notes)) == (1, 0, {"no image": 1})


@pytest.mark.parametrize(
    ("change", "complete"),
    [
        ({}, True),
        ({"failed": {"keyholder": "it does not begin"}}, False),
        ({"controls": set()}, False),
        ({"skipped": {"oom": "no memory cgroup"}}, True),
    ],
)
def test_complete(change: dict[str, Any], complete: bool) -> None:
    made = report(CONTROL, HOLDER)
    for name, value in change.items():
        setattr(made, name, value)
    assert made.is_complete is complete


def test_an_image_that_was_not_searched_is_no_clean_one() -> None:
    made = report(CONTROL, ("keyholder", "gcore", "off", True, Residue(error="truncated")))
    assert not made.is_complete
    assert made.rows[1].to_json()["errors"] == {"truncated": 1}


def test_files_that_were_written_are_no_crash() -> None:
    made = report(CONTROL)
    made.row("file+unsafe", "files", "left", "off", True).count(CLEAN)
    assert made.crashes == 1


def test_json_has_no_value_of_a_key() -> None:
    made = report(CONTROL, HOLDER).to_json()
    assert made["schema"].endswith("signer-drill-1.json")
    assert [row["backend"] for row in made["rows"]] == ["file+unsafe", "keyholder"]
    assert made["rows"][0]["kinds"] == {"p le64": 1}


def test_runs_add_up() -> None:
    one, two = report(CONTROL, HOLDER).to_json(), report(CONTROL, CONTROL).to_json()
    rows = merged([one, two])
    assert [(row["backend"], row["crashes"], row["numbers"]) for row in rows] == [
        ("file+unsafe", 3, 6),
        ("keyholder", 1, 0),
    ]
    assert rows[0]["kinds"] == {"p le64": 3}
    assert rows[0]["must_be_clean"] is False
    assert one == report(CONTROL, HOLDER).to_json() | {"began": one["began"]}  # nothing of it was changed


def test_the_table() -> None:
    table = markdown(merged([report(CONTROL, HOLDER).to_json()])).splitlines()
    assert table[2] == "| file+unsafe | front end | gcore | as shipped | 1 | 1 | 1 | 2 | 3 |"
    assert len({line.count("|") for line in table}) == 1
