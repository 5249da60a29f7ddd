"""How a registry in PostgreSQL is logged in to, and that no password is shown."""

from __future__ import annotations

import pytest

from immure.registry.errors import RegistryError
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from servers.tls import Authority

from .material import ISSUER, record

ONE = record(scope=KeyScope(ISSUER), state=KeyState.ACTIVE)
PASSWORD = "p@ss:wo/rd?%31337"
QUOTED = "p%40ss%3Awo%2Frd%3F%2531337"


@pytest.fixture(scope="module")
def account(cluster):
    """A URL for TCP, where a password is asked for."""
    name = cluster.database()
    cluster.execute(
        name,
        f"CREATE ROLE account LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT CREATE ON DATABASE {name} TO account",
    )
    with open_store(cluster.url("account", name), create=True) as store:
        store.add([ONE])
    return cluster.tcp_url("account", name)


def test_a_password_in_the_url(account):
    with open_store(account.replace("account@", f"account:{QUOTED}@")) as store:
        assert store.records() == (ONE,)
        assert store.path == account


def test_passwords_in_the_environment(account, monkeypatch, tmp_path):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with open_store(account) as store:
        assert store.records() == (ONE,)
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "pass").write_text("*:*:*:account:" + PASSWORD.replace(":", r"\:") + "\n")
    (tmp_path / "pass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pass"))
    with open_store(account) as store:
        assert store.records() == (ONE,)


@pytest.mark.parametrize("place", ["url", "environment", "user"])
def test_wrong_passwords_are_not_shown(account, monkeypatch, place):
    wrong = "hunter2-" + PASSWORD
    url = account
    if place == "url":
        url = account.replace("account@", f"account:hunter2-{QUOTED}@")
    elif place == "environment":
        monkeypatch.setenv("PGPASSWORD", wrong)
    else:  # the message of the server quotes it
        monkeypatch.setenv("PGPASSWORD", wrong)
        url = account.replace("account@", f"hunter2-{QUOTED}@")
    with pytest.raises(RegistryError, match="password authentication failed") as refused:
        open_store(url)
    assert "hunter2" not in refused.value.reason
    if place != "user":
        assert "hunter2" not in str(refused.value)


def test_certificates(account, authority, monkeypatch, tmp_path):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("HOME", str(tmp_path))
    with open_store(f"{account}?sslmode=verify-full&sslrootcert={authority.certificate}") as store:
        assert store.records() == (ONE,)
        with open_store(store.path) as again:  # the name asks for the same
            assert again.records() == (ONE,)
    other = Authority(tmp_path)
    for more in (f"sslmode=verify-full&sslrootcert={other.certificate}", "sslmode=verify-full"):
        with pytest.raises(RegistryError, match="certificate"):
            open_store(f"{account}?{more}")
