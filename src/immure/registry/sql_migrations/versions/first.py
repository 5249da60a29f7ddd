"""The first layout: keys, their histories, and a revision that grows with both.

A btree takes rows of some 2,700 bytes and an issuer and a kid may be longer, hence ``EXCLUDE USING hash``: it
compares the texts themselves. ``COLLATE "C"`` keeps indexes valid when a system's collations change.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision: Final = "0001"
down_revision: Final = None

_STATEMENTS: Final = (
    """CREATE TABLE immure_registry.keys (
        thumbprint text COLLATE "C" PRIMARY KEY CHECK (octet_length(thumbprint) = 43),
        kid text COLLATE "C" NOT NULL CHECK (char_length(kid) <= 1024),
        issuer text COLLATE "C" NOT NULL CHECK (char_length(issuer) <= 1024),
        record text COLLATE "C" NOT NULL CHECK (octet_length(record) <= 1048576),
        CONSTRAINT one_kid EXCLUDE USING hash ((ARRAY[issuer, kid]) WITH =)
    )""",
    """CREATE TABLE immure_registry.history (
        thumbprint text COLLATE "C" NOT NULL REFERENCES immure_registry.keys,
        number integer NOT NULL CHECK (number BETWEEN 0 AND 999),
        change text COLLATE "C" NOT NULL CHECK (octet_length(change) <= 65536),
        PRIMARY KEY (thumbprint, number)
    )""",
    """CREATE TABLE immure_registry.registry (
        single integer PRIMARY KEY CHECK (single = 1),
        revision bigint NOT NULL,
        changed timestamptz NOT NULL
    )""",
    "INSERT INTO immure_registry.registry VALUES (1, 0, clock_timestamp())",
    """CREATE FUNCTION immure_registry.refuse() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE FUNCTION immure_registry.count_up() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN
        UPDATE immure_registry.registry SET revision = revision + 1, changed = clock_timestamp();
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON immure_registry.history
    EXECUTE FUNCTION immure_registry.refuse('a history is never rewritten')""",
    """CREATE TRIGGER history_counts AFTER INSERT ON immure_registry.history
    EXECUTE FUNCTION immure_registry.count_up()""",
    """CREATE TRIGGER keys_are_kept BEFORE DELETE OR TRUNCATE ON immure_registry.keys
    EXECUTE FUNCTION immure_registry.refuse('a key is destroyed by its state, its record stays')""",
    """CREATE TRIGGER keys_stay_the_same BEFORE UPDATE OF thumbprint ON immure_registry.keys
    EXECUTE FUNCTION immure_registry.refuse('a record cannot become that of another key')""",
    """CREATE TRIGGER keys_count AFTER INSERT OR UPDATE ON immure_registry.keys
    EXECUTE FUNCTION immure_registry.count_up()""",
    """CREATE TRIGGER registry_is_kept BEFORE DELETE OR TRUNCATE ON immure_registry.registry
    EXECUTE FUNCTION immure_registry.refuse('the revision of a registry is kept')""",
    """CREATE TRIGGER registry_grows BEFORE UPDATE ON immure_registry.registry
    FOR EACH ROW WHEN (NEW.revision <= OLD.revision)
    EXECUTE FUNCTION immure_registry.refuse('the revision of a registry grows')""",
)


def upgrade() -> None:
    """Make it."""
    for statement in _STATEMENTS:
        op.execute(statement)
