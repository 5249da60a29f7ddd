"""Settings in TOML, read strictly."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from immure.response.notification.errors import SettingsError
from immure.response.notification.settings import Contact, Pace, Sender, Smtp
from immure.response.notification.settings_file import MOST_BYTES, parse_settings, read_settings

SENDER = '[sender]\nname = "Example Login"\naddress = "security@login.example"\n'
WHOLE = f"""
version = 1
{SENDER}contact = "https://login.example/incident"
language = "de"

[smtp]
host = "mail.login.example"
user = "notify"
password_file = "password"

[webhook]
allow_private_hosts = true
timeout_seconds = 5

[sending]
attempts = 3
first_wait_seconds = 1
longest_wait_seconds = 60
at_once = 2

[tenants."7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"]
name = "Contoso"
language = "en"
mail = ["it@contoso.example", "it@contoso.example"]
webhook = "https://contoso.example/hook"
webhook_secret_file = "hook"
"""
SECRET = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (
        ("password", b"hunter2\n"),
        ("hook", b"whsec_" + base64.b64encode(SECRET) + b"\n"),
        ("short", b"whsec_" + base64.b64encode(b"x") + b"\n"),
        ("plain", base64.b64encode(SECRET)),
        ("junk", b"whsec_@@@"),
    ):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_all_of_it(folder: Path) -> None:
    (folder / "notify.toml").write_text(WHOLE)
    made = read_settings(folder / "notify.toml")
    assert made.sender == Sender(
        "Example Login", "security@login.example", "https://login.example/incident", "de"
    )
    assert made.sender.domain == "login.example"
    assert made.smtp is not None
    assert (made.smtp.host, made.smtp.port, made.smtp.tls) == ("mail.login.example", 587, "starttls")
    assert made.smtp.password is not None
    assert made.smtp.password.reveal() == b"hunter2"
    assert "hunter2" not in repr(made)
    assert made.hooks.allow_private_hosts
    assert made.pace == Pace(3, 1, 60, 2)
    contact = made.tenants["7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"]
    assert contact.webhook_secret is not None
    assert contact.webhook_secret.reveal() == SECRET
    assert contact.places() == (("mail", "it@contoso.example"), ("webhook", "https://contoso.example/hook"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 2\n" + SENDER, "version is not 1"),
        ("version = 1", "sender.name is missing"),
        ('version = 1\n[sender]\nname = "a"', "sender.address is missing"),
        ('version = 1\n[sender]\nname = "a"\naddress = "no"', "no mail address: 'no'"),
        ('version = 1\n[sender]\nname = "a\\nb"\naddress = "a@b.example"', "sender.name is a line"),
        ("version = 1\nunknown = 1\n" + SENDER, "unknown is not known"),
        ("version = 1\n" + SENDER + "more = 1", "sender.more is not known"),
        ("version = 1\n" + SENDER + 'language = "../x"', r"no language: '../x'"),
        ("version = 1\n" + SENDER + '[smtp]\nhost = "a.example"\ntls = "none"', "to this machine only"),
        ("version = 1\n" + SENDER + '[smtp]\nhost = "a.example"\nuser = "x"', "a user and a password file"),
        ("version = 1\n" + SENDER + '[smtp]\nhost = "a"\nport = 70000', "smtp.port is not a number"),
        (
            "version = 1\n" + SENDER + '[smtp]\nhost = "localhost"\ntls = "none"\nuser = "x"\n'
            'password_file = "password"',
            "not sent in the clear",
        ),
        ("version = 1\n" + SENDER + '[tenants.a]\nmail = "x@y.example"', "not a list of texts"),
        ("version = 1\n" + SENDER + '[tenants.a]\nmail = ["x@y.example\\nBcc: z"]', "no mail address"),
        ("version = 1\n" + SENDER + '[tenants.a]\nwebhook = "https://a.example"', "a webhook has a secret"),
        ("version = 1\n" + SENDER + '[tenants.a]\nwebhook_secret_file = "hook"', "a secret has a webhook"),
        ("version = 1\n" + SENDER + '[tenants.a]\nwebhook_secret_file = "gone"', "No such file"),
        ("version = 1\n" + SENDER + '[tenants.a]\nwebhook_secret_file = "short"', "24 to 64 bytes"),
        ("version = 1\n" + SENDER + '[tenants.a]\nwebhook_secret_file = "plain"', "24 to 64 bytes"),
        ("version = 1\n" + SENDER + '[tenants.a]\nwebhook_secret_file = "junk"', "holds whsec_ and base64"),
        ("version = 1\n[sender", "is no TOML"),
        ("\x00", "is no TOML"),
        ("#" * (MOST_BYTES + 1), "is longer than"),
    ],
)
def test_wrong_settings(folder: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        parse_settings(text.encode(), str(folder / "notify.toml"))
    assert str(caught.value).startswith(f"{folder}/notify.toml: ")
    assert "\n" not in str(caught.value)


def test_a_secret_that_others_can_read(folder: Path) -> None:
    (folder / "password").chmod(0o644)
    with pytest.raises(SettingsError, match="others have permissions on it"):
        parse_settings(WHOLE.encode(), str(folder / "notify.toml"))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_settings(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    "address",
    ["a@b", "first.last+tag@sub.login.example", "o'brien@x.example", "x" * 64 + "@a.example"],
)
def test_addresses(address: str) -> None:
    assert Contact(mail=(address,)).mail == (address,)


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b", "a@", "a b@c", "a@b c", "<a@b>", "a@b>", "ä@b.example", "a@[127.0.0.1]", "x" * 65 + "@b",
     "a@" + "b." * 130 + "c", 'a@b\n', '"a b"@c'],
)  # fmt: skip
def test_no_addresses(address: str) -> None:
    with pytest.raises(SettingsError, match="no mail address"):
        Contact(mail=(address,))


def test_waits_double_up_to_a_bound() -> None:
    pace = Pace(first_wait=2, longest_wait=10)
    assert [pace.wait(attempt) for attempt in (1, 2, 3, 4, 5000)] == [2, 4, 8, 10, 10]


def test_a_mail_server_elsewhere_needs_tls() -> None:
    with pytest.raises(SettingsError):
        Smtp("10.0.0.1", 25, "none")
    assert Smtp("::1", 25, "none").host == "::1"
