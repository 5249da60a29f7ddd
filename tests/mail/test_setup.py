"""Settings, and what is written of them: checked, whole, once, and never over what somebody changed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from immure.mail import files, setup
from immure.mail.configuration import configuration
from immure.mail.domains import row_key
from immure.mail.errors import DovecotError, HandEditedError, MailSettingsError
from immure.mail.places import missing_places
from immure.mail.settings import Accounts, Asking, Domain, MailSettings, PostfixSocket, Relay
from immure.mail.settings_file import parse_mail_settings, read_mail_settings
from immure.mail.setup import apply_setup, plan_setup
from servers.program import found
from servers.tls import Authority

ISSUER, TENANT = "https://login.example/enterprise", "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
SECRET = "the-secret-of-dovecot-there"
TEXT = f"""
version = 1
introspection = "http://127.0.0.1:8930/introspect"
secret_file = "secret"

[domains."contoso.example"]
issuer = "{ISSUER}"
tenant = "{TENANT}"

[tls]
certificate = "mail.pem"
key = "mail.key"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a certificate and a secret."""
    Authority(tmp_path).issue("mail")
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path


def parsed(place: Path, text: str = TEXT) -> MailSettings:
    return parse_mail_settings(text.encode(), str(place / "mail.toml"))


def test_all_that_is_not_said_has_a_default(place: Path):
    made = parsed(place)
    assert made.asking == Asking("http://127.0.0.1:8930/introspect", "dovecot", SECRET)
    assert made.domains == {"contoso.example": Domain(ISSUER, TENANT)}
    assert made.certificate == place / "mail.pem"
    assert made.events == Path("/var/log/immure/dovecot-events.jsonl")
    assert (made.naming, made.postfix, made.has_tenants) == ("name", None, True)
    assert SECRET not in repr(made)


REFUSED: list[tuple[str, str, str]] = [
    ("version = 1", "version = 2", "version is not 1"),
    ("version = 1", "version = 1\nother = 1", "other is not known"),
    ("version = 1", "version = [", "is no TOML"),
    ('"http://127.0.0.1', '"http://192.0.2.1', "in the open"),
    ('"http://127.0.0.1', '"http://a:b@127.0.0.1', "secret_file"),
    ('"http://127.0.0.1:8930', '"http://127.0.0.1:x', "no URL"),
    ('"http://127.0.0.1', '"file://127.0.0.1', "http or https"),
    ('/introspect"', "/introspect'\"", "no plain URL"),
    ('secret_file = "secret"', 'secret_file = "none"', "none"),
    ('"contoso.example"', '"Contoso.example"', "lower case"),
    ('"contoso.example"', '"a b"', "lower case"),
    ('"contoso.example"', '"contoso.example\\nx"', "lower case"),
    (f'issuer = "{ISSUER}"', 'issuer = "a b"', "issuer"),
    (TENANT, "7ab8 x", "tenant"),
    (TENANT, "7ab8:x", "tenant"),
    ("[tls]", "[domains.b]\nissuer = 'x'\n[tls]", "either each names its tenant"),
    ("[tls]", f"[domains.b]\nissuer = '{ISSUER}'\ntenant = '{TENANT}'\n[tls]", "a name is not enough"),
    ('key = "mail.key"', 'key = "mail key"', "plain characters"),
    ('key = "mail.key"', 'key = "mail.key\\n}"', "plain characters"),
    ("[tls]", '[storage]\nowner = "root"\n[tls]', "root"),
    ("[tls]", '[storage]\nowner = "a b"\n[tls]', "no account"),
    ("[tls]", '[listen]\naddress = "*\\nx"\n[tls]', "addresses"),
    ("[tls]", "[listen]\nimap = 70000\n[tls]", "between 0 and 65535"),
    ("[tls]", '[relay]\nhost = "a b"\n[tls]', "no name of a machine"),
    ("[tls]", '[relay]\ntls = "maybe"\n[tls]', "not one of"),
    ("[tls]", '[log]\nlog = "a b"\n[tls]', "plain characters"),
]


@pytest.mark.parametrize(("old", "new", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_understood_is_refused(place: Path, old: str, new: str, words: str):
    assert old in TEXT
    with pytest.raises(MailSettingsError, match=words):
        parsed(place, TEXT.replace(old, new, 1))


def test_settings_that_are_not_there_are_refused(place: Path):
    with pytest.raises(MailSettingsError, match="No such file"):
        read_mail_settings(place / "mail.toml")
    with pytest.raises(MailSettingsError, match="longer"):
        parse_mail_settings(b" " * (2 << 20), "mail.toml")


@pytest.mark.parametrize("text", ["short", "with blanks in it and more", "it's-a-quote-and-more"])
def test_a_secret_of_another_kind_is_refused(place: Path, text: str):
    (place / "secret").write_text(text)
    with pytest.raises(MailSettingsError, match="secret"):
        parsed(place)


def test_a_secret_that_others_can_read_is_refused(place: Path):
    (place / "secret").chmod(0o644)
    with pytest.raises(MailSettingsError, match="secret"):
        parsed(place)


# --- what is written ---


VARIANTS: list[dict[str, Any]] = [
    {},
    {"naming": "address"},
    {"domains": {"a.example": Domain(ISSUER), "b.example": Domain(ISSUER + "/b")}},
    {"domains": {"a.example": Domain(ISSUER, "t"), "b.example": Domain(ISSUER, "t")}, "naming": "address"},
    {"postfix": PostfixSocket(Path("/run/auth"), "root", "root")},
    {"events": None},
    {"relay": Relay("mail.example", 465, "smtps")},
    {"accounts": Accounts("1000", "1000", "root", "root")},
    {"asking": Asking("https://login.example/introspect", "dovecot", SECRET, ca_file=Path("CA"))},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=range(len(VARIANTS)))
def test_dovecot_takes_every_configuration(place: Path, changes: dict[str, Any]):
    found("doveconf", "Debian: dovecot-core")
    asking = changes.get("asking")
    if asking is not None and asking.ca_file is not None:
        changes = {**changes, "asking": replace(asking, ca_file=place / "authority.pem")}
    made = replace(parsed(place), **changes)
    plan = plan_setup(made, place / "conf")
    assert {one.state for one in plan.steps} == {"new"}
    assert not (place / "conf").exists()
    names = ["domains", "dovecot.conf"] + (["postfix-main.cf"] if made.postfix else [])
    assert sorted(apply_setup(plan)) == sorted(names)
    assert plan_setup(made, place / "conf").is_done
    assert apply_setup(plan_setup(made, place / "conf")) == []


def test_a_domain_is_found_by_what_the_token_says(place: Path):
    [text] = [one.text for one in files.configuration_files(parsed(place), place) if one.name == "domains"]
    assert f"{row_key(ISSUER, TENANT, '')}:" in text
    assert f"mail_domain=contoso.example mail_tenant={TENANT}\n" in text
    address = replace(parsed(place), naming="address")
    [text] = [one.text for one in files.configuration_files(address, place) if one.name == "domains"]
    assert f"{row_key(ISSUER, TENANT, 'contoso.example')}:" in text


def test_the_secret_is_for_its_owner_only(place: Path):
    found("doveconf", "Debian: dovecot-core")
    apply_setup(plan_setup(parsed(place), place / "conf"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (place / "conf").iterdir()}
    assert modes == {"dovecot.conf": 0o600, "domains": 0o644, "setup.json": 0o644}
    with_secret = [path.name for path in (place / "conf").iterdir() if SECRET in path.read_text()]
    assert with_secret == ["dovecot.conf"]


def test_no_claim_that_an_answer_may_lack_is_named(place: Path):
    """Dovecot 2.4.1 ends its login process over one; ``tenant`` is there if the policy lists tenants."""
    text = configuration(parsed(place), "/x")
    named = {part.split("}")[0].split(" ")[0] for part in text.split("%{oauth2:")[1:]}
    assert named == {"iss", "tenant", "username"}
    text = configuration(replace(parsed(place), domains={"a.example": Domain(ISSUER)}), "/x")
    assert "oauth2:tenant" not in text


@pytest.mark.parametrize("name", ["dovecot.conf", "domains"])
def test_what_was_changed_by_hand_stays(place: Path, name: str):
    found("doveconf", "Debian: dovecot-core")
    apply_setup(plan_setup(parsed(place), place / "conf"))
    before = {path.name: path.read_bytes() for path in (place / "conf").iterdir()}
    (place / "conf" / name).write_bytes(before[name] + b"# mine\n")
    other = replace(parsed(place), listen="127.0.0.1", domains={"b.example": Domain(ISSUER, TENANT)})
    plan = plan_setup(other, place / "conf")
    assert plan.edited == [name]
    with pytest.raises(HandEditedError, match=name):
        apply_setup(plan)
    after = {path.name: path.read_bytes() for path in (place / "conf").iterdir()}
    assert after == {**before, name: before[name] + b"# mine\n"}
    apply_setup(plan, force=True)
    assert plan_setup(other, place / "conf").is_done


def test_files_of_somebody_else_are_not_replaced(place: Path):
    found("doveconf", "Debian: dovecot-core")
    (place / "conf").mkdir()
    (place / "conf" / "dovecot.conf").write_text("protocols = imap\n")
    assert plan_setup(parsed(place), place / "conf").edited == ["dovecot.conf"]


def test_other_settings_replace_what_we_wrote(place: Path):
    found("doveconf", "Debian: dovecot-core")
    apply_setup(plan_setup(parsed(place), place / "conf"))
    other = replace(parsed(place), listen="127.0.0.1")
    assert apply_setup(plan_setup(other, place / "conf")) == ["dovecot.conf"]
    (place / "conf" / "dovecot.conf").chmod(0o644)
    assert apply_setup(plan_setup(other, place / "conf")) == ["dovecot.conf"]
    assert (place / "conf" / "dovecot.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupted_setup_can_be_run_again(place: Path, after: int, monkeypatch: pytest.MonkeyPatch):
    found("doveconf", "Debian: dovecot-core")
    apply_setup(plan_setup(parsed(place), place / "conf"))
    other = replace(parsed(place), listen="127.0.0.1", domains={"b.example": Domain(ISSUER, TENANT)})
    plan = plan_setup(other, place / "conf")
    real, left = setup.write_whole, [after]

    def failing(*arguments: Any, **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(setup, "write_whole", failing)
        with pytest.raises(DovecotError, match="No space left"):
            apply_setup(plan)
    third = replace(other, listen="::1")
    plan = plan_setup(third, place / "conf")
    assert plan.edited == []
    apply_setup(plan)
    assert plan_setup(third, place / "conf").is_done


def test_what_dovecot_does_not_take_is_not_written(place: Path, monkeypatch: pytest.MonkeyPatch):
    found("doveconf", "Debian: dovecot-core")
    monkeypatch.setattr(files, "configuration", lambda *_: "dovecot_config_version = 2.4.0\nnonsense = 1\n")
    with pytest.raises(DovecotError, match="nonsense"):
        plan_setup(parsed(place), place / "conf")
    assert not (place / "conf").exists()


def test_a_broken_manifest_makes_all_files_somebody_elses(place: Path):
    found("doveconf", "Debian: dovecot-core")
    apply_setup(plan_setup(parsed(place), place / "conf"))
    other = replace(parsed(place), listen="127.0.0.1")
    for text in ("", "[]", '{"files": 1}', json.dumps({"files": {"dovecot.conf": 1}})):
        (place / "conf" / "setup.json").write_text(text)
        assert plan_setup(other, place / "conf").edited == ["dovecot.conf"]


def test_what_is_missing_is_said(place: Path):
    made = replace(parsed(place), storage=place / "mail", events=place / "events" / "x")
    words = "\n".join(missing_places(made))
    assert f"-o vmail -g vmail {place}/mail" in words
    assert f"-o dovecot -g dovecot {place}/events" in words
    assert "useradd" in words
    os.mkdir(place / "mail")
    os.mkdir(place / "events")
    accounts = Accounts("2000", "2000")
    assert missing_places(replace(made, accounts=accounts)) == []
