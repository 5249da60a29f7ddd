"""The settings of a containment, the commands' own words, and sign-ins that are over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.response.containment.errors import ContainmentSettingsError
from immure.response.containment.settings_file import parse_containment, read_containment
from immure.signing.state import Heir, State
from immure.signing.state_opening import open_state
from response.containment.house import immure
from servers.postgres import running as postgres

GOOD = """
version = 1
registry = "keys.db"
owned = ["127.0.0.1"]
[deny_list]
name = "https://login.example/deny-list"
key = "file:deny.key"
directory = "deny-list"
[events]
issuer = "https://login.example/ssf"
key = "pkcs11:token=x;object=y"
store = "events.db"
[events.streams.partner]
endpoint = "https://partner.example/events"
[caches.edge]
url = "https://edge.example/"
[reconcile]
segments = "segments"
[relying_parties.mail]
push = "https://mail.example/deny-list"
[relying_parties.mail.probe]
url = "http://127.0.0.1:1/"
[relying_parties.mail.witness]
file = "found.jwt"
"""


def test_good(tmp_path: Path) -> None:
    (tmp_path / "contain.toml").write_text(GOOD)
    made = read_containment(tmp_path / "contain.toml")
    assert made.registry == str(tmp_path / "keys.db")
    assert made.deny_list is not None
    assert made.deny_list.key == f"file:{tmp_path / 'deny.key'}"
    assert made.events is not None
    assert made.events.key == "pkcs11:token=x;object=y"
    assert [one.id for one in made.events.streams] == ["partner"]
    assert made.parties["mail"].witness is not None
    assert made.parties["mail"].witness.file == tmp_path / "found.jwt"


REFUSED: list[tuple[str, str, str, str]] = [
    ("no version", "version = 1", "", "version is not 1"),
    ("neither", 'registry = "keys.db"', "", "signing, or else registry"),
    ("both", 'registry = "keys.db"', 'registry = "a"\nsigning = "b"', "signing, or else registry"),
    ("no service", 'registry = "keys.db"', 'signing = "none.toml"', "none.toml"),
    ("an unknown member", "version = 1", "version = 1\nowners = []", "owners is not known"),
    ("no key", 'key = "file:deny.key"', "", "deny_list.key is missing"),
    ("a short life", 'directory = "deny-list"', 'directory = "d"\nlifetime_seconds = 1', "lifetime_seconds"),
    (
        "a long life",
        'directory = "deny-list"',
        'directory = "d"\nlifetime_seconds = 9999999',
        "lifetime_seconds",
    ),
    ("a stream's name", "streams.partner", 'streams."a/../b"', "is no name"),
    ("a secret that is not there", "[caches.edge]", 'authorization_file = "no"\n[caches.edge]', "no: "),
    ("a cache of nothing", 'url = "https://edge.example/"', "", "has a url, or else a command"),
    ("a cache of both", "[reconcile]", 'command = ["true"]\n[reconcile]', "has a url, or else a command"),
    ("a host of others", '["127.0.0.1"]', '["localhost"]', "must name this very host"),
    ("another scheme", "http://127.0.0.1:1/", "ftp://127.0.0.1/", "is not a URL of"),
    ("no TLS elsewhere", "http://127.0.0.1:1/", "http://mail.example/", "must name this very host"),
    (
        "a client alone",
        'url = "http://127.0.0.1:1/"',
        'url = "http://127.0.0.1:1/"\nclient_id = "x"',
        "belong",
    ),
    ("no witness", 'file = "found.jwt"', "", "has a client with a secret_file, or a file"),
    ("a witness without a secret", 'file = "found.jwt"', 'client = "ada"', "has a client with a secret_file"),
    ("a log without a key", 'segments = "segments"', 'segments = "s"\nlog = "l"', "log and log_key belong"),
    ("patience", "version = 1", "version = 1\npatience_seconds = 0", "patience_seconds"),
    ("no TOML", "version", "= version", "is no TOML"),
]


@pytest.mark.parametrize(
    ("old", "new", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(ContainmentSettingsError, match=words):
        parse_containment(text.encode(), str(tmp_path / "contain.toml"))


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(ContainmentSettingsError, match=words):
            read_containment(path)
    with pytest.raises(ContainmentSettingsError, match="is longer"):
        parse_containment(b"#" * (1 << 20) + b"##", "x")


def test_the_commands_own_words(tmp_path: Path) -> None:
    """Each is one line, and nothing is done."""
    (tmp_path / "contain.toml").write_text(GOOD)
    config, incident = tmp_path / "contain.toml", tmp_path / "incident"
    immure("respond", "contain", "-c", config, code=2)
    immure("respond", "contain", incident, "-c", config, code=2)  # no key
    immure("respond", "contain", incident, "-c", config, "--only", "push,pull", "--dry-run", code=2)
    immure("respond", "contain", incident, "-c", config, "--dry-run", code=3)  # no incident
    immure("respond", "play", code=2)
    immure("respond", "play", "nothing", code=2)
    assert not incident.exists()


# --- sign-ins at an issuer ---


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.drill)])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    if request.param == "sqlite":
        made = open_state(str(tmp_path / "state.db"), create=True)
        yield made
        made.close()
        return
    with postgres() as server:
        made = open_state(server.url(), create=True)
        yield made
        made.close()


def test_sign_ins_of_an_issuer_are_over(state: State) -> None:
    """Those of another one go on; what comes after counts; asked twice, it says the same."""
    now, until = 1_790_000_000, 1_790_009_000
    for number, (issuer, subject) in enumerate(
        [("enterprise", "ada"), ("enterprise", "ada"), ("enterprise", "bob"), ("consumer", "eve")]
    ):
        plain = {"issuer": issuer, "subject": subject, "client": "web"}
        state.keep("refresh", f"secret-{number}", bytes([number]) * 16, plain, until=until)
    heir = Heir("refresh", "next", {"issuer": "enterprise", "subject": "ada"}, until)
    assert state.take("refresh", "secret-0", now=now, heir=heir) is not None
    assert state.subjects("enterprise") == ["ada", "bob"]
    assert state.revoke_issuer("enterprise") == 3
    assert state.revoke_issuer("enterprise") == 3
    for secret in ("next", "secret-1", "secret-2"):
        kept = state.look("refresh", secret, now=now)
        assert kept is not None
        assert kept.revoked
    kept = state.look("refresh", "secret-3", now=now)
    assert kept is not None
    assert not kept.revoked
    assert state.is_revoked_family(bytes([1]) * 16)
    assert state.subjects("enterprise") == ["ada", "bob"]  # to be told of, also after a crash
    assert state.subjects("nobody") == []
    assert state.revoke_issuer("nobody") == 0
    state.keep("refresh", "new", b"n" * 16, {"issuer": "enterprise", "subject": "ada"}, until=until)
    kept = state.look("refresh", "new", now=now)
    assert kept is not None
    assert not kept.revoked
