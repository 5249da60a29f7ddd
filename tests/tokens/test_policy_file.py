"""Policies in TOML: what is misspelt is an error."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from immure.errors import PolicyError
from immure.tokens.errors import AudienceClassError, AudienceError, KeyIssuerError
from immure.tokens.policy_file import MOST_BYTES, parse_policy, read_policy
from immure.tokens.sources import DiscoverySource, UrlSource
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


def test_the_audience_may_be_the_client(place):
    place.write_text(POLICY.replace("whole_seconds", 'audience_claim = "client_id"\nwhole_seconds'))
    one = Validator(read_policy(place), time=lambda: NOW)
    assert one.validate(Mint().token(aud=None, client_id=MAIL), audience=MAIL)
    for changes in ({"aud": None}, {}, {"client_id": MAIL}, {"aud": None, "client_id": "x"}):
        with pytest.raises(AudienceError):
            one.validate(Mint().token(**changes))


MISTAKES = [
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
    ("whole_seconds = true", 'audience_claim = "azp"'),
    ("whole_seconds = true", "audience_claim = 1"),
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
]


#: What stands for the tables ``sources`` and ``issuers``, and something of the top; all of it wrong.
LOGIN = 'sources.a.discovery = "https://login.example"'
RULE = 'issuers."https://login.example" = {source = "a", audience_class = "x"'
MORE_MISTAKES = [
    "sources = 1",
    "issuers = 1",
    "audiences = []",
    "values = 1",
    "sources.a = 1",
    f"sources.{'n' * 90} = 1",
    f"issuers.{'n' * 90} = 1",
    "issuers.x = 1",
    "audiences.x = 1",
    f"audiences.{'n' * 90} = 1",
    'audiences.x = [""]',
    "audiences.x = [1]",
    f"values.{'n' * 90} = []",
    "values.x = [[1]]",
    f"{'n' * 90} = 1",
    "sources.a = {}",
    "sources.a.file = 1",
    'sources.a.file = ""',
    "sources.a.url = 1",
    "sources.a.discovery = 1",
    'sources.a = {url = "https://login.example", more = 1}',
    'sources.a = {url = "https://login.example", at = "https://login.example"}',
    f"{LOGIN}\nsources.a.at = 1",
    f'{LOGIN}\nsources.a.at = "http://login.example"',
    f'{LOGIN}\nsources.a.jwks_hosts = "x"',
    f"{LOGIN}\nsources.a.private_hosts = 1",
    f"{LOGIN}\nsources.a.token_file = 1",
    f"{LOGIN}\nsources.a.ca_file = 1",
    f'{LOGIN}\nsources.a.issuer = "x"',
    'sources.a.discovery = "https://login.example/{tenantid}"',
    f"{LOGIN}\n{RULE}, more = 1}}",
    f"{LOGIN}\n{RULE}, tenants = 1}}",
    f"{LOGIN}\n{RULE}, clouds = [1]}}",
    f"{LOGIN}\n{RULE}, separate_tenants = 'x'}}",
    f"{LOGIN}\n{RULE}, algorithms = ['']}}",
    f"{LOGIN}\n{RULE}, exact_keys = 1}}",
    f'{LOGIN}\nissuers."https://login.example" = {{source = 1, audience_class = "x"}}',
    f'{LOGIN}\nissuers."https://login.example" = {{audience_class = "x"}}',
    f'{LOGIN}\nissuers."https://login.example" = {{source = "a", audience_class = 1}}',
    f'{LOGIN}\nissuers."https://login.example" = {{source = "a"}}',
    f"{LOGIN}\n{RULE}}}\nskew_seconds = -1",
    f"{LOGIN}\n{RULE}}}\nmax_age_seconds = -1",
    "max_age_seconds = 1000000001",
    "max_age_seconds = 1.0",
    "skew_seconds = 1000000001",
    "whole_seconds = 'x'",
    "token_type = 1",
    "confirmation = 1",
]


@pytest.mark.parametrize("text", MORE_MISTAKES)
def test_more_mistakes(text):
    with pytest.raises(PolicyError) as caught:
        parse_policy(f"version = 1\n{text}".encode(), "p")
    assert caught.value.path == "p"


def made(text):
    return parse_policy(f"version = 1\n{text}\n{RULE}}}".encode(), "/etc/p.toml")


def test_sources_as_they_are_made():
    rule = made('sources.a = {url = "https://login.example/keys"}').issuers["https://login.example"]
    assert isinstance(rule.source, UrlSource)
    assert (rule.source.name, rule.source._issuer) == ("https://login.example/keys", "https://login.example")
    found = made(f'{LOGIN}\nsources.a.at = "https://at.example/x"\nsources.a.jwks_hosts = ["k.example"]')
    source = found.issuers["https://login.example"].source
    assert isinstance(source, DiscoverySource)
    assert source.name == "https://login.example"
    assert source._places[0] == "https://at.example/x/.well-known/openid-configuration"
    assert source._hosts == {("https", "at.example", 443), ("https", "k.example", 443)}
    plain = made(LOGIN).issuers["https://login.example"].source
    assert plain._places[0] == "https://login.example/.well-known/openid-configuration"
    assert plain._hosts == {("https", "login.example", 443)}
    local = made('sources.a = {url = "http://localhost:1/keys", token_file = "t"}')
    fetcher = local.issuers["https://login.example"].source._fetcher
    assert (fetcher.token_host, fetcher.token_file) == ("localhost:1", "/etc/t")


def test_what_is_left_out_has_its_default():
    policy = made(LOGIN)
    assert (policy.audiences, policy.values, policy.require) == ({}, {}, {"exp"})
    assert (policy.token_type, policy.max_age, policy.skew) == (None, None, timedelta(seconds=60))
    assert (policy.whole_seconds, policy.confirmation, policy.audience_claim) == (False, "if-bound", "aud")
    rule = policy.issuers["https://login.example"]
    assert (rule.audience_class, rule.exact_keys) == ("x", False)
    assert not any((rule.algorithms, rule.tenants, rule.separate_tenants, rule.clouds))


def test_what_stands_there_is_what_is_meant():
    policy = made(
        "max_age_seconds = 1000000000\nskew_seconds = 0\nwhole_seconds = true\nconfirmation = 'required'\n"
        "token_type = 'application/AT+jwt'\nrequire = ['jti']\naudience_claim = 'client_id'\n"
        "values.v = [true, 7, 'a']\n" + LOGIN
    )
    assert policy.max_age == timedelta(seconds=1_000_000_000)
    assert policy.skew == timedelta(0)
    assert (policy.whole_seconds, policy.confirmation, policy.audience_claim) == (
        True,
        "required",
        "client_id",
    )
    assert (policy.token_type, policy.require, policy.values) == ("at+jwt", {"jti"}, {"v": {7, True, "a"}})


@pytest.mark.parametrize(("old", "new"), MISTAKES)
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
