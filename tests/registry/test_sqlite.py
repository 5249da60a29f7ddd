"""The SQLite registry: its layout, older and newer ones, and databases from strangers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from immure.registry.errors import RegistryError
from immure.registry.migrations import MIGRATIONS, bring_up_to_date, check_layout
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

from .material import ISSUER, record


@pytest.fixture
def path(tmp_path):
    with open_store(tmp_path / "keys.db", create=True) as store:
        store.add([record(scope=KeyScope(ISSUER), state=KeyState.ACTIVE)])
    return tmp_path / "keys.db"


def execute(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM history",
        "UPDATE history SET change = '{}'",
        "DELETE FROM keys",
        "INSERT INTO history VALUES ('nobody', 0, '{}')",
        "INSERT INTO keys SELECT 'x', kid, issuer, record FROM keys",
        "INSERT INTO registry VALUES (2, 0)",
    ],
)
def test_the_database_itself_keeps_what_was_written(path, statement):
    with pytest.raises(sqlite3.IntegrityError):
        execute(path, "PRAGMA foreign_keys=ON", statement)


def test_it_is_in_wal_mode_and_marked(path):
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert database.execute("PRAGMA application_id").fetchone() == (0x494D4B59,)


MORE = (*MIGRATIONS, ("ALTER TABLE registry ADD COLUMN note TEXT", "UPDATE registry SET note = 'new'"))


def test_an_older_layout_is_brought_up_to_date(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        bring_up_to_date(database, "x", MORE)
        check_layout(database, "x", MORE)
        assert database.execute("SELECT note FROM registry").fetchall() == [("new",)]
        assert database.execute("SELECT count(*) FROM history").fetchone() == (2,)
    with pytest.raises(RegistryError, match="has layout 2; this version of Immure knows up to 1"):
        open_store(path)


def test_a_migration_that_fails_leaves_everything_as_it_was(path):
    broken = (*MIGRATIONS, ("ALTER TABLE registry ADD COLUMN note TEXT", "no SQL"))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        with pytest.raises(sqlite3.OperationalError):
            bring_up_to_date(database, "x", broken)
        check_layout(database, "x")
    assert len(open_store(path).records()) == 1


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["PRAGMA application_id=7"], "not a registry"),
        (["PRAGMA user_version=-1"], "has layout -1"),
        (["PRAGMA user_version=99"], "has layout 99"),
        (["CREATE TABLE more (x)"], "tables or triggers"),
        (["DROP TRIGGER history_stays"], "tables or triggers"),
        (
            ["CREATE TRIGGER undo AFTER INSERT ON history BEGIN UPDATE keys SET kid = 'x'; END"],
            "tables or triggers",
        ),
        (
            ["DROP TRIGGER keys_are_kept", "DROP TABLE history", "CREATE VIEW history AS SELECT 1"],
            "tables or",
        ),
        (["UPDATE keys SET record = 'no JSON'"], "not JSON"),
        (["UPDATE keys SET record = '[]'"], "is not a table"),
        (["UPDATE keys SET record = '" + "[" * 100_000 + "'"], "not JSON"),
        (["UPDATE keys SET kid = 'other'"], "contradicts its own index"),
        (["UPDATE keys SET issuer = 'other'"], "contradicts its own index"),
        (["PRAGMA foreign_keys=OFF", "UPDATE keys SET thumbprint = 'other'"], "states"),
        (["UPDATE keys SET record = json_set(record, '$.more', 1)"], "no member 'more'"),
        (["UPDATE keys SET record = json_set(record, '$.jwk.d', 'secret')"], "a member 'd'"),
        (["UPDATE keys SET record = json_set(record, '$.kid', char(10))"], "printable"),
        (["UPDATE keys SET record = json_set(record, '$.scope.issuer', '{}')"], "other braces"),
        (["INSERT INTO history SELECT thumbprint, 9, '{}' FROM keys"], "'state'"),
        (["INSERT INTO history SELECT thumbprint, 9, change FROM history"], "is active; it can become"),
        (["UPDATE keys SET record = CAST(x'ff' AS TEXT)"], "SQLite"),
        (["UPDATE keys SET record = printf('%.*c', 3000000, 'x')"], "SQLite"),
    ],
)
def test_databases_from_strangers(path, statements, words):
    if statements[0].startswith("INSERT INTO history SELECT thumbprint, 9, change"):
        statements = [statements[0] + " WHERE number = 1"]
    execute(path, *statements)
    with pytest.raises(RegistryError, match=words) as refused, open_store(path) as store:
        store.records()
    assert refused.value.path == str(path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 5000, b"[1]"])
def test_files_that_are_no_database(tmp_path, data):
    path = tmp_path / "keys.db"
    path.write_bytes(data)
    if not data:  # an empty file is an empty database, which becomes a registry
        assert open_store(path).records() == ()
        return
    with pytest.raises(RegistryError):
        open_store(path)
    assert path.read_bytes() == data


def test_foreign_databases_are_left_alone(tmp_path):
    path = tmp_path / "other.db"
    execute(path, "CREATE TABLE mine (x)", "INSERT INTO mine VALUES (7)")
    before = path.read_bytes()
    with pytest.raises(RegistryError, match="not a registry"):
        open_store(path, create=True)
    assert path.read_bytes() == before


def test_broken_pages(path):
    data = bytearray(path.read_bytes())
    for at in range(100, len(data), 97):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        try:
            with open_store(path) as store:
                records = store.records()
        except RegistryError:
            continue
        assert [one.thumbprint for one in records] in ([], [record().thumbprint])


def test_only_public_halves_are_stored(path):
    with closing(sqlite3.connect(path)) as database:
        (text,) = database.execute("SELECT record FROM keys").fetchone()
    assert set(json.loads(text)["jwk"]) == {"kty", "crv", "x"}
