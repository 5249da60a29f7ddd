"""Policies in TOML: what is misspelt is an error."""

from __future__ import annotations

import json

import pytest

from immure.errors import PolicyError
from immure.tokens.errors import AudienceClassError, KeyIssuerError
from immure.tokens.policy_file import MOST_BYTES, read_policy
from immure.tokens.validator import Validator
from tokens.minting import CHAT, CONSUMER_ISSUER, CONSUMERS, ENTERPRISE, MAIL, NOW, Mint, jwk

POLICY = f"""
version = 1
token_type = "JWT"
max_age_seconds = 7200
skew_seconds = 30
require = ["exp", "iat", "sub"]
whole_seconds = true
confirmation = "if-bound"

[sources.login]
file = "keys.json"

[issuers."{ENTERPRISE}"]
source = "login"
audience_class = "enterprise"
algorithms = ["EdDSA"]
separate_tenants = ["{CONSUMERS}"]

[issuers."{CONSUMER_ISSUER}"]
source = "login"
audience_class = "consumer"
exact_keys = true

[audiences]
"{MAIL}" = ["enterprise"]
"{CHAT}" = ["enterprise", "consumer"]

[values]
sub = ["mailbox-7"]
"""


@pytest.fixture
def place(tmp_path):
    keys = [jwk("Ed25519"), jwk("Ed25519:consumer", issuer=CONSUMER_ISSUER)]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
    return tmp_path / "policy.toml"


def test_a_whole_policy(place):
    place.write_text(POLICY)
    one = Validator(read_policy(place), time=lambda: NOW)
    assert one.validate(Mint().token()).audience_class == "enterprise"
    thief = Mint(key="Ed25519:consumer")
    with pytest.raises(KeyIssuerError):
        one.validate(thief.token())
    with pytest.raises(AudienceClassError):
        one.validate(thief.token(iss=CONSUMER_ISSUER, tid=CONSUMERS))


def test_keys_of_a_source_that_one_issuer_has_are_that_issuers(place):
    (place.parent / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519", issuer=None)]}))
    text = POLICY.replace(f'[issuers."{CONSUMER_ISSUER}"]\nsource = "login"\n', "[ignored]\n")
    place.write_text(
        text.replace('audience_class = "consumer"\nexact_keys = true\n', "").replace("[ignored]", "")
    )
    assert Validator(read_policy(place), time=lambda: NOW).validate(Mint().token())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ("version = 1", "version = true"),
        ("version = 1", ""),
        ("token_type", "token_typ"),
        ("max_age_seconds = 7200", "max_age_seconds = 0"),
        ("max_age_seconds = 7200", 'max_age_seconds = "2h"'),
        ("skew_seconds = 30", "skew_seconds = 30000"),
        ("skew_seconds = 30", "skew_seconds = 30.5"),
        ('require = ["exp", "iat", "sub"]', 'require = "exp"'),
        ("whole_seconds = true", "whole_seconds = 1"),
        ('"if-bound"', '"never"'),
        ("keys.json", "none.json"),
        ("file =", "path ="),
        ('file = "keys.json"', 'file = "keys.json"\nurl = "https://login.example/keys"'),
        ('file = "keys.json"', 'url = "http://login.example/keys"'),
        ('source = "login"', 'source = "other"'),
        ('["EdDSA"]', '["HS256"]'),
        ('["EdDSA"]', '"EdDSA"'),
        ("algorithms", "algs"),
        ("exact_keys = true", 'exact_keys = "yes"'),
        ('["enterprise"]', '"enterprise"'),
        ("[audiences]", "[audience]"),
        ('["mailbox-7"]', "[]"),
        ('["mailbox-7"]', "[1.5]"),
        (ENTERPRISE, "https://*"),
        ("[values]", "[values"),
    ],
)
def test_mistakes(place, old, new):
    assert old in POLICY
    place.write_text(POLICY.replace(old, new))
    with pytest.raises(PolicyError) as caught:
        read_policy(place)
    assert caught.value.path == str(place)


def test_files_that_are_none(tmp_path):
    for path in (tmp_path, tmp_path / "none", "\0"):
        with pytest.raises(PolicyError):
            read_policy(path)
    (tmp_path / "long").write_bytes(b"#" * (MOST_BYTES + 1))
    (tmp_path / "latin").write_bytes(b"# \xe9")
    for name in ("long", "latin"):
        with pytest.raises(PolicyError):
            read_policy(tmp_path / name)
