"""Settings of the console: what is right, and what is said of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.console.roles import Role
from immure.console.settings import MOST_BYTES, Settings
from immure.errors import UsageError

GOOD = """
version = 1
origin = "https://console.corp.example"
[sign_in.room]
directory = "room"
key = "file:log.key"
[sign_in.issuer]
policy = "tokens.toml"
authorize = "https://login.example/authorize"
token = "https://login.example/token"
client = "console"
prefix = "corp:"
[tenants.acme]
records = "records"
registry = "keys.db"
[tenants.acme.logs.gate]
directory = "gate-log"
key = "gate.pub"
[tenants.acme.roles]
viewer = ["ada"]
admin = ["grace"]
"""


def test_what_is_right() -> None:
    settings = Settings.parse(GOOD.encode(), "/etc/immure/console.toml")
    assert settings.room is not None
    assert settings.issuer is not None
    acme = settings.tenants["acme"]
    assert (acme.title, acme.records, acme.vault) == ("acme", Path("/etc/immure/records"), None)
    assert acme.registry == "/etc/immure/keys.db"
    assert acme.roles == {"ada": Role.VIEWER, "grace": Role.ADMIN}
    assert [(one.name, one.key) for one in acme.logs] == [("gate", Path("/etc/immure/gate.pub"))]
    assert settings.room.key == "file:/etc/immure/log.key"
    assert (settings.idle_minutes, settings.issuer.claim, settings.state) == (30, "sub", None)


def test_a_registry_may_be_a_database() -> None:
    text = GOOD.replace('"keys.db"', '"postgresql://db.example/keys"')
    assert Settings.parse(text.encode(), "x").tenants["acme"].registry == "postgresql://db.example/keys"


WRONG = {
    "no version": ("version = 1", "", "version is not 1"),
    "http": ("https://console", "http://console", "origin is not https://HOST"),
    "a path": ("corp.example", "corp.example/x", "origin is not https://HOST"),
    "capitals": ("console.corp", "Console.corp", "origin is not https://HOST"),
    "unknown member": ('registry = "keys.db"', 'registri = "keys.db"', "tenants.acme.registri is not known"),
    "unknown table": ("[sign_in.room]", "[sign_on.room]", "sign_on is not known"),
    "unknown role": ('viewer = ["ada"]', 'watcher = ["ada"]', "tenants.acme.roles.watcher is not known"),
    "two roles": ('viewer = ["ada"]', 'viewer = ["grace"]', "tenants.acme.roles: 'grace' is there twice"),
    "a name": ("[tenants.acme", "[tenants.Acme", "tenants.'Acme' is no name"),
    "a path as a name": ("[tenants.acme", '[tenants."../x"', "is no name"),
    "an address": (
        "https://login.example/token",
        "http://login.example/token",
        "sign_in.issuer.token is not https",
    ),
    "credentials": (
        "login.example/authorize",
        "a:b@login.example/",
        "sign_in.issuer.authorize is no address",
    ),
    "not a list": ('viewer = ["ada"]', 'viewer = "ada"', "tenants.acme.roles.viewer is not a list of texts"),
    "names of two kinds": ('prefix = "corp:"', "", "accounts of the room and names of the issuer"),
    "a prefix": ('"corp:"', '"corp"', "sign_in.issuer.prefix is not small letters"),
    "a number": ("[sign_in.room]", "[sign_in]\nidle_minutes = 0\n[sign_in.room]", "between 1 and 1440"),
    "no key": ('key = "file:log.key"', "", "sign_in.room.key is missing"),
    "no TOML": ("version = 1", "version == 1", "is no TOML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong(case: str) -> None:
    old, new, words = WRONG[case]
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        Settings.parse(GOOD.replace(old, new).encode(), "console.toml")
    assert str(caught.value).startswith("console.toml: ")
    assert words in str(caught.value)


def test_nobody_could_sign_in() -> None:
    text = "version = 1\norigin = 'https://c.example'\n[tenants.a]\n"
    with pytest.raises(UsageError, match="sign_in needs room or issuer"):
        Settings.parse(text.encode(), "console.toml")


def test_no_tenant() -> None:
    text = "version = 1\norigin = 'https://c.example'\n[sign_in.room]\ndirectory = 'r'\nkey = 'file:k'\n"
    with pytest.raises(UsageError, match="tenants is empty"):
        Settings.parse(text.encode(), "console.toml")


def test_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Settings.read(tmp_path / "none.toml")
    long = tmp_path / "long.toml"
    long.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(UsageError, match="is longer than"):
        Settings.read(long)
