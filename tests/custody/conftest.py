from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from custody import softhsm


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[softhsm.SoftHsm]:
    """The token of this process, also for other directories of tests, which import this fixture."""
    reason = softhsm.missing()
    if reason is not None:
        pytest.skip(reason)
    if softhsm.MADE:
        yield softhsm.MADE[0]
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", "to be restored")
        softhsm.MADE.append(softhsm.make(tmp_path_factory.mktemp("softhsm")))
        yield softhsm.MADE[0]


@pytest.fixture(autouse=True)
def no_pin_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMMURE_PIN", raising=False)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path
