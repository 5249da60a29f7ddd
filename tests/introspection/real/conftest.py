"""One of each program for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from introspection.real.mail import dovecot_asking
from introspection.real.proxies import RUNNING, Proxy, proxying
from introspection.real.service import NO_KEYS, SCOPED, Service, serving
from servers.dovecot import Dovecot
from servers.smtp import Relay, relaying
from servers.tls import Authority, Pair
from servers.upstream import Upstream, answering


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Pair:
    return authority.issue("mail")


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with serving(SCOPED) as running:
        yield running


@pytest.fixture(scope="session")
def keyless() -> Iterator[Service]:
    """It cannot get the keys of the issuers that it trusts."""
    with serving(policy=NO_KEYS) as running:
        yield running


@pytest.fixture(scope="session")
def relay() -> Iterator[Relay]:
    with relaying() as running:
        yield running


@pytest.fixture(scope="session")
def dovecot(service: Service, certificate: Pair, relay: Relay) -> Iterator[Dovecot]:
    with dovecot_asking(service.port, service.secret, certificate, relay) as running:
        yield running


@pytest.fixture(scope="session")
def application() -> Iterator[Upstream]:
    with answering() as running:
        yield running


@pytest.fixture(scope="session", params=RUNNING)
def proxy(request: pytest.FixtureRequest, service: Service, application: Upstream) -> Iterator[Proxy]:
    with proxying(request.param, service.port, application) as running:
        yield running
