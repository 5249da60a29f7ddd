"""Older and newer layouts of a registry in PostgreSQL."""

from __future__ import annotations

from functools import partial

import pytest

from immure.registry.errors import RegistryError
from immure.registry.opening import migrate_store, open_store
from immure.registry.sql_engine import PATIENCE, Database, Patience
from immure.registry.sql_layout import KNOWN, make
from immure.registry.state import KeyState

from .material import NOW, record

SECOND = """
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.execute("ALTER TABLE immure_registry.registry ADD COLUMN note text")
    op.execute("UPDATE immure_registry.registry SET note = 'new', revision = revision + 1")
    op.execute(MORE)
"""


@pytest.fixture
def second(tmp_path):
    """A directory with the next layout."""
    (tmp_path / "100 % new").mkdir()
    (tmp_path / "100 % new" / "second.py").write_text(SECOND.replace("MORE", "'SELECT 1'"))
    return tmp_path / "100 % new"


def upgrade(postgres, name, place, *, permitted=True, patience=PATIENCE):
    database = Database(postgres.url(database=name), patience)
    try:
        known = (*KNOWN, "0002")
        database.run(
            lambda connection: make(connection, "x", upgrade=permitted, known=known, places=[place]),
            write=True,
        )
    finally:
        database.close()


def test_an_older_layout_is_brought_up_to_date_when_that_is_asked_for(postgres, name, second):
    with open_store(postgres.url(database=name)) as older:
        with pytest.raises(RegistryError, match=r"has layout 0001, and .* needs 0002: `immure keys migrate`"):
            upgrade(postgres, name, second, permitted=False)
        assert len(older.records()) == 1
        upgrade(postgres, name, second)
        upgrade(postgres, name, second)  # it is done only once
        assert postgres.execute(name, "SELECT note FROM immure_registry.registry") == [("new",)]
        words = "has layout '0002'; this version of Immure knows up to 0001"
        for use in (
            older.records,
            older.stamp,
            partial(older.get, record().thumbprint),
            partial(older.add, [record("P-256")]),
            partial(older.change_state, record().thumbprint, KeyState.SUSPENDED, reason="", by=""),
            partial(open_store, older.path),
            partial(open_store, older.path, create=True),
            partial(migrate_store, older.path),
        ):
            with pytest.raises(RegistryError, match=words):
                use()
    assert postgres.execute(name, "SELECT count(*) FROM immure_registry.history") == [(2,)]


def test_a_migration_waits_for_who_writes(postgres, name, second):
    """Else what a front end of the version before is about to write would come into the new layout."""
    (second / "second.py").write_text(
        "revision = '0002'\ndown_revision = '0001'\n\n\ndef upgrade():\n    pass\n"
    )
    quick = Patience(lock=0.1)

    def change(one):
        with pytest.raises(RegistryError, match="lock timeout"):
            upgrade(postgres, name, second, patience=quick)
        return one.become(KeyState.SUSPENDED, reason="", by="", at=NOW)

    with open_store(postgres.url(database=name)) as store:
        store.update(record().thumbprint, change)
        assert store.get(record().thumbprint).state is KeyState.SUSPENDED
    upgrade(postgres, name, second, patience=quick)


def test_a_migration_that_fails_leaves_everything_as_it_was(postgres, name, second):
    (second / "second.py").write_text(SECOND.replace("MORE", "'no SQL'"))
    with pytest.raises(RegistryError, match="syntax error"):
        upgrade(postgres, name, second)
    with open_store(postgres.url(database=name)) as store:
        assert len(store.records()) == 1


def test_migrate_makes_a_registry_and_leaves_it(postgres):
    url = postgres.url()
    migrate_store(url)
    migrate_store(url)
    with open_store(url) as store:
        assert store.records() == ()


def test_migrate_of_other_stores(tmp_path):
    for name in ("keys.db", "keys.toml"):
        migrate_store(tmp_path / name)
        with open_store(tmp_path / name) as store:
            assert store.records() == ()
