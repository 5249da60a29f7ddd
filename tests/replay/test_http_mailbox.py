from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from immure.digest import signed_digest
from immure.replay.errors import ReplayError
from immure.replay.mail import open_mail
from immure.replay.mail.http_mailbox import HttpMail
from immure.replay.mail.system import STRANGER, USERS, MailRefusedError
from immure.replay.relying import Doorkeeper
from immure.replay.scenario import Organization

ADA = Organization("Ada's", "ada@one.example")
BOB = Organization("Bob's", "bob@two.example")
GOOD = "head.payload-of-ada.signature"
#: What the doorkeeper of these tests says of tokens.
SAID = {
    GOOD: {"active": True, "username": ADA.mailbox},
    "inactive": {"active": False, "username": ADA.mailbox},
    "odd": {"active": "true", "username": ADA.mailbox},
    "nobody": {"active": True},
}


class FakeDoorkeeper(Doorkeeper):
    """One that is asked at another address."""

    address = ""

    @property
    def url(self) -> str:
        return self.address


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = SAID.get(urllib.parse.parse_qs(body)["token"][0], {"active": False})
        data = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def doorkeeper(tmp_path: Path) -> Iterator[FakeDoorkeeper]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = FakeDoorkeeper(tmp_path, tmp_path / "keys.json", (), checks_scope=True)
    made.address = f"http://127.0.0.1:{server.server_address[1]}/introspect"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail(doorkeeper: FakeDoorkeeper, tmp_path: Path) -> Iterator[HttpMail]:
    made = open_mail("http", tmp_path, doorkeeper, (ADA, BOB), issuer="https://login.example", keeps_log=True)
    assert isinstance(made, HttpMail)
    with made:
        yield made


def test_the_owner_reads_and_it_is_logged(mail: HttpMail) -> None:
    messages = mail.read(ADA.mailbox, GOOD, USERS)
    assert len(messages) == 3
    assert all("Ada's" in one for one in messages)
    rows = mail.accesses()
    assert {one.remote for one in rows} == {USERS}
    assert {one.mailbox for one in rows} == {ADA.mailbox}
    assert len({one.message for one in rows}) == 3
    assert {one.digest for one in rows} == {signed_digest(b"head.payload-of-ada").hex()}


@pytest.mark.parametrize(
    ("mailbox", "token"),
    [
        (BOB.mailbox, GOOD),
        (ADA.mailbox, "inactive"),
        (ADA.mailbox, "odd"),
        (ADA.mailbox, "unknown"),
        ("None", "nobody"),
        ("carol@three.example", GOOD),
        ("../access.jsonl", GOOD),
    ],
)
def test_nobody_else_does(mailbox: str, token: str, mail: HttpMail) -> None:
    with pytest.raises(MailRefusedError):
        mail.read(mailbox, token, STRANGER)
    assert mail.accesses() == []


def test_without_a_log_nothing_is_kept(doorkeeper: FakeDoorkeeper, tmp_path: Path) -> None:
    with open_mail(
        "http", tmp_path, doorkeeper, (ADA,), issuer="https://login.example", keeps_log=False
    ) as mail:
        assert mail.read(ADA.mailbox, GOOD, USERS)
        assert mail.accesses() == []
    assert not (tmp_path / "access.jsonl").exists()


def test_a_doorkeeper_that_is_gone_is_no_refusal(mail: HttpMail, doorkeeper: FakeDoorkeeper) -> None:
    doorkeeper.address = "http://127.0.0.1:9/introspect"
    with pytest.raises(ReplayError, match="answers with 503") as caught:
        mail.read(ADA.mailbox, GOOD, USERS)
    assert not isinstance(caught.value, MailRefusedError)
