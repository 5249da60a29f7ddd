"""Tests run in several processes (``make test``): those of one file in one of them, so that what a file starts
is started once; and all that crash programs in one, since there is one core pattern for the whole machine."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Rooms and files that set the machine's core pattern, or count on it.
CORES = (
    "capture/",
    "cli/test_capture.py",
    "cli/test_drill",
    "cli/test_replay",
    "cli/test_undumpable.py",
    "custody/keyholder/test_protections.py",
    "docs/",
    "drill/",
    "dumps/test_process.py",
    "replay/",
    "signing/drill/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        file = item.path.relative_to(HERE).as_posix()
        item.add_marker(pytest.mark.xdist_group("cores" if file.startswith(CORES) else file))
