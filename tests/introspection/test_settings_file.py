"""Settings are read strictly: what is wrong is named by file and member, and nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import UsageError
from immure.introspection.settings import Listen
from immure.introspection.settings_file import parse_settings, read_settings
from tokens.minting import jwk

POLICY = """
version = 1
[sources.login]
file = "keys.json"
[issuers."https://login.example"]
source = "login"
audience_class = "enterprise"
[audiences]
"https://mail.example" = ["enterprise"]
"""
TOP = """version = 1
policy = "policy.toml"
"""
LOG = """[log]
directory = "accepted"
"""
CLIENT = f"""[clients.mail]
audiences = ["https://mail.example"]
secrets = ["sha256:{"0" * 64}"]
"""
PROFILE = """[forward.web]
consumer = "nginx"
audience = "https://mail.example"
"""
GOOD = TOP + LOG + CLIENT + PROFILE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "keys.json").write_text(
        json.dumps({"keys": [jwk("Ed25519", issuer="https://login.example")]})
    )
    (tmp_path / "client.json").write_text(json.dumps({"keys": [jwk("ES256", issuer=None)]}))
    return tmp_path


def read(place: Path, text: str):  # type: ignore[no-untyped-def]
    (place / "introspection.toml").write_text(text)
    return read_settings(place / "introspection.toml")


def test_little_must_be_said(place: Path):
    made = read(place, GOOD)
    assert made.clients["mail"].secrets == (bytes(32),)
    assert made.log_directory == place / "accepted"
    assert (made.listen.host, made.listen.port, made.listen.workers) == ("127.0.0.1", 8930, 1)
    assert made.keeping.durable == "write"
    assert made.forward["web"].headers["subject"] == "X-Immure-Subject"


def test_everything_can_be_said(place: Path):
    made = read(
        place,
        TOP
        + """
[listen]
address = "[::1]:9000"
client_certificate_header = "Client-Cert"
workers = 4
behind_proxy = true
[log]
directory = "/var/lib/immure/accepted"
durable = "fsync"
sync_milliseconds = 5
segment_megabytes = 64
segment_seconds = 60
most_waiting = 7
[introspection]
endpoint = ["https://tokens.example/introspect"]
username = "upn"
claims = ["roles"]
[operations]
metrics = false
journal = "all"
[clients.app]
audiences = ["https://mail.example"]
keys = "client.json"
certificates = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
checks_binding = true
[clients.dovecot]
audiences = ["https://mail.example"]
anonymous = true
[forward.web]
consumer = "envoy"
audience = "https://mail.example"
scopes = ["mail.read"]
realm = "the mail"
unavailable = 503
client_certificate = true
headers = { subject = "Remote-User" }
""",
    )
    assert made.listen == Listen("::1", 9000, behind_proxy=True, workers=4)
    assert (made.keeping.sync_every, made.keeping.segment_bytes, made.keeping.most_waiting) == (
        0.005,
        64 << 20,
        7,
    )
    assert made.clients["app"].keys is not None
    assert made.clients["app"].keys.find("ES256").scope.issuer == "app"  # type: ignore[union-attr]
    assert made.certificate_header == "client-cert"
    assert made.forward["web"].headers == {"subject": "Remote-User"}


def test_a_unix_socket_and_no_log(place: Path):
    made = read(place, TOP + '[listen]\nunix = "run/i.sock"\n[log]\noff = true\n' + CLIENT)
    assert made.listen.unix == place / "run/i.sock"
    assert made.listen.is_local
    assert made.log_directory is None


OUTSIDE = '[listen]\naddress = "0.0.0.0:8930"\n'
ANYBODY = '[clients.any]\naudiences = ["https://mail.example"]\nanonymous = true\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "version is not 1"),
        ("version = 2", "version is not 1"),
        ("version = true", "version is not a number"),
        ("version = 1", "policy is missing"),
        ("x", "is no TOML"),
        (TOP + LOG, "neither clients nor profiles"),
        (TOP + CLIENT, "log.directory is missing"),
        (GOOD + "[more]\n", "more is not known"),
        (GOOD + "[listen]\nport = 1\n", "listen.port is not known"),
        ("clients = 5\n" + TOP + LOG, "clients is not a table"),
        (TOP + LOG + "[clients]\nmail = 5\n", "clients.mail is not a table"),
        (TOP.replace("policy.toml", "none.toml") + LOG + CLIENT, "none.toml: cannot be read"),
        (GOOD.replace('audiences = ["https://mail', 'audiences = ["https://chat'), "no audience 'https://chat"),
        (GOOD.replace('audience = "https://mail', 'audience = "https://chat'), "no audience 'https://chat"),
        (GOOD.replace('audiences = ["https://mail.example"]\n', ""), "clients.mail: may ask about no aud"),
        (GOOD.replace('["https://mail.example"]', '"https://mail.example"'), "mail.audiences is not a list"),
        (GOOD.replace(f'["sha256:{"0" * 64}"]', "[]"), "says in no way who it is"),
        (GOOD.replace("sha256:00", "sha256:0"), "clients.mail.secrets"),
        (GOOD.replace("sha256:", ""), "clients.mail.secrets"),
        (GOOD.replace("[clients.mail]", "[clients.'Mail!']"), "is no name"),
        (GOOD.replace("[forward.web]", "[forward.'a/b']"), "is no name"),
        (GOOD.replace('"nginx"', '"apache"'), "forward.web.consumer is not one of"),
        (GOOD + 'scopes = ["a b"]', "forward.web.scopes"),
        (GOOD + "unavailable = 500", "unavailable is 403 or 503"),
        (GOOD + "unavailable = 200", "unavailable is not a number"),
        (GOOD + 'realm = "a\\"b"', "forward.web.realm"),
        (GOOD + 'headers = { subject = "Host" }', "is no name for a header"),
        (GOOD + 'headers = { subject = "A B" }', "is no name for a header"),
        (GOOD + 'headers = { subject = "A", issuer = "a" }', "names a header twice"),
        (GOOD + 'headers = { sub = "A" }', "forward.web.headers.sub is not known"),
        (GOOD + "client_certificate = true", "needs listen.client_certificate_header"),
        (GOOD + "[introspection]\nclaims = ['active']", "introspection.claims: active"),
        (GOOD + "[introspection]\nusername = 5", "introspection.username is not a text"),
        (GOOD.replace("[log]", "[log]\ndurable = 'no'"), "log.durable is not one of"),
        (GOOD.replace("[log]", "[log]\nsync_milliseconds = 0"), "log.sync_milliseconds is not a number"),
        (GOOD + OUTSIDE, "in the open"),
        (GOOD + '[listen]\naddress = "localhost:1"\n', "in the open"),  # a name may mean anything
        (GOOD + '[listen]\naddress = "8930"\n', "listen.address is not HOST:PORT"),
        (GOOD + '[listen]\naddress = "127.0.0.1:99999"\n', "listen.address is not HOST:PORT"),
        (GOOD + '[listen]\nworkers = 0\n', "listen.workers is not a number"),
        (GOOD + '[listen]\ncertificate = "keys.json"\n', "a certificate and a key"),
        (GOOD + '[listen]\ncertificate = "none.pem"\nkey = "keys.json"\n', "listen.certificate cannot be"),
        (GOOD + '[listen]\ncertificate = "keys.json"\nkey = "a\\u0000"\n', "listen.key cannot be read"),
        (GOOD + OUTSIDE + "behind_proxy = true\n" + ANYBODY, "anonymous is only for those on this machine"),
        (GOOD + ANYBODY + ANYBODY.replace("any", "all", 1), "only one can be the anonymous"),
        (GOOD + OUTSIDE + 'behind_proxy = true\nclient_certificate_header = "A"', "believed of this machine"),
        (GOOD + '[listen]\nclient_certificate_header = "Authorization"', "is no name for a header"),
        (GOOD.replace("secrets", "x_secrets"), "clients.mail.x_secrets is not known"),
        (TOP + LOG + CLIENT + 'keys = "client.json"', "introspection.endpoint"),
        (TOP + LOG + CLIENT + 'keys = "none.json"', "none.json"),
        (TOP + LOG + CLIENT + 'keys = "a"\nkeys_url = "https://b.example"', "has keys and keys_url"),
        (TOP + LOG + CLIENT + 'certificates = ["xx"]', "thumbprint"),
        (TOP + LOG + CLIENT + f'certificates = ["{"A" * 43}"]', "need listen.client_certificate_header"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(place: Path, text: str, words: str):
    with pytest.raises(UsageError) as caught:
        read(place, text)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(place / "introspection.toml"))


def test_a_name_that_is_no_address_is_not_local():
    assert not Listen("localhost").is_local
    assert Listen("127.9.9.9").is_local
    assert not Listen("::").is_local


def test_the_command_line_comes_before_the_file(place: Path):
    text = (GOOD + OUTSIDE + 'unix = "a.sock"\n').encode()
    path = str(place / "introspection.toml")
    made = parse_settings(text, path, {"address": "127.0.0.1:1", "unix": None, "workers": 3})
    assert made.listen == Listen("127.0.0.1", 1, workers=3)
    with pytest.raises(UsageError, match="in the open"):
        parse_settings(text, path, {"unix": None})
    assert parse_settings(text, path, {"unix": None, "behind_proxy": True}).listen.host == "0.0.0.0"


def test_a_file_that_cannot_be_read(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none", "a\0b"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_settings(path)
    (tmp_path / "long").write_bytes(b"#" * (2 << 20))
    with pytest.raises(UsageError, match="longer than"):
        read_settings(tmp_path / "long")


@given(st.binary(max_size=300))
def test_whatever_is_in_it_only_our_errors_come_out(junk: bytes):
    with pytest.raises(UsageError):
        parse_settings(b"version = 1\n" + junk, "introspection.toml")
