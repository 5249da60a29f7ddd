"""The registry in PostgreSQL: what it keeps, names of every length, many keys, backups."""

from __future__ import annotations

import json
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.registry.errors import DuplicateKeyError, RegistryError, UnknownKeyError
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.registry.store import in_order

from .material import ISSUER, NOW, record


def test_every_change_shows_in_the_stamp(postgres, name):
    """Also one that was made without us, or a validator would go on with what it knows."""
    with open_store(postgres.url(database=name)) as store:
        seen = {store.stamp()}
        for statement in (
            "UPDATE keys SET kid = 'other', record = replace(record, 'Ed25519-0', 'other')",
            "INSERT INTO history SELECT thumbprint, 2, replace(change, 'active', 'suspended') FROM history"
            " WHERE number = 1",
        ):
            postgres.execute(name, "SET search_path = immure_registry", statement)
            assert store.stamp() not in seen
            seen.add(store.stamp())
        assert [(one.kid, one.state) for one in store.records()] == [("other", KeyState.SUSPENDED)]
        assert store.stamp() in seen


def test_an_older_backup_that_is_changed_has_another_stamp(postgres, name):
    copy, thumbprint = "copy", record().thumbprint
    postgres.execute("postgres", f"CREATE DATABASE {copy} TEMPLATE {name}")
    stamps = []
    for which in (name, copy):
        with open_store(postgres.url(database=which)) as store:
            store.change_state(thumbprint, KeyState.SUSPENDED, reason="", by="")
            stamps.append(store.stamp())
    assert stamps[0][0] == stamps[1][0]
    assert stamps[0] != stamps[1]


def test_backups(postgres, name):
    copy = postgres.lend()
    place = ["-h", postgres.sockets, "-p", str(postgres.port), "-U", "immure"]
    dump = [postgres.programs / "pg_dump", *place, "--schema=immure_registry", name]
    restore = [postgres.programs / "psql", *place, "-q", "-v", "ON_ERROR_STOP=1", copy]
    text = subprocess.run(dump, capture_output=True, check=True).stdout
    subprocess.run(restore, input=text, capture_output=True, check=True)
    with open_store(postgres.url(database=name)) as store, open_store(postgres.url(database=copy)) as other:
        assert other.records() == store.records()
        other.change_state(record().thumbprint, KeyState.SUSPENDED, reason="", by="")


def test_a_database_that_is_not_there(postgres):
    for create in (False, True):
        with pytest.raises(RegistryError, match='database "nowhere" does not exist'):
            open_store(postgres.url(database="nowhere"), create=create)


def test_only_public_halves_are_stored(postgres, name):
    [(text,)] = postgres.execute(name, "SELECT record FROM immure_registry.keys")
    assert set(json.loads(text)["jwk"]) == {"kty", "crv", "x"}


def test_a_name_that_no_server_takes_names_no_key(postgres, name):
    with open_store(postgres.url(database=name)) as store:
        for thumbprint in ("a\0b", "\udc80", "x" * 43, "", record().thumbprint + "\n"):
            with pytest.raises(UnknownKeyError):
                store.get(thumbprint)
            with pytest.raises(UnknownKeyError):
                store.update(thumbprint, lambda one: one)


def made(number, kid=None, scope=None):
    public = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32)).public_key().public_bytes_raw()
    key = PublicKey(OkpNumbers("Ed25519", public), Origin("test"))
    return KeyRecord.new(key, kid or f"k{number}", scope, by="tester", at=NOW)


def test_the_longest_names(postgres):
    """Longer than a btree takes, and still each is there once."""
    issuer, kid = "é" * 1024, "z" * 1024
    with open_store(postgres.url(), create=True) as store:
        store.add([made(1, kid, KeyScope(issuer)), made(2, kid[:-1], KeyScope(issuer)), made(3, kid)])
        with pytest.raises(DuplicateKeyError, match="of another key of"):
            store.add([made(4, kid, KeyScope(issuer))])
        with pytest.raises(DuplicateKeyError, match="of another key of"):
            store.change_scope(made(3).thumbprint, lambda _: KeyScope(issuer))
        assert [len(one.kid) for one in store.records()] == [1024, 1023, 1024]


def test_a_record_that_is_too_long(postgres):
    scope = KeyScope(ISSUER, tenants=frozenset(f"{number:04}" + "𝔘" * 1000 for number in range(100)))
    with open_store(postgres.url(), create=True) as store:
        with pytest.raises(RegistryError, match="longer than 1 MiB"):
            store.add([made(1, scope=scope)])
        store.add([made(1)])
        with pytest.raises(RegistryError, match="longer than 1 MiB"):
            store.change_scope(made(1).thumbprint, lambda _: scope)
        assert store.get(made(1).thumbprint).scope is None


def test_many_keys_at_once(postgres):
    many = [made(number) for number in range(2500)]
    with open_store(postgres.url(), create=True) as store:
        before = store.stamp()[0]
        store.add(iter(many))
        assert store.stamp()[0] - before <= 6  # the triggers ran for each batch, and not for each key
        assert store.records() == in_order(many)
        with pytest.raises(DuplicateKeyError, match="'k2499' is there already"):
            store.add([*map(made, range(2500, 3700)), made(2499)])
        assert len(store.records()) == 2500


def test_too_many_keys(postgres, monkeypatch):
    monkeypatch.setattr("immure.registry.sql_store.MOST_KEYS", 3)
    with open_store(postgres.url(), create=True) as store:
        store.add(map(made, range(3)))
        for new in ([made(3)], map(made, range(10, 10**9))):
            with pytest.raises(RegistryError, match="more than 3 keys"):
                store.add(new)
        assert len(store.records()) == 3


def test_a_closed_store(postgres, name):
    store = open_store(postgres.url(database=name))
    store.close()
    with pytest.raises(RegistryError, match="is closed"):
        store.records()
