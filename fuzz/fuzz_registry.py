"""Feeds broken registries, key sets and discovery documents to immure.registry."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from driver import run

from immure.registry.audit import audit
from immure.registry.audit_sources import parse_document
from immure.registry.finding import KINDS
from immure.registry.form import to_plain
from immure.registry.jwks import jwks_for, published_scopes
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.registry.toml_text import parse_registry, write_registry

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from registry import material

SECONDS = 2.0  # of computing for one input, which is far more than any needs
NOW = datetime(2026, 11, 25, tzinfo=UTC)
PLACE = Path(tempfile.mkdtemp(prefix="immure-fuzz-")) / "keys.db"


def check_registry(data: bytes) -> None:
    """An error that is ours, or records that can be written and read again, and published scope by scope."""
    begun = time.thread_time()
    try:
        if data.startswith(b"SQLite"):
            _check_database(data)
        elif data.lstrip()[:1] in (b"{", b"["):
            _check_document(data)
        else:
            _check_toml(data)
    finally:
        assert time.thread_time() - begun < SECONDS


def _check_database(data: bytes) -> None:
    for name in ("keys.db", "keys.db-wal", "keys.db-shm", "keys.db-journal"):
        PLACE.with_name(name).unlink(missing_ok=True)
    PLACE.write_bytes(data)
    with open_store(PLACE) as store:
        records = store.records()
    for record in records:
        assert set(record.key.to_jwk()) <= {"kty", "n", "e", "crv", "x", "y"}


def _check_document(data: bytes) -> None:
    for finding in audit(parse_document(data, "fuzz"), at=NOW, registry=[]):
        assert finding.code in KINDS
        assert finding.words


def _check_toml(data: bytes) -> None:
    records = parse_registry(data, "fuzz")
    again = parse_registry(write_registry(records), "fuzz")
    assert [to_plain(one) for one in again] == [to_plain(one) for one in records]
    for scope in published_scopes(records):
        for key in jwks_for(records, scope, at=NOW, announce=True)["keys"]:
            assert key["issuer"] == scope.issuer
            assert not key.keys() & {"d", "p", "q"}


def _database() -> bytes:
    with open_store(PLACE, create=True) as store:
        store.add(RECORDS)
    with sqlite3.connect(PLACE) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return PLACE.read_bytes()


SCOPE = KeyScope(material.ISSUER, frozenset({"consumer"}), frozenset({"t"}), not_after=NOW)
RECORDS = [material.record(scope=SCOPE, state=KeyState.COMPROMISED), material.record("P-256")]

if __name__ == "__main__":
    members = material.jwk(kid="k1", issuer=material.ISSUER), material.jwk("P-256", kid="k2")
    odd = {"kty": "oct", "k": "AA"}, material.jwk(exp=7, nbf=9, x5c=["AA"])
    discovery = b'{"issuer": "https://a.example", "jwks_uri": "https://a.example/keys"}'
    sets = [material.document(*members), material.document(*odd), discovery]
    run(check_registry, [write_registry(RECORDS), *sets, _database()])
