from __future__ import annotations

import pytest

from immure.errors import UsageError
from immure.replay.controls import chosen

HAS = ("custody", "gate", "ledger")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, set(HAS)),
        ({"none": True}, set()),
        ({"with_": ["gate"]}, {"gate"}),
        ({"without": ["gate", "ledger"]}, {"custody"}),
    ],
)
def test_what_is_on(options: dict[str, object], expected: set[str]) -> None:
    assert chosen(HAS, **options) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"with_": ["gate"], "none": True}, "contradict"),
        ({"with_": ["gate"], "without": ["gate"]}, "contradict"),
        ({"with_": ["access"]}, "'access' has nothing to do in this scenario"),
        ({"with_": ["scan"]}, "has nothing to do in this scenario; it has custody, gate, ledger"),
        ({"without": ["firewall"]}, "there is no control 'firewall'"),
    ],
)
def test_what_cannot_be_switched(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        chosen(HAS, **options)  # type: ignore[arg-type]
