from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from immure.custody import open_signer
from immure.custody.generate import generate
from immure.custody.signer import Signer
from immure.response.incident import Incident
from immure.response.radius import TenantImpact
from response.notification.making import Clock, Mailroom, mailroom, opened

Open = Callable[..., Incident]


@pytest.fixture
def key(tmp_path: Path) -> Signer:
    generate(tmp_path / "incident.key")
    return open_signer(f"file:{tmp_path}/incident.key")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_incident(tmp_path: Path, key: Signer, clock: Clock) -> Open:
    def make(*tenants: TenantImpact) -> Incident:
        return opened(tmp_path / "incident", key, clock, *tenants)

    return make


@pytest.fixture
def post() -> Iterator[Mailroom]:
    with mailroom() as made:
        yield made
