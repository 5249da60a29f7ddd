"""One service, with a key holder, for all tests that do not need another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signing.real.serving import Serving, serving
from tokens.minting import jwk

KEYS = {"keys": [jwk("ES256", issuer=None)]}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("signing") / "house", idp=KEYS, signer=KEYS) as running:
        yield running
