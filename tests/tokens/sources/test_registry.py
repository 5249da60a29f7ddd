"""Keys of a registry, in both kinds of stores: of one issuer, in their states, within a second."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from immure.errors import KeySourceError
from immure.keymaterial.jwk import jwk_public
from immure.keymaterial.key import Origin, PublicKey
from immure.registry.errors import RegistryError
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.tokens.errors import UnknownKeyError
from immure.tokens.sources import RegistrySource

from .imagined import ISSUER, Ticks, jwk

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def record(name: str, issuer: str | None = ISSUER, kid: str | None = None) -> KeyRecord:
    key = PublicKey(jwk_public(jwk(name)), Origin("test"))
    scope = KeyScope(issuer, frozenset({"enterprise"})) if issuer else None
    return KeyRecord.new(key, kid or name, scope, by="test", at=NOW, state=KeyState.ACTIVE)


@pytest.fixture(params=["keys.db", "keys.toml"])
def made(request, tmp_path):
    ticks = Ticks()
    with open_store(tmp_path / request.param, create=True) as store:
        store.add(
            [
                record("a"),
                record("b"),
                record("other", "https://other.example", kid="a"),
                record("none", None),
            ]
        )
        yield RegistrySource(store, ISSUER, ticks=ticks), store, ticks


def test_only_keys_of_the_issuer_are_found_with_their_scope(made):
    source, _, _ = made
    found = source.find("a")
    assert (found.scope.issuer, found.scope.audience_classes) == (ISSUER, {"enterprise"})
    assert found.key.to_jwk()["x"] == jwk("a")["x"]
    for kid in ("none", "other"):
        with pytest.raises(UnknownKeyError):
            source.find(kid)


def test_a_burnt_key_is_known_to_be_so_after_a_second(made):
    source, store, ticks = made
    assert source.find("a").state is KeyState.ACTIVE
    store.change_state(
        record("a").thumbprint, KeyState.COMPROMISED, reason="stolen", by="test", now=lambda: NOW
    )
    assert source.find("a").state is KeyState.ACTIVE
    ticks.now += 1
    assert source.find("a").state is KeyState.COMPROMISED
    assert (source.reads, source.looks) == (2, 1)


def test_it_is_read_only_when_it_changes(made):
    source, store, ticks = made
    for _ in range(10):
        ticks.now += 1
        source.find("b")
    assert (source.reads, source.looks) == (1, 10)
    store.add([record("c")])
    ticks.now += 1
    assert source.find("c").kid == "c"


def test_a_registry_that_cannot_be_read_keeps_its_keys_for_ten_minutes(tmp_path):
    path, ticks = tmp_path / "keys.toml", Ticks()
    with open_store(path, create=True) as store:
        store.add([record("a")])
        source = RegistrySource(store, ISSUER, ticks=ticks)
        good = path.read_bytes()
        path.write_bytes(b"broken")
        ticks.now += 599
        assert source.find("a").kid == "a"
        assert source.last_error is not None
        ticks.now += 1
        with pytest.raises(KeySourceError, match=str(path)):
            source.find("a")
        path.write_bytes(good)
        ticks.now += 1
        assert (source.find("a").kid, source.last_error) == ("a", None)
        path.unlink()
        with pytest.raises(RegistryError):
            RegistrySource(store, ISSUER)
