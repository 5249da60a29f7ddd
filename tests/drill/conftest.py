"""Collects what the drill found out, prints it as a table and keeps it in ``.make/drill/``."""

from __future__ import annotations

import pytest

from drill.hold import Outcome
from drill.launch import CACHE
from drill.table import render

OUTCOMES = pytest.StashKey[list[Outcome]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = []


@pytest.fixture
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    return request.config.stash[OUTCOMES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    outcomes = config.stash[OUTCOMES]
    if not outcomes:
        return
    skipped = [
        str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr
    ]  # type: ignore[index]
    text = render(outcomes, skipped)
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "table.md").write_text(text)
    terminalreporter.section("drill")
    terminalreporter.write(text)
