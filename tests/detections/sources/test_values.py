"""Times, addresses, numbers and identifiers, as makers of logs write them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.detections.sources import token_ids, values

SECOND = 1_686_902_462
MOMENTS: list[tuple[Any, int | None]] = [
    ("2023-06-16T08:01:02", SECOND * 1_000_000),
    ("2023-06-16 08:01:02Z", SECOND * 1_000_000),
    ("2023-06-16T08:01:02.1234567Z", SECOND * 1_000_000 + 123_456),
    ("2023-06-16T10:01:02+02:00", SECOND * 1_000_000),
    ("2023-06-16T10:01:02 +0200", SECOND * 1_000_000),
    ("2023-06-16T08:01", (SECOND - 2) * 1_000_000),
    (f"/Date({SECOND}000)/", SECOND * 1_000_000),
    (SECOND, SECOND * 1_000_000),
    (SECOND + 0.25, SECOND * 1_000_000 + 250_000),
    (str(SECOND), SECOND * 1_000_000),
    (SECOND * 1000 + 1, SECOND * 1_000_000 + 1000),
    (SECOND * 1_000_000 + 1, SECOND * 1_000_000 + 1),
    (SECOND * 1_000_000_000 + 1000, SECOND * 1_000_000 + 1),
    ("2023-02-30T00:00:00", None),
    ("0001-01-01T00:00:00", None),
    ("16/06/2023 08:01:02", None),  # the day or the month, nobody knows
    ("", None),
    (None, None),
    (True, None),
    (float("nan"), None),
    (-5, None),
    ([], None),
]


@pytest.mark.parametrize(("given", "wanted"), MOMENTS)
def test_moments(given: Any, wanted: int | None) -> None:
    assert values.moment(given) == wanted


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.text()))
def test_no_value_raises(value: Any) -> None:
    for read in (values.moment, values.seconds, values.address, values.text, values.integer, values.flag):
        made = read(value)  # type: ignore[operator]
        if isinstance(made, str):
            made.encode()
        if isinstance(made, int):
            assert abs(made) < 2**63


@given(st.uuids())
def test_one_token_has_one_name(identifier: UUID) -> None:
    written = (
        str(identifier),
        str(identifier).upper(),
        f"{{{identifier}}}",
        token_ids.as_uti(identifier),
        token_ids.as_uti(identifier) + "==",
        token_ids.as_base64_text(identifier),
    )
    assert {token_ids.canonical(text) for text in written} == {
        None if identifier.int == 0 else str(identifier)
    }


@given(st.text(max_size=60))
def test_other_identifiers_stay(text: str) -> None:
    made = token_ids.canonical(text)
    assert made is None or made == text.strip() or len(made) == 36
