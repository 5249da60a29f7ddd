"""What the newest layout of a registry in PostgreSQL consists of, as its catalogs say it.

A migration that changes the layout changes this page with it: a test makes a registry and compares.
"""

from __future__ import annotations

from typing import Final


def _trigger(table: str, name: str, event: str, does: str, each: str = "STATEMENT") -> str:
    table, does = f"immure_registry.{table}", f"immure_registry.{does}"
    return f"trigger O CREATE TRIGGER {name} {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {does}"


_RELATIONS: Final = (
    *(f"relation {name} r p" for name in ("history", "keys", "layout", "registry")),
    *(
        f"relation {name} i p"
        for name in ("history_pkey", "keys_pkey", "layout_pkc", "registry_pkey", "one_kid")
    ),
)
_COLUMNS: Final = (
    "column history change text C not null",
    "column history number integer not null",
    "column history thumbprint text C not null",
    "column keys issuer text C not null",
    "column keys kid text C not null",
    "column keys record text C not null",
    "column keys thumbprint text C not null",
    "column layout version_num character varying(32) default not null",
    "column registry changed timestamp with time zone not null",
    "column registry revision bigint not null",
    "column registry single integer not null",
)
_CONSTRAINTS: Final = (
    "constraint history CHECK (((number >= 0) AND (number <= 999)))",
    "constraint history CHECK ((octet_length(change) <= 65536))",
    "constraint history FOREIGN KEY (thumbprint) REFERENCES immure_registry.keys(thumbprint)",
    "constraint history PRIMARY KEY (thumbprint, number)",
    "constraint keys CHECK ((char_length(issuer) <= 1024))",
    "constraint keys CHECK ((char_length(kid) <= 1024))",
    "constraint keys CHECK ((octet_length(record) <= 1048576))",
    "constraint keys CHECK ((octet_length(thumbprint) = 43))",
    "constraint keys EXCLUDE USING hash ((ARRAY[issuer, kid]) WITH =)",
    "constraint keys PRIMARY KEY (thumbprint)",
    "constraint layout PRIMARY KEY (version_num)",
    "constraint registry CHECK ((single = 1))",
    "constraint registry PRIMARY KEY (single)",
)
_TRIGGERS: Final = (
    _trigger("history", "history_counts", "AFTER INSERT", "count_up()"),
    _trigger(
        "history",
        "history_stays",
        "BEFORE DELETE OR UPDATE OR TRUNCATE",
        "refuse('a history is never rewritten')",
    ),
    _trigger(
        "keys",
        "keys_are_kept",
        "BEFORE DELETE OR TRUNCATE",
        "refuse('a key is destroyed by its state, its record stays')",
    ),
    _trigger("keys", "keys_count", "AFTER INSERT OR UPDATE", "count_up()"),
    _trigger(
        "keys",
        "keys_stay_the_same",
        "BEFORE UPDATE OF thumbprint",
        "refuse('a record cannot become that of another key')",
    ),
    _trigger(
        "registry",
        "registry_grows",
        "BEFORE UPDATE",
        "refuse('the revision of a registry grows')",
        "ROW WHEN ((new.revision <= old.revision))",
    ),
    _trigger(
        "registry",
        "registry_is_kept",
        "BEFORE DELETE OR TRUNCATE",
        "refuse('the revision of a registry is kept')",
    ),
)
_FUNCTIONS: Final = (
    "function count_up f plpgsql {search_path=pg_catalog} BEGIN"
    " UPDATE immure_registry.registry SET revision = revision + 1, changed = clock_timestamp();"
    " RETURN NULL; END",
    "function refuse f plpgsql {search_path=pg_catalog} BEGIN"
    " RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END",
)
LAYOUT: Final = frozenset((*_RELATIONS, *_COLUMNS, *_CONSTRAINTS, *_TRIGGERS, *_FUNCTIONS))
