"""``immure token``, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from immure.cli.token import token as command
from immure.errors import UsageError
from immure.tokens import explain as explaining
from tokens.minting import MAIL, Mint, jwk
from tokens.test_policy_file import POLICY

SCHEMA = Path(explaining.__file__).with_name("token-explanation-1.schema.json")
AT = ["--at", "2026-11-25T12:00:00Z"]
GOOD = Mint().token()
BAD = Mint(key="Ed25519:consumer").token(sub="\x1b[31m\n")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519")]}))
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "good.jwt").write_text(GOOD + "\n")
    (tmp_path / "bad.jwt").write_text(BAD)
    return tmp_path


def run(*words, **options):
    result = CliRunner().invoke(command, [str(word) for word in words], standalone_mode=False, **options)
    return (
        (result.return_value if result.exception is None else result.exception),
        result.stdout,
        result.stderr,
    )


def test_validate(place):
    policy = ["--policy", place / "policy.toml", *AT]
    code, out, _ = run("validate", place / "good.jwt", *policy, "--audience", MAIL)
    assert code == 0
    assert "accepted: enterprise token" in out
    assert "mailbox-7" in out
    code, out, err = run("validate", place / "bad.jwt", *policy)
    assert (code, out) == (1, "")
    assert "refused (key-unknown)" in err
    code, out, _ = run("validate", place / "bad.jwt", *policy, "-f", "json")
    assert (code, json.loads(out)["accepted"], json.loads(out)["code"]) == (1, False, "key-unknown")
    assert run("validate", place / "good.jwt", *policy, "-q") == (0, "", "")


def test_explain(place):
    policy = ["--policy", place / "policy.toml", *AT]
    code, out, _ = run("explain", place / "good.jwt", *policy)
    assert (code, out.splitlines()[-1]) == (0, "accepted")
    code, out, _ = run("explain", "-", *policy, input=BAD.encode())
    assert (code, out.splitlines()[-1]) == (1, "REFUSED (key-unknown)")
    assert "FAIL  The issuer's own source has the key" in out
    code, out, _ = run("explain", place / "good.jwt", "--policy", place / "policy.toml", "-f", "json")
    assert (code, json.loads(out)["accepted"]) == (1, False)
    code, _, _ = run("explain", place / "good.jwt", *policy, "--audience", "https://other.example")
    assert code == 2


@pytest.mark.parametrize(
    ("token", "at", "audience", "ends"),
    [
        pytest.param(GOOD, AT, MAIL, 0, id="good"),
        pytest.param(GOOD, [], MAIL, 1, id="expired"),
        pytest.param(GOOD, AT, "https://other.example", 2, id="no-such-audience"),
        pytest.param(BAD, AT, MAIL, 1, id="unknown-key"),
        pytest.param("", AT, MAIL, 1, id="nothing"),
        pytest.param("a" * 20_000, AT, MAIL, 1, id="long"),
        pytest.param("é.\x1b.b", AT, MAIL, 1, id="not-ascii"),
    ],
)
def test_explanations_for_machines_keep_to_their_schema(place, token, at, audience, ends):
    words = ["--policy", place / "policy.toml", *at, "-f", "json", "--audience", audience]
    code, out, _ = run("explain", "-", *words, input=token.encode())
    made, schema = json.loads(out), json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(made)
    assert (code, made["accepted"], made["schema"]) == (ends, ends == 0, schema["$id"])


@pytest.mark.parametrize(
    "change",
    [
        {"accepted": True},
        {"sha256": "A" * 64},
        {"code": "Not A Code"},
        {"rules": []},
        {"more": 1},
        {"rules": [{"rule": "x", "outcome": "fail", "code": None, "words": None}]},
        {"rules": [{"rule": "x", "outcome": "pass", "code": "a", "words": "b"}]},
        {"rules": [{"rule": "x", "outcome": "passed", "code": None, "words": None}]},
    ],
)
def test_and_the_schema_refuses_what_is_none(place, change):
    words = ["--policy", place / "policy.toml", *AT, "-f", "json"]
    made = json.loads(run("explain", "-", *words, input=BAD.encode())[1])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(made | change)


def test_inspect_says_that_it_verifies_nothing(place):
    code, out, _ = run("inspect", place / "bad.jwt")
    assert code == 0
    assert out.startswith("NOT VERIFIED")
    assert "\x1b" not in out
    assert "2026-11-25T13:00:00+00:00" in out
    code, out, _ = run("inspect", place / "good.jwt", "-f", "json")
    assert json.loads(out)["verified"] is False
    assert GOOD.split(".")[2] not in out
    assert run("inspect", "-", input=b"a.b")[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "/nonexistent"],
        ["inspect", "."],
        ["validate", "-", "--policy", "/nonexistent"],
        ["validate", "-", "--policy", "{policy}", "--at", "noon"],
        ["validate", "-", "--policy", "{policy}", "--at", "2026-11-25T12:00:00"],
    ],
)
def test_what_cannot_be_done(place, words):
    code, _, _ = run(*[word.replace("{policy}", str(place / "policy.toml")) for word in words], input=b"a")
    assert isinstance(code, UsageError)


@pytest.mark.parametrize("words", [[], ["validate"], ["inspect"], ["explain"]])
def test_help_teaches(words):
    _, out, _ = run(*words, "--help")
    assert "Exit codes:" in out
