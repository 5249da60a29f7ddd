"""Tests that users write for their policies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from immure.attest.clearance import Clearance
from immure.errors import PolicyError
from immure.transfer import PolicyFile
from immure.transfer.policy_tests import made_up, read_tests, run_tests
from immure.transfer.rules import RULES

from .material import OTHER_KEY, World, clearance_json

FOUND = (
    f'{{ key = {{ thumbprint = "{OTHER_KEY}", kty = "EC", kid = "k", issuer = "i" }}, '
    'kind = "named", proof = "p", occurrences = 1, residual_bits = 0 }'
)
LEFT = '{ key = "k", kind = "secret", bits_left = 9, bits = 99, bounds = [] }'
#: How each rule can be made to say no.
DENIALS = {
    "clearance": 'change = { "searched.mode" = "mostly" }',
    "signers": f'facts = {{ signers = ["{OTHER_KEY}"] }}',
    "subject": "facts = { other_bytes = true }",
    "size": "facts = { size = 5 }",
    "issued": None,  # in a test the moment follows from when the clearance was issued
    "expired": 'change = { expires = "2026-01-01T00:00:01Z" }\nfacts = { clearance_age = "1m" }',
    "clearance-age": 'facts = { clearance_age = "25h" }',
    "decision": 'change = { "decision.allowed" = false }',
    "same-policy": 'change = { "decision.policy" = "' + "0" * 64 + '" }',
    "destination": 'facts = { destination = "s3://elsewhere/x" }',
    "format": 'change = { "dump.format" = "hprof" }',
    "max-size": 'facts = { size = "5 MiB" }',
    "dump-age": 'facts = { dump_age = "31d" }',
    "mode": 'change = { "searched.mode" = "quick" }',
    "detectors": 'change = { "searched.detectors" = ["ec"] }',
    "harvest": 'change = { "searched.harvest" = false }',
    "texts": 'change = { "searched.texts" = [] }',
    "keys": 'change = { "searched.keys" = [] }',
    "not-searched": 'change = { not_searched = [{ offset = 0, length = 9, detector = "ec", reason = "x" }] }',
    "findings": f"change = {{ findings = [{FOUND}] }}",
    "residue": f'change = {{ "proof.residues" = [{LEFT}] }}',
    "proof": 'change = { "proof.checks.1.status" = "not done", "proof.complete" = false }',
    "grant": "facts = { grant = false }",
}
STRICT = """mode = "exhaustive"
texts = ["tokens"]
"""


@pytest.fixture
def policy(world: World):
    world.write_policy('mode = "exhaustive"\n', STRICT)
    text = world.policy.read_text().replace('max_age = "24h"', 'max_age = "24h"\nsame_policy = true')
    world.policy.write_text(text)
    return PolicyFile(world.policy).read()


def run(policy, text: str):
    def read(name: str) -> bytes:
        return json.dumps(clearance_json()).encode() if name == "base.json" else b"{"

    return run_tests(policy, f"version = 1\n{text}".encode(), "tests.toml", read)


def test_the_made_up_clearance_is_allowed(policy):
    Clearance.from_json(made_up(policy))
    [result] = run(policy, '[[test]]\nname = "good"\nexpect = "allow"')
    assert (result.passed, result.words) == (True, "allowed")


def test_every_rule_has_a_way_to_say_no():
    assert list(DENIALS) == [rule.name for rule in RULES]


@pytest.mark.parametrize("rule", [rule for rule, text in DENIALS.items() if text])
def test_every_rule_can_be_tested(policy, rule):
    text = f'[[test]]\nname = "it"\nexpect = "deny"\nrule = "{rule}"\n{DENIALS[rule]}'
    [result] = run(policy, text)
    assert result.passed, result.words
    [result] = run(policy, text.replace('"deny"', '"allow"').replace(f'rule = "{rule}"', ""))
    assert not result.passed
    other = "mode" if rule != "mode" else "proof"
    [result] = run(policy, text.replace(f'rule = "{rule}"', f'rule = "{other}"'))
    assert not result.passed


def test_on_a_clearance_of_ones_own(policy):
    text = 'base = "base.json"\n[[test]]\nname = "mine"\nexpect = "deny"\nrule = "same-policy"'
    [result] = run(policy, text)
    assert result.passed


DENY = '[[test]]\nname = "x"\nexpect = "deny"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no test"),
        ('[[test]]\nname = "x"', "needs 'expect'"),
        ('[[test]]\nexpect = "allow"', "needs 'name'"),
        (DENY.replace("deny", "maybe"), '\'expect\' is not "allow" or "deny"'),
        (DENY + 'rule = "mod"', "'rule' is not"),
        (DENY.replace("deny", "allow") + 'rule = "mode"', "expects that none does"),
        (DENY + "fact = 1", "has no member 'fact'"),
        (DENY + 'facts = { age = "1d" }', "has no member 'age'"),
        (DENY + "change = 5", "'change' is not a table"),
        (DENY + 'change = { "a.b" = 5 }', r"there is no 'a\.b' in the clearance"),
        (DENY + 'change = { "proof.checks.9" = 5 }', r"there is no 'proof\.checks\.9'"),
        (DENY + 'change = { "dump.size.x" = 5 }', r"there is no 'dump\.size\.x'"),
        ('[[tests]]\nname = "x"', "is 'test' meant"),
        ('base = "broken"\n[[test]]', "'base': broken is not JSON"),
    ],
)
def test_malformed(policy, text, words):
    with pytest.raises(PolicyError, match=words):
        run(policy, text)


def test_from_files(world: World, tmp_path: Path):
    policy = PolicyFile(world.policy).read()
    (tmp_path / "base.json").write_text(json.dumps(clearance_json()))
    (tmp_path / "tests.toml").write_text(
        'version = 1\nbase = "base.json"\n[[test]]\nname = "x"\nexpect = "allow"\n'
    )
    assert [result.passed for result in read_tests(policy, str(tmp_path / "tests.toml"))] == [True]
    (tmp_path / "base.json").write_text("[]")
    with pytest.raises(PolicyError, match=r"base\.json is not a clearance"):
        read_tests(policy, str(tmp_path / "tests.toml"))
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        read_tests(policy, str(tmp_path / "none.toml"))
