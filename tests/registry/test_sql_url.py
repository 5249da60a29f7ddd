"""URLs of registries in PostgreSQL: which are taken, and that no part of a password is ever shown."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.registry.errors import RegistryError
from immure.registry.opening import open_store
from immure.registry.sql_url import is_url, parse_url


@pytest.mark.parametrize(
    ("url", "name", "password"),
    [
        ("postgresql://h/d", "postgresql://h/d", None),
        ("postgres://u@h:5433/d", "postgresql://u@h:5433/d", None),
        ("POSTGRESQL+psycopg://u:p@h/d", "postgresql://u@h/d", "p"),
        ("postgresql://u:%40%3A%2F@h/d", "postgresql://u@h/d", "@:/"),
        ("postgresql://u:p/?#@h/d", "postgresql://u@h/d", "p/?#"),
        ("postgresql://u:p@[::1]:5432/d", "postgresql://u@[::1]:5432/d", "p"),
        ("postgresql:///d?host=/run/pg", "postgresql:///d?host=%2Frun%2Fpg", None),
        ("postgresql://u@/d?host=one:1&host=two", "postgresql://u@/d?host=one%3A1&host=two", None),
        ("postgresql://h/d?sslmode=require", "postgresql://h/d?sslmode=require", None),
        ("postgresql://h/d?sslrootcert=/ca", "postgresql://h/d?sslrootcert=%2Fca", None),
    ],
)  # fmt: skip
def test_urls(url, name, password):
    shown, parsed = parse_url(url, {})
    assert (shown, parsed.password) == (name, password)
    assert parsed.drivername == "postgresql+psycopg"
    again, _ = parse_url(shown, {})
    assert again == shown  # the name opens the same database


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hunter2@h/d", "a registry is a TOML file, an SQLite database, or in PostgreSQL"),
        ("sqlite:///hunter2.db", "an SQLite registry is given by its path"),
        ("postgresql+psycopg2://u:hunter2@h/d", "only psycopg"),
        ("postgresql+asyncpg://u:hunter2@h/d", "only psycopg"),
        ("postgresql:u:hunter2@h/d", "is not of the form"),
        ("postgres:/u:hunter2@h/d", "is not of the form"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("postgresql://u:hunter2@h/", "names no database"),
        ("postgresql://u:hun@ter2@h/d", "more than one '@'"),
        ("postgresql://u:hun@ter2/@h/d", "more than one '@'"),
        ("postgresql://u:hunter2", "is not of the form"),
        ("postgresql://u:hunter2/d", "is not of the form"),
        ("postgresql://u@h:hunter2/d", "is not of the form"),
        ("postgresql://u@hunter2 x/d", "names no host"),
        ("postgresql://u@hunter2%40x/d", "names no host"),
        ("postgresql://u@hünter2/d", "names no host"),
        ("postgresql://u@h/d?password=hunter2", "belongs into PGPASSWORD"),
        ("postgresql://u@h/d?sslpassword=hunter2", "belongs into PGPASSWORD"),
        ("postgresql://u@h/d?options=-chunter2", "'options' cannot be set here"),
        ("postgresql://u@h/d?service=hunter2", "'service' cannot be set here"),
        ("postgresql://u:hunter2@h/d\n", "is not of the form"),
        ("postgresql://u:hunter2@h/" + "d" * 5000, "is not of the form"),
    ],
)
def test_urls_that_are_refused(url, words):
    assert is_url(url)
    for create in (False, True):
        with pytest.raises(RegistryError, match=words) as refused:
            open_store(url, create=create)
        assert "hunter2" not in str(refused.value)
        assert "ter2" not in str(refused.value)


@pytest.mark.parametrize(
    "path", ["keys.db", "keys.toml", "/a/b:c", "postgres", "postgresql/keys.db", "C:x", "a:b@c"]
)
def test_paths_are_no_urls(path):
    assert not is_url(path)


@given(st.text(st.sampled_from("secret@:/?#[]%&= .é\0"), max_size=30))
def test_nothing_of_a_password_is_shown(password):
    """Whether it is taken or not: the digits stand for what must stay hidden."""
    hidden = f"31337{password}31337"
    try:
        name, _ = parse_url(f"postgresql://user:{hidden}@host/db", {})
    except RegistryError as error:
        name = str(error)
    assert "31337" not in name


@pytest.mark.parametrize(
    ("url", "environment", "mode"),
    [
        ("postgresql://db.example/d", {}, "verify-full"),
        ("postgresql://10.0.0.1/d", {}, "verify-full"),
        ("postgresql://localhost.example/d", {}, "verify-full"),
        ("postgresql:///d?host=127.0.0.1&host=db.example:5433", {}, "verify-full"),
        ("postgresql:///d", {"PGHOST": "db.example"}, "verify-full"),
        ("postgresql:///d", {"PGSERVICE": "prod"}, "verify-full"),
        ("postgresql://db.example/d?sslmode=require", {}, "require"),
        ("postgresql://db.example/d", {"PGSSLMODE": "require"}, None),
        ("postgresql:///d", {}, None),
        ("postgresql:///d", {"PGHOST": "/run/postgresql"}, None),
        ("postgresql:///d?host=/run/postgresql", {"PGHOST": "db.example"}, None),
        ("postgresql://localhost/d", {}, None),
        ("postgresql://127.0.0.1:5433/d", {}, None),
        ("postgresql://[::1]/d", {}, None),
    ],
)
def test_other_machines_show_a_certificate(url, environment, mode):
    name, parsed = parse_url(url, environment)
    assert parsed.query.get("sslmode") == mode
    assert "verify-full" not in name


@pytest.mark.parametrize("missing", ["sqlalchemy", "psycopg"])
def test_without_the_extra(missing):
    code = f"""
import sys
sys.modules[{missing!r}] = None
from immure.registry.errors import RegistryError
from immure.registry.opening import migrate_store, open_store
for way in (open_store, migrate_store):
    try:
        way("postgresql://u:hunter2@localhost/d")
    except RegistryError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = "postgresql://…: needs SQLAlchemy, Alembic and psycopg: pip install 'immure[postgresql]'\n"
    assert done.stdout == 2 * said
