"""``immure keys`` on a registry in PostgreSQL, and that it prints no password."""

from __future__ import annotations

import json

import pytest

from immure.cli import main

from .material import ISSUER, document, jwk

PASSWORD = "p@ss:wo/rd?%31337"
QUOTED = "p%40ss%3Awo%2Frd%3F%2531337"


@pytest.fixture
def immure(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main.run(["keys", *arguments])
        out, err = capsys.readouterr()
        assert "31337" not in out + err
        return int(code), out, err

    return run


@pytest.fixture
def url(postgres):
    """Over TCP, with the password in it."""
    name = postgres.database()
    postgres.execute(name, f"CREATE ROLE role_{name} LOGIN PASSWORD '{PASSWORD}'")
    postgres.execute(name, f"GRANT CREATE ON DATABASE {name} TO role_{name}")
    return postgres.tcp_url(f"role_{name}:{QUOTED}", name)


def test_a_life(immure, url, tmp_path):
    (tmp_path / "set.json").write_bytes(document(jwk(kid="k1"), jwk("P-256", kid="k2")))
    shown = url.replace(f":{QUOTED}", "")

    def on(*arguments, code=0):
        found, out, err = immure(*arguments, "--store", url)
        assert found == code, err
        return out, err

    assert shown + ": does not exist" in on("list", code=3)[1]
    assert on("migrate")[1] == "immure: the registry is up to date\n"
    out, _ = on("import", "set.json", "--issuer", ISSUER, "--audience-class", "consumer", "--by", "me")
    assert [line.split()[0] for line in out.splitlines()] == ["k1", "k2"]
    on("activate", "k1")
    assert "it can become" in on("destroy", "k1", "--reason", "x", code=1)[1]
    assert json.loads(on("jwks")[0])["keys"][0]["kid"] == "k1"
    assert on("audit")[0] == f"{shown}: 2 keys, nothing found\n"
    assert on("migrate", "-q") == ("", "")
    code, out, _ = immure("audit", url, "--format", "json")
    assert (code, json.loads(out)["sources"][0]["source"]) == (0, shown)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (QUOTED, QUOTED + "x", "password authentication failed"),
        (QUOTED, PASSWORD, "more than one '@'"),
        ("@127", "@@127", "more than one '@'"),
        ("@127.0.0.1:", "@nowhere.invalid:", "nowhere.invalid"),
        ("/db", "/nodb", 'database "nodb'),
        ("/db", "?db", "names no database"),
        ("postgresql", "postgresql+psycopg2", "only psycopg"),
        ("postgresql", "mysql", "a registry is a TOML file"),
    ],
)
def test_mistakes(immure, url, old, new, words):
    wrong = url.replace(old, new, 1)
    for arguments in (
        ["list", "--store", wrong],
        ["migrate", "--store", wrong],
        ["activate", "k1", "--store", wrong],
        ["audit", "--store", wrong],
        ["audit", wrong, "--format", "json"],
    ):
        code, out, err = immure(*arguments)
        assert code == 3
        assert words in err
        assert "json" not in arguments or json.loads(out)["unread"]
