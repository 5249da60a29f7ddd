"""Keys of a service in a transit engine: our own server, which does what the documentation of Vault says."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.custody import transit_server
from tests.custody.transit_server import TOKEN, Key, Transit

from immure.errors import SignerError
from immure.signing.keys import KeyUse
from immure.signing.service import Service, open_keys
from immure.signing.vault_keys import VaultKeys
from signing.house import SETTINGS, House
from signing.remote import CLAIMS, is_refused, is_served, opened, plan, sign


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transit]:
    with transit_server.serving(tmp_path_factory.mktemp("vault")) as server:
        yield server


@pytest.fixture
def server(running: Transit) -> Transit:
    running.reset()
    return running


@pytest.fixture
def keys(server: Transit) -> Iterator[VaultKeys]:
    made = open_keys(server.uri("transit"))
    assert isinstance(made, VaultKeys)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.aclose())


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_made_used_and_destroyed(server: Transit, keys: VaultKeys, algorithm: str) -> None:
    public = keys.generate("k-1", plan(algorithm))
    assert keys.generate("k-1", plan(algorithm)).thumbprint == public.thumbprint
    assert opened(sign(keys, "k-1", algorithm), public, algorithm) == CLAIMS
    assert keys.use("k-1") == KeyUse(1)
    assert (server.keys["k-1"].exportable, server.keys["k-1"].plaintext_backup) == (False, False)
    keys.destroy("k-1")
    keys.destroy("k-1")
    assert server.keys == {}
    with pytest.raises(SignerError, match="there is no key"):
        sign(keys, "k-1", algorithm)


def test_a_key_that_was_rotated_there(server: Transit, keys: VaultKeys) -> None:
    """A kid stays the key that relying parties know."""
    public = keys.generate("k-1", plan("ES256"))
    server.keys["k-1"].rotate()
    assert opened(sign(keys, "k-1", "ES256"), public, "ES256") == CLAIMS
    del server.keys["k-1"].versions[1]
    other = open_keys(server.uri("transit"))
    with pytest.raises(SignerError, match="the first version of 'k-1' was taken away"):
        sign(other, "k-1", "ES256")


def test_keys_that_could_be_taken_out(server: Transit, keys: VaultKeys) -> None:
    for asked in ({"exportable": True}, {"allow_plaintext_backup": True}):
        server.keys["out"] = Key("ecdsa-p256", asked)
        with pytest.raises(SignerError, match="would give the key 'out' out"):
            keys.generate("out", plan("ES256"))
        with pytest.raises(SignerError, match="would give the key 'out' out"):
            sign(keys, "out", "ES256")


def test_another_key_in_its_place(server: Transit, keys: VaultKeys) -> None:
    keys.generate("k-1", plan("ES256"))
    server.keys["k-1"] = Key("ecdsa-p256", {})
    with pytest.raises(SignerError, match="does not hold against the public half"):
        sign(keys, "k-1", "ES256")


def test_what_is_asked_wrongly(server: Transit, keys: VaultKeys) -> None:
    with pytest.raises(SignerError, match="is no name of a key there"):
        keys.generate("a/b", plan("ES256"))
    with pytest.raises(SignerError, match="unknown algorithm"):
        keys.generate("k", plan("none"))
    keys.generate("ec", plan("ES256"))
    with pytest.raises(SignerError, match="not by 'RS256'"):
        keys.generate("ec", plan("RS256"))
    with pytest.raises(SignerError, match="alg and version are not for an engine"):
        open_keys(server.uri("transit", "&alg=RS256"))


def test_without_a_token(server: Transit, tmp_path: Path) -> None:
    keys = open_keys(server.uri("transit", token=tmp_path / "none"))
    with pytest.raises(SignerError, match="No such file"):
        asyncio.run(keys.start())


def test_a_whole_service(server: Transit, tmp_path: Path, run: Callable[..., Any]) -> None:
    """Sealed, slow, without a right, gone: 503 each time, and tokens again after it."""
    house = House(tmp_path, SETTINGS.replace("file+unsafe:private", server.uri("transit")))

    async def work(client: Any, service: Service) -> None:
        await is_served(client, service, "EdDSA")
        assert service.warning is None
        for fault in (503, 403, 429, b"not HTTP\r\n\r\n"):
            server.fault = fault
            await is_refused(client)
            server.fault = None
            await is_served(client, service, "EdDSA")
        server.token = "another one"  # the token has run out
        await is_refused(client)
        server.token = TOKEN
        await is_served(client, service, "EdDSA")

    journal = io.StringIO()
    run(house, work, stream=journal)
    for words in ("sealed", "access denied", "throttled", "not HTTP"):
        assert words in journal.getvalue()
    assert TOKEN not in journal.getvalue()


def test_a_server_that_is_too_slow(server: Transit, tmp_path: Path, run: Callable[..., Any]) -> None:
    text = SETTINGS.replace("file+unsafe:private", server.uri("transit"))
    house = House(tmp_path, f"custody_seconds = 1\n{text}")

    async def work(client: Any, service: Service) -> None:
        await is_served(client, service, "EdDSA")
        server.fault = 1.5
        await is_refused(client)
        server.fault = None
        await is_served(client, service, "EdDSA")

    run(house, work)
