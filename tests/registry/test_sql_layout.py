"""The layout of a registry in PostgreSQL: what the database itself refuses, and databases from strangers."""

from __future__ import annotations

from functools import partial

import psycopg
import pytest

from immure.registry.errors import RegistryError
from immure.registry.opening import migrate_store, open_store
from immure.registry.sql_url import parse_url

from .material import record
from .postgres import with_one_key


@pytest.fixture(scope="module")
def unchanged(cluster):
    """Such a one, for tests that cannot change it."""
    return with_one_key(cluster, cluster.database())


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM history", "never rewritten"),
        ("UPDATE history SET change = '{}'", "never rewritten"),
        ("UPDATE history SET number = 7 WHERE number = 1", "never rewritten"),
        ("TRUNCATE history", "never rewritten"),
        ("TRUNCATE keys CASCADE", "is destroyed by its state|never rewritten"),
        (
            "INSERT INTO history SELECT * FROM history"
            " ON CONFLICT (thumbprint, number) DO UPDATE SET change = ''",
            "never rewritten",
        ),
        ("DELETE FROM keys", "is destroyed by its state"),
        ("UPDATE keys SET thumbprint = repeat('x', 43)", "that of another key"),
        ("UPDATE registry SET revision = revision", "revision of a registry grows"),
        ("UPDATE registry SET revision = 0", "revision of a registry grows"),
        ("DELETE FROM registry", "revision of a registry is kept"),
        ("INSERT INTO registry VALUES (2, 0, now())", "registry_single_check"),
        ("INSERT INTO history VALUES (repeat('x', 43), 0, '{}')", "foreign key"),
        ("INSERT INTO history SELECT thumbprint, 1000, change FROM history", "history_number_check"),
        ("INSERT INTO history SELECT * FROM history", "history_pkey"),
        ("INSERT INTO keys SELECT repeat('x', 43), kid, issuer, record FROM keys", "one_kid"),
        ("INSERT INTO keys SELECT thumbprint, 'other', issuer, record FROM keys", "keys_pkey"),
        ("UPDATE keys SET record = repeat('x', 1048577)", "keys_record_check"),
        ("UPDATE keys SET kid = repeat('é', 1025)", "keys_kid_check"),
    ],
)
def test_the_database_itself_keeps_what_was_written(postgres, unchanged, statement, words):
    with pytest.raises(psycopg.IntegrityError, match=words):  # even its owner
        postgres.execute(unchanged, "SET search_path = immure_registry", statement)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["UPDATE layout SET version_num = 'x'"], "has layout 'x'"),
        (["UPDATE layout SET version_num = '0000'"], "has layout '0000'"),
        (["INSERT INTO layout VALUES ('0002')"], "not a registry's"),
        (["DELETE FROM layout"], "not a registry's"),
        (["DROP TABLE layout"], "not a registry's"),
        (["CREATE TABLE more (x int)"], "column more x"),
        (["CREATE VIEW more AS SELECT 1"], "relation more v"),
        (["CREATE TABLE more () INHERITS (history)"], "relatives|more"),
        (["DROP TRIGGER history_stays ON history"], "history_stays"),
        (["ALTER TABLE history DISABLE TRIGGER history_stays"], "history_stays"),
        (["ALTER TABLE history ENABLE REPLICA TRIGGER history_stays"], "history_stays"),
        (["ALTER TABLE history DISABLE TRIGGER ALL"], "internal trigger history disabled"),
        (["CREATE RULE undo AS ON INSERT TO history DO INSTEAD NOTHING"], "with rules"),
        (["ALTER TABLE keys ENABLE ROW LEVEL SECURITY"], "with row security"),
        (["ALTER TABLE history SET UNLOGGED"], "relation history"),
        (["ALTER TABLE keys DROP CONSTRAINT one_kid"], "one_kid|EXCLUDE"),
        (["ALTER TABLE keys ADD CHECK (kid <> 'x')"], "constraint keys CHECK"),
        (["ALTER TABLE history ALTER change SET DEFAULT ''"], "column history change"),
        (["ALTER TABLE keys ADD more int"], "column keys more"),
        (
            [
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
                " SET search_path = pg_catalog AS 'BEGIN RETURN NULL; END'"
            ],
            "function refuse",
        ),
        (["CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'"], "function more"),
        (["ALTER FUNCTION count_up() SECURITY DEFINER"], "function count_up"),
        (["UPDATE registry SET revision = revision + 1, changed = 'infinity'"], "PostgreSQL: timestamp"),
        (["UPDATE keys SET record = 'no JSON'"], "not JSON"),
        (["UPDATE keys SET record = '[]'"], "is not a table"),
        (["UPDATE keys SET record = repeat('[', 100000)"], "not JSON"),
        (["UPDATE keys SET kid = 'other'"], "contradicts its own index"),
        (["UPDATE keys SET issuer = 'other'"], "contradicts its own index"),
        (["UPDATE keys SET record = jsonb_set(record::jsonb, '{more}', '1')::text"], "no member 'more'"),
        (
            ["UPDATE keys SET record = jsonb_set(record::jsonb, '{jwk,d}', '\"secret\"')::text"],
            "a member 'd'",
        ),
        (["INSERT INTO history SELECT thumbprint, 9, '{}' FROM keys"], "'state'"),
        (
            ["INSERT INTO history SELECT thumbprint, 9, change FROM history WHERE number = 1"],
            "is active; it can become",
        ),
    ],
)
def test_databases_from_strangers(postgres, name, statements, words):
    postgres.execute(name, "SET search_path = immure_registry", *statements)
    url = postgres.url(database=name)
    with pytest.raises(RegistryError, match=words) as refused, open_store(url) as store:
        store.records()
    assert refused.value.path == parse_url(url)[0]
    assert "secret" not in str(refused.value)


def test_foreign_schemas_are_left_alone(postgres):
    name = postgres.lend()
    postgres.execute(name, "CREATE SCHEMA immure_registry", "CREATE TABLE immure_registry.mine (x int)")
    for opening in (partial(open_store, create=True), migrate_store):
        with pytest.raises(RegistryError, match="not a registry's"):
            opening(postgres.url(database=name))
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'immure_registry'::regnamespace"
    assert postgres.execute(name, query) == [("mine",)]


def test_an_empty_schema_may_be_given_to_its_owner(postgres):
    name = postgres.lend()
    postgres.execute(name, "CREATE ROLE owner1 LOGIN", "CREATE SCHEMA immure_registry AUTHORIZATION owner1")
    with pytest.raises(RegistryError, match="does not exist"):
        open_store(postgres.url("owner1", name))
    with open_store(postgres.url("owner1", name), create=True) as store:
        store.add([record()])


def test_databases_that_cannot_hold_every_text(postgres):
    postgres.execute("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(RegistryError, match="encoding LATIN1"):
        open_store(postgres.url(database="latin"), create=True)
