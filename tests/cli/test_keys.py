"""``immure keys``: what it prints, and what it ends with."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import jsonschema
import pytest

import immure.registry
from immure.cli import main
from immure.registry.opening import open_store
from registry.material import ISSUER, OTHER, document, jwk, public

SCHEMA = Path(immure.registry.__file__).with_name("key-audit-1.schema.json")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.json").write_bytes(document(jwk(kid="k1"), jwk("P-256", kid="k2")))
    (tmp_path / "good.json").write_bytes(
        document(jwk(kid="k1", issuer=ISSUER), jwk("P-256", kid="k2", issuer=ISSUER))
    )
    (tmp_path / "pooled.json").write_bytes(
        document(jwk(kid="k1", issuer=ISSUER), jwk("P-256", kid="k2", issuer=OTHER))
    )
    (tmp_path / "none.json").write_bytes(b"{}")
    return tmp_path


@pytest.fixture(params=["immure-keys.db", "keys.toml"])
def store(request):
    return request.param


@pytest.fixture
def immure(capsys, monkeypatch):
    def run(line: str):
        code = main.run(["keys", *shlex.split(line)])
        out, err = capsys.readouterr()
        return int(code), out, err

    return run


def test_a_life(immure, store):
    def on(line):
        code, out, err = immure(f"{line} --store {store}")
        assert code == 0, err
        return out, err

    out, _ = on(f"import plain.json --issuer {ISSUER} --audience-class consumer --by me")
    assert [line.split()[0] for line in out.splitlines()] == ["k1", "k2"]
    _, err = on("activate k1")
    assert err == "immure: key 'k1' is active\n"
    on("suspend k1 --reason 'odd log line'")
    on("activate k1 --reason 'false alarm'")
    on("retire k1 --reason 'rotation'")
    on("compromise k1 --reason 'found in a dump' --since 2026-01-02 --by you -q")
    states = json.loads(on("history k1 --format json")[0])
    assert [change["state"] for change in states] == [
        "pre-active",
        "active",
        "suspended",
        "active",
        "deactivated",
        "compromised",
    ]
    assert (states[-1]["since"], states[-1]["by"]) == ("2026-01-02T00:00:00Z", "you")
    assert "compromised  by you  since 2026-01-02 00:00:00Z: found in a dump" in on("history k1")[0]
    on("destroy k1 --reason 'wiped'")
    assert "destroyed since" in on("show k1")[0]
    assert json.loads(on("show k1 -f json")[0])["state"] == "destroyed"
    listed = json.loads(on("list --state destroyed --format json")[0])
    assert [key["kid"] for key in listed] == ["k1"]
    assert on(f"list --issuer {OTHER}")[0] == ""
    assert len(on("list")[0].splitlines()) == 2


def test_scopes(immure, store):
    at = f"--store {store}"
    assert immure(f"import plain.json {at}")[0] == 0
    assert immure(f"scope k1 {at} --audience-class consumer")[0] == 2  # it has no issuer yet
    code, out, _ = immure(
        f"scope k1 {at} --issuer {ISSUER} --audience-class consumer --tenant t --not-after 2030-01-01"
    )
    assert (code, "https://login.example (consumer)" in out) == (0, True)
    assert immure(f"scope k1 {at} --alg RS256")[0] == 1
    assert immure(f"scope k1 {at} --any tenants --any time --alg EdDSA")[0] == 0
    with open_store(store) as opened:
        scope = opened.find("k1").scope
    assert scope is not None
    assert (scope.tenants, scope.not_after, scope.algorithms) == (frozenset(), None, {"EdDSA"})
    assert immure(f"scope k1 {at} --clear")[0] == 0
    with open_store(store) as opened:
        assert opened.find("k1").scope is None


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("list", 0, ""),
        ("show nobody", 3, "no key 'nobody'"),
        ("suspend k1 --reason x", 1, "is pre-active; it can become active, compromised or destroyed"),
        ("suspend k1", 2, "--reason"),
        ("compromise k1 --reason x --since soon", 2, "neither a date nor a time"),
        ("compromise k1 --reason x --since 9000-01-01", 3, "begins in the future"),
        ("compromise k1 --reason ''", 2, "say why"),
        ("list --state alive", 2, "unknown state 'alive'"),
        ("import plain.json --issuer https://a", 1, "is there already"),
        ("import good.json", 0, "is there already, and pre-active"),
        (f"import good.json --issuer {OTHER}", 1, "as its source says"),
        ("import none.json", 3, "none.json"),
        ("import nothing.json", 3, "No such file"),
        ("import plain.json --kid one", 3, "one kid for 2 keys"),
        ("import", 2, "SRC"),
        ("scope k1", 2, "say what the scope is to be"),
        ("scope k1 --clear --tenant x", 2, "not both"),
        ("scope k1 --any tenants --tenant x", 2, "--any lifts"),
        (f"scope k1 --issuer {ISSUER} --alg none", 1, "'none'"),
        ("jwks --issuer https://nobody.example", 3, "no key has such a scope"),
        ("jwks --each . -o x", 2, "no other choice"),
        ("list --store nothing.db", 2, "there is no registry"),
        ("list --store good.json", 3, "SQLite"),
        ("list --store .", 2, "directory"),
    ],
)
def test_exit_codes(immure, line, code, words):
    assert immure("import good.json --by me")[0] == 0
    found = immure(line)
    assert (found[0], words in found[2]) == (code, True), found


def test_key_sets(immure, place, store):
    at = f"--store {store}"
    immure(f"import pooled.json {at} --audience-class enterprise --state active")
    code, out, err = immure(f"jwks {at}")
    assert (code, out) == (1, "")
    assert "keys of several never come in one set" in err
    code, out, _ = immure(f"jwks {at} --issuer {OTHER}")
    assert [(key["kid"], key["issuer"]) for key in json.loads(out)["keys"]] == [("k2", OTHER)]
    assert immure(f"jwks {at} --issuer {OTHER} -o one.json")[0] == 0
    assert json.loads((place / "one.json").read_text()) == json.loads(out)
    (place / "out").mkdir()
    code, out, _ = immure(f"jwks {at} --each out")
    files = {line.split()[1]: line.split()[0] for line in out.splitlines()}
    assert set(files) == {ISSUER, OTHER}
    for issuer, name in files.items():
        assert {key["issuer"] for key in json.loads((place / name).read_text())["keys"]} == {issuer}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("audit good.json", 0),
        ("audit pooled.json", 1),
        ("audit plain.json", 1),
        ("audit plain.json --least high", 0),
        ("audit none.json", 3),
        ("audit good.json none.json", 3),
        ("audit pooled.json none.json", 1),
        ("audit --max-age 0", 2),
        ("audit", 2),
        ("audit --store nothing.toml", 2),
        ("audit good.json --store nothing.db", 2),
    ],
)
def test_what_an_audit_ends_with(immure, line, code):
    assert immure(line)[0] == code


def test_audits(immure, store):
    at = f"--store {store}"
    immure(f"import good.json {at} --state active --audience-class consumer")
    assert immure(f"audit {at}")[:2] == (0, f"{store}: 2 keys, nothing found\n")
    assert immure(f"audit good.json {at}")[0] == 0
    immure(f"compromise k1 --reason leak {at}")
    code, out, _ = immure(f"audit good.json {at}")
    assert (code, "high    published-compromised  k1" in out, "permits whoever has" in out) == (1, True, True)
    code, out, _ = immure(f"audit pooled.json none.json {at} --format json")
    report = json.loads(out)
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["schema"] == "https://immure.example/schemas/key-audit-1.json"
    assert [source["kind"] for source in report["sources"]] == ["jwks"]
    assert report["unread"][0]["source"] == "none.json"
    found = {(one["code"], one["kid"]) for one in report["sources"][0]["findings"]}
    assert found == {("pooled", None), ("published-compromised", "k1"), ("scope-differs", "k2")}
    assert public().thumbprint in {one["thumbprint"] for one in report["sources"][0]["findings"]}


def test_foreign_texts_are_made_visible(immure, place):
    (place / "evil.json").write_bytes(document(jwk(kid="a\x1b[2Jb", issuer="https://x\n")))
    _, out, _ = immure("audit evil.json")
    assert "\x1b" not in out
    assert immure("import evil.json")[0] == 3
    assert not (place / "immure-keys.db").exists()


@pytest.mark.parametrize(
    "name", ["list", "show", "import", "scope", "activate", "suspend", "retire", "compromise", "destroy",
             "history", "jwks", "audit"],
)  # fmt: skip
def test_help(immure, name):
    code, out, _ = immure(f"{name} --help")
    assert code == 0
    assert "Exit codes:" in out
