"""The settings of both servers are compared, and each thing that differs is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from immure.cli.main import run
from immure.introspection.settings_file import read_settings
from immure.mail.agreement import disagreements
from immure.mail.settings import Asking, Domain, MailSettings
from mail.house import CONSUMERS, CONTOSO, FABRIKAM, _introspection_settings, _issuer
from tokens.minting import jwk

SECRET = "the-secret-of-dovecot-there"
PORT = 8940


@pytest.fixture
def introspection(tmp_path: Path) -> Path:
    for name in ("consumer", "enterprise"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"keys": [jwk("ES256", issuer=None)]}))
    return _introspection_settings(tmp_path, PORT, 8930, SECRET)


def mail(**changes: object) -> MailSettings:
    given = {
        "domains": {
            "contoso.example": Domain(_issuer(PORT, "enterprise"), CONTOSO),
            "outlook.example": Domain(_issuer(PORT, "consumer"), CONSUMERS),
        },
        "asking": Asking("http://127.0.0.1:8930/introspect", "dovecot", SECRET),
        **changes,
    }
    paths = {"certificate": Path("/c"), "key": Path("/k"), "storage": Path("/s")}
    return MailSettings(**{**paths, **given})  # type: ignore[arg-type]


def test_what_agrees(introspection: Path):
    assert disagreements(mail(), read_settings(introspection)) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("clients.dovecot", "clients.other", "no client dovecot"),
        ('username = "sub"', "", "no username"),
        ('secrets = ["sha256:', 'secrets = ["sha256:' + "0" * 64 + '"] # ', "the secret is none"),
        (', "https://outlook.example"', "", "outlook.example: the policy takes no token"),
    ],
)
def test_what_the_server_says_otherwise(introspection: Path, old: str, new: str, words: str):
    text = introspection.read_text()
    assert old in text
    introspection.write_text(text.replace(old, new))
    [said] = disagreements(mail(), read_settings(introspection))
    assert words in said


def test_an_issuer_without_tenants_is_said(introspection: Path):
    policy = introspection.parent / "policy.toml"
    policy.write_text(policy.read_text().replace(f'tenants = ["{CONSUMERS}"]', ""))
    asked = read_settings(introspection)
    [said] = disagreements(mail(), asked)
    assert "consumer: lists no tenants" in said
    alone = mail(domains={"outlook.example": Domain(_issuer(PORT, "consumer"))})
    assert disagreements(alone, asked) == []


@pytest.mark.parametrize(
    "domain",
    [
        Domain(_issuer(PORT, "enterprise"), CONSUMERS),
        Domain(_issuer(PORT, "consumer"), FABRIKAM),
        Domain("https://elsewhere.example", CONTOSO),
    ],
)
def test_a_domain_that_no_token_opens_is_said(introspection: Path, domain: Domain):
    [said] = disagreements(mail(domains={"a.example": domain}), read_settings(introspection))
    assert said.startswith("a.example:")


def test_the_tenant_may_be_in_the_issuers_name(introspection: Path):
    asked = read_settings(introspection)
    rule = asked.policy.issuers[_issuer(PORT, "enterprise")]
    template = "https://login.example/{tenantid}/v2.0"
    policy = replace(asked.policy, issuers={template: replace(rule, tenants=frozenset())})
    named = mail(domains={"a.example": Domain(f"https://login.example/{CONTOSO}/v2.0", CONTOSO)})
    assert disagreements(named, replace(asked, policy=policy)) == []


def test_the_command_says_it(introspection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "mail.toml").write_text(f"""
version = 1
introspection = "http://127.0.0.1:8930/introspect"
secret_file = "secret"
[domains."a.example"]
issuer = "https://elsewhere.example"
tenant = "{CONTOSO}"
[tls]
certificate = "c.pem"
key = "c.key"
""")
    words = ["--settings", str(tmp_path / "mail.toml"), "--introspection", str(introspection)]
    assert run(["mail", "setup", str(tmp_path / "conf"), *words]) == 2
    assert "a.example: the policy takes no token" in capsys.readouterr().err
