"""Keys that several issuers have: what does not say itself whose it is may sign for none of them."""

from __future__ import annotations

import json

import pytest

from immure.tokens.errors import TokenError
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.policy_file import read_policy
from immure.tokens.sources import DiscoverySource, FileSource, Page, StaticSource, UrlSource
from immure.tokens.sources.addresses import plain_url
from immure.tokens.validator import Validator
from tokens.minting import MAIL, NOW, Mint, jwk
from tokens.sources.imagined import Imagined

A, B = "https://a.example", "https://b.example"
URL = "https://keys.example/set"
PLAIN = {"keys": [jwk("Ed25519", issuer=None)]}
STATED = {"keys": [jwk("Ed25519", issuer=A), jwk("Ed25519:b", issuer=B)]}


def pages(document):
    data = json.dumps(document).encode()
    found = dict.fromkeys((URL, "https://KEYS.example:443/x/../s%65t#top"), data)
    for issuer in (A, B):
        stated = {"issuer": issuer, "jwks_uri": URL}
        found[f"{issuer}/.well-known/openid-configuration"] = json.dumps(stated).encode()
    return {url: Page(data) for url, data in found.items()}


def sources(kind, document, path):
    """A source for each of the two issuers, both of the same keys."""
    options = {"fetcher": Imagined(pages(document)), "start": lambda job: job()}
    path.write_text(json.dumps(document))
    if kind == "url":
        return UrlSource(URL, issuer=A, **options), UrlSource(URL, issuer=B, **options)
    if kind == "other-spelling":
        other = UrlSource("https://KEYS.example:443/x/../s%65t#top", issuer=B, **options)
        return UrlSource(URL, issuer=A, **options), other
    if kind == "file":
        (path.parent / "link").symlink_to(path)
        return FileSource(path, issuer=A), FileSource(path.parent / "link", issuer=B)
    if kind == "discovery":
        hosts = {"jwks_hosts": ["keys.example"], **options}
        return DiscoverySource(A, **hosts), DiscoverySource(B, **hosts)
    if kind == "url-and-discovery":
        return UrlSource(URL, issuer=A, **options), DiscoverySource(B, jwks_hosts=["keys.example"], **options)
    one = StaticSource(KeySet.from_jwks(document, "keys", issuer=A))
    return one, one


KINDS = ["url", "other-spelling", "file", "discovery", "url-and-discovery", "static"]


def validator(*sources):
    rules = {issuer: IssuerRule(source, "x") for issuer, source in zip((A, B), sources, strict=False)}
    return Validator(Policy(rules, {MAIL: frozenset({"x"})}), time=lambda: NOW)


def code(one, key="Ed25519", iss=A):
    try:
        return one.validate(Mint(key).token(iss=iss, tid=None)) and None
    except TokenError as error:
        return error.code


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_say_nothing_are_refused(kind, tmp_path):
    one = validator(*sources(kind, PLAIN, tmp_path / "keys.json"))
    code(one, iss=B)  # a source that finds its keys through a document knows their address only then
    assert code(one) == "key-unscoped"
    assert code(one, iss=B) == "key-unscoped"


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_say_whose_they_are_are_taken(kind, tmp_path):
    one = validator(*sources(kind, STATED, tmp_path / "keys.json"))
    assert code(one) is None
    assert code(one, "Ed25519:b", B) is None
    assert code(one, "Ed25519:b", A) == "key-issuer"
    assert code(one, "Ed25519", B) == "key-issuer"


@pytest.mark.parametrize("kind", KINDS)
def test_so_they_are_if_one_issuer_alone_has_them(kind, tmp_path):
    assert code(validator(sources(kind, PLAIN, tmp_path / "keys.json")[0])) is None


def test_sources_elsewhere_are_no_pool(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps(PLAIN))
    one = validator(*(FileSource(tmp_path / name, issuer=iss) for name, iss in (("a", A), ("b", B))))
    assert code(one) is None
    assert code(one, iss=B) is None


def test_two_names_for_one_source_in_a_policy_file(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(PLAIN))
    rules = "".join(
        f'[sources.{name}]\nfile = "keys.json"\n[issuers."{iss}"]\nsource = "{name}"\naudience_class = "x"\n'
        for name, iss in (("a", A), ("b", B))
    )
    (tmp_path / "policy.toml").write_text(f'version = 1\n{rules}[audiences]\n"{MAIL}" = ["x"]\n')
    one = Validator(read_policy(tmp_path / "policy.toml"), time=lambda: NOW)
    assert {code(one), code(one, iss=B)} == {"key-unscoped"}


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://h.example", "https://h.example/"),
        ("https://H.Example./", "https://h.example/"),
        ("https://h.example:443/a", "https://h.example/a"),
        ("http://localhost:80/a", "http://localhost/a"),
        ("https://h.example:80/a", "https://h.example:80/a"),
        ("http://localhost:443/a", "http://localhost:443/a"),
        ("https://h.example/a/./b/../c", "https://h.example/a/c"),
        ("https://h.example/../a", "https://h.example/a"),
        ("https://h.example/%61%2Fb%20", "https://h.example/a/b%20"),
        ("https://h.example/a?b=C#d", "https://h.example/a?b=C"),
        ("https://h.example//a", "https://h.example//a"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
    ],
)
def test_addresses_as_they_are_compared(url, plain):
    assert plain_url(url) == plain
    assert plain_url(plain) == plain
