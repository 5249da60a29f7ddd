"""Documents for which one must say who one is, such as a cluster's keys: who gets the token."""

from __future__ import annotations

import json

import pytest

from immure.errors import KeySourceError, PolicyError
from immure.tokens import presets
from immure.tokens.errors import TokenError
from immure.tokens.policy_file import read_policy
from immure.tokens.sources import HttpsPages, UrlSource
from immure.tokens.validator import Validator
from tokens.minting import MAIL, NOW, Mint, jwk

from .server import answer, certificates, running

ISSUER = "https://kubernetes.default.svc.cluster.local"
KEYS = json.dumps({"keys": [jwk("RS", issuer=None)]}).encode()


@pytest.fixture
def cluster(tmp_path):
    """An API server on this machine, with a CA of its own, and a pod's token."""
    ca_file, context = certificates(tmp_path, "localhost")
    (tmp_path / "token").write_text("aaa.bbb.ccc\n")
    with running(context) as server:
        server.answers["/openid/v1/jwks"] = answer(KEYS)
        server.ca_file = str(ca_file)
        server.token_file = str(tmp_path / "token")
        server.url = f"https://localhost:{server.port}/openid/v1/jwks"
        yield server


def pages(cluster, host=None, **options):
    host = host or f"localhost:{cluster.port}"
    return HttpsPages(
        allow_loopback=True,
        ca_file=cluster.ca_file,
        token_file=cluster.token_file,
        token_host=host,
        **options,
    )


def sent(cluster):
    lines = [line for request in cluster.requests for line in request.splitlines()]
    return [line.partition(": ")[2] for line in lines if line.lower().startswith("authorization:")]


def test_the_token_is_sent_and_read_anew_each_time(cluster, tmp_path):
    fetcher = pages(cluster)
    assert fetcher.fetch(cluster.url).data == KEYS
    (tmp_path / "token").write_text("ddd")
    assert fetcher.fetch(cluster.url).data == KEYS
    assert sent(cluster) == ["Bearer aaa.bbb.ccc", "Bearer ddd"]
    assert "aaa" not in repr(fetcher)


def test_a_source_with_it(cluster):
    source = UrlSource(cluster.url, issuer=ISSUER, fetcher=pages(cluster))
    policy = presets.kubernetes(issuer=ISSUER, audience=MAIL, source=source)
    one = Validator(policy, time=lambda: NOW)
    assert one.validate(Mint("RS", "RS256").token(iss=ISSUER, tid=None)).issuer == ISSUER
    with pytest.raises(TokenError):
        one.validate(Mint("RS", "RS256").token(iss=ISSUER + "/", tid=None))


def test_no_other_host_gets_it(cluster):
    for host in ("localhost", "localhost:1", "127.0.0.1", "login.example"):
        assert pages(cluster, host).fetch(cluster.url).data == KEYS
    assert sent(cluster) == []


def test_it_goes_over_https_only(tmp_path):
    (tmp_path / "token").write_text("aaa")
    with running() as server:
        server.answers["/set"] = answer(KEYS)
        host = f"127.0.0.1:{server.port}"
        fetcher = HttpsPages(allow_loopback=True, token_file=str(tmp_path / "token"), token_host=host)
        assert fetcher.fetch(f"http://{host}/set").data == KEYS
        assert sent(server) == []


def test_redirects_on_the_host_keep_it(cluster):
    cluster.answers["/keys"] = answer(b"", "Location: /openid/v1/jwks", status="302 Found")
    assert pages(cluster).fetch(f"https://localhost:{cluster.port}/keys").data == KEYS
    assert sent(cluster) == ["Bearer aaa.bbb.ccc"] * 2


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"a b", b"a\r\nX: y", b"\xff", b"a" * 16385, b"=a", b"a\0"]
)  # fmt: skip
def test_tokens_that_are_none(cluster, tmp_path, content):
    path = tmp_path / "token"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(KeySourceError) as caught:
        pages(cluster).fetch(cluster.url)
    assert caught.value.path == str(path)
    assert cluster.requests == []


def test_the_longest_token(cluster, tmp_path):
    (tmp_path / "token").write_bytes(b"a" * 16384)
    assert pages(cluster).fetch(cluster.url).data == KEYS


@pytest.mark.parametrize("options", [{"token_file": "x"}, {"token_host": "localhost"}])
def test_a_token_is_for_a_host(options):
    with pytest.raises(KeySourceError):
        HttpsPages(**options)


def test_the_certificate_must_be_of_the_authority(cluster):
    with pytest.raises(KeySourceError, match="not trusted"):
        HttpsPages(allow_loopback=True).fetch(cluster.url)
    with pytest.raises(KeySourceError):
        HttpsPages(allow_loopback=True, ca_file=cluster.token_file).fetch(cluster.url)
    with pytest.raises(KeySourceError):
        HttpsPages(allow_loopback=True, ca_file="/nonexistent").fetch(cluster.url)


POLICY = """
version = 1
[sources.cluster]
{source}
[issuers."https://kubernetes.default.svc.cluster.local"]
source = "cluster"
audience_class = "workload"
[audiences]
"https://mail.example" = ["workload"]
"""
URL = 'url = "https://kubernetes.default.svc/openid/v1/jwks"'


def test_in_a_policy_file(tmp_path):
    files = 'ca_file = "ca.crt"\ntoken_file = "/run/token"\nprivate_hosts = true'
    (tmp_path / "p.toml").write_text(POLICY.format(source=f"{URL}\n{files}"))
    fetcher = read_policy(tmp_path / "p.toml").issuers[ISSUER].source._fetcher
    assert fetcher == HttpsPages(
        allow_private_hosts=True,
        ca_file=str(tmp_path / "ca.crt"),
        token_file="/run/token",
        token_host="kubernetes.default.svc",
    )
    at = 'discovery = "https://kubernetes.default.svc.cluster.local"\nat = "https://api.example:6443"'
    (tmp_path / "p.toml").write_text(POLICY.format(source=f"{at}\ntoken_file = 'token'"))
    fetcher = read_policy(tmp_path / "p.toml").issuers[ISSUER].source._fetcher
    assert fetcher == HttpsPages(token_file=str(tmp_path / "token"), token_host="api.example:6443")
    (tmp_path / "p.toml").write_text(POLICY.format(source=URL))
    assert read_policy(tmp_path / "p.toml").issuers[ISSUER].source._fetcher == HttpsPages()


@pytest.mark.parametrize(
    "source",
    [
        'file = "keys.json"\ntoken_file = "x"',
        'file = "keys.json"\nprivate_hosts = true',
        f"{URL}\nprivate_hosts = 1",
        f"{URL}\ntoken_file = 1",
        f'{URL}\nca_file = ""',
        f'{URL}\nat = "https://api.example"',
        'url = "https://[x"\ntoken_file = "x"',
        f'{URL}\ntoken_host = "api.example"',
    ],
)
def test_mistakes_in_a_policy_file(tmp_path, source):
    (tmp_path / "keys.json").write_bytes(KEYS)
    (tmp_path / "p.toml").write_text(POLICY.format(source=source))
    with pytest.raises(PolicyError):
        read_policy(tmp_path / "p.toml")


def test_the_preset_of_a_pod():
    rule = presets.kubernetes(issuer=ISSUER, audience=MAIL, in_cluster=True).issuers[ISSUER]
    mounted = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert rule.source.name == "https://kubernetes.default.svc/openid/v1/jwks"
    assert rule.source._fetcher == HttpsPages(
        allow_private_hosts=True,
        ca_file=f"{mounted}/ca.crt",
        token_file=f"{mounted}/token",
        token_host="kubernetes.default.svc",
    )
