"""Who may do what to a registry in PostgreSQL: what the reference page grants, and nothing more."""

from __future__ import annotations

import re
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
import pytest

from immure.registry.errors import DuplicateKeyError, RegistryError
from immure.registry.opening import migrate_store, open_store
from immure.registry.state import KeyState

from .material import record
from .postgres import with_one_key

NUMBERS = count()
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "registry.md"


@pytest.fixture
def roles(postgres, name):
    """The statements of the page, for roles of this test."""
    suffix = next(NUMBERS)
    page = REFERENCE.read_text(encoding="utf-8")
    [text] = re.findall(r"^```sql\n(CREATE ROLE.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    for role in ("writer", "reader"):
        text = text.replace(f"immure_{role}", f"{role}_{suffix}")
    text = text.replace("NOLOGIN", "LOGIN")
    postgres.execute(name, *filter(str.strip, text.split(";")))
    return {role: postgres.url(f"{role}_{suffix}", name) for role in ("writer", "reader")}


def test_a_reader_reads(roles):
    with open_store(roles["reader"]) as store:
        assert [one.kid for one in store.records()] == ["Ed25519-0"]
        assert store.get(record().thumbprint).state is KeyState.ACTIVE
        stamp = store.stamp()
        with pytest.raises(RegistryError, match="permission denied"):
            store.add([record("P-256")])
        with pytest.raises(RegistryError, match="permission denied"):
            store.change_state(record().thumbprint, KeyState.SUSPENDED, reason="", by="")
        assert store.stamp() == stamp


def test_a_writer_writes_and_cannot_rewrite(postgres, name, roles):
    with open_store(roles["writer"]) as store:
        store.add([record("P-256")])
        store.change_state(record().thumbprint, KeyState.SUSPENDED, reason="", by="")
        store.change_scope(record().thumbprint, lambda _: None)
        assert [len(one.history) for one in store.records()] == [3, 1]
    writer = roles["writer"].split("/")[2].rstrip("@")
    for statement in (
        "DELETE FROM history",
        "UPDATE history SET change = '{}'",
        "TRUNCATE history",
        "DELETE FROM keys",
        "UPDATE keys SET thumbprint = 'x'",
        "UPDATE layout SET version_num = 'x'",
        "ALTER TABLE history DISABLE TRIGGER ALL",
        "DROP TRIGGER history_stays ON history",
        "CREATE TABLE more (x int)",
        "SET session_replication_role = replica",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres.execute(name, "SET search_path = immure_registry", statement, user=writer)


def test_strangers_see_nothing(postgres, name):
    postgres.execute(name, "CREATE ROLE stranger LOGIN")
    for opening in (open_store, partial(open_store, create=True), migrate_store):
        with pytest.raises(RegistryError, match="permission denied"):
            opening(postgres.url("stranger", name))


def test_no_search_path_leads_elsewhere(postgres):
    """Not even to another equals sign: an owner of the database could set one for everybody."""
    name = with_one_key(postgres, postgres.database())
    postgres.execute(
        name,
        "CREATE SCHEMA evil",
        "CREATE FUNCTION evil.no(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false'",
        "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.no)",
        f"ALTER DATABASE {name} SET search_path = evil, pg_catalog",
    )
    with open_store(postgres.url(database=name)) as store:
        assert store.get(record().thumbprint).kid == "Ed25519-0"
        with pytest.raises(DuplicateKeyError):
            store.add([record()])
