"""One house and one mail server for all tests of this room that do not need another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from immure.mail.running import LocalMail
from mail.house import Imap, MailHouse, mail_house, relay_to
from servers.smtp import Relay, relaying


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailHouse]:
    with mail_house(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture(scope="session")
def relay() -> Iterator[Relay]:
    with relaying() as running:
        yield running


@pytest.fixture(scope="session")
def mail(house: MailHouse, relay: Relay) -> Iterator[LocalMail]:
    with house.mail(relay=relay_to(relay.port)) as running:
        yield running


@pytest.fixture
def imap(house: MailHouse, mail: LocalMail) -> Imap:
    return Imap(house, mail)
