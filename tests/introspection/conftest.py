"""One server for all tests that do not need another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from introspection.running import Running, running, settings


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(settings(tmp_path_factory.mktemp("introspection") / "log")) as up:
        yield up
