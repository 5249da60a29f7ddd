"""What the page of tokens has counted before anybody asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.columns import acceptance, accepted, counted
from immure.console import rollup_refresh
from immure.console.pages import tokens as page
from immure.console.settings import Settings, TenantSettings
from immure.console.sources import tokens
from immure.console.tenant import Tenant


def tenant(tmp_path: Path) -> Tenant:
    for number in range(4):
        accepted(tmp_path / "in" / f"{number}.parquet", [acceptance(number)])
    settings = TenantSettings("a", "A", accepted=tmp_path / "in")
    return Tenant(settings, Settings("https://console.example", {"a": settings}, state=tmp_path / "state"))


def test_it_is_counted_and_an_engine_is_ready(tmp_path: Path) -> None:
    made = tenant(tmp_path)
    assert page.stamp(made) == (None, None)
    page.refresh(made)
    place = tokens.place_of(made.console, made.settings)
    assert sum(counted(place).values()) == 4
    assert len(list((place / "rows").glob("spill-*"))) == 1
    stamp = page.stamp(made)
    page.refresh(made)  # nothing is new, so there is no news
    assert page.stamp(made) == stamp != (None, None)


def test_it_ends_with_the_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, count = tenant(tmp_path), rollup_refresh._count

    def and_close(*args: Any) -> bool:
        made.close()
        return count(*args)

    monkeypatch.setattr(rollup_refresh, "_count", and_close)
    page.refresh(made)
    place = tokens.place_of(made.console, made.settings)
    assert sum(counted(place).values()) == 1
    assert not (place / "rows").exists()
