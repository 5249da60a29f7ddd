"""Letters by webhook, to a real HTTPS server whose answers a test decides; signatures by another library."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from immure.response.incident import Incident
from immure.response.notification.errors import SettingsError
from immure.response.notification.history import State
from immure.response.notification.sending import send_letters
from immure.response.notification.settings import Contact, Hooks, Pace, Settings
from immure.response.notification.status import Sent
from immure.response.notification.webhook import signature
from immure.secret import Secret
from response.notification.conftest import Open
from response.notification.making import CONTOSO, prepared, settings
from servers.tls import Authority

KEY = bytes(range(32))


@dataclass
class Hook:
    """What came, and what is answered; ``None`` drops the connection."""

    port: int = 0
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int | None] = field(default_factory=list)
    location: str = ""


@contextmanager
def hook(authority: Authority) -> Iterator[Hook]:
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = made.answers.pop(0) if made.answers else 204
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    pair = authority.issue("hook")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def called(authority: Authority) -> Iterator[Hook]:
    with hook(authority) as made:
        yield made


def given(url: str, hooks: Hooks, **more: Any) -> Settings:
    contact = Contact(webhook=url, webhook_secret=Secret(KEY))
    return settings(1, {"contoso": contact}, smtp=None, hooks=hooks, **more)


def send(incident: Incident, made: Settings) -> Sent:
    prepared(incident, made)
    return send_letters(incident, made, actor="ann")


def test_a_call_that_another_library_believes(
    open_incident: Open, called: Hook, authority: Authority
) -> None:
    hooks = Hooks(authority.certificate, allow_loopback=True)
    incident = open_incident(CONTOSO)
    found = send(incident, given(f"https://localhost:{called.port}/hook?x=1", hooks))
    assert found.complete
    ((headers, body),) = called.calls
    value = Webhook(KEY).verify(body, headers)
    assert value["type"] == "immure.notification"
    assert value["statement"]["tenant"] == "contoso"
    assert value["letter"]["plain"].startswith("contoso\n")
    assert headers["webhook-id"] == value["delivery"] == found.deliveries[0].delivery.id
    assert headers["host"] == f"localhost:{called.port}"
    with pytest.raises(Exception, match="signature"):
        Webhook(KEY).verify(body.replace(b"contoso", b"fabrikam"), headers)


@pytest.mark.parametrize(
    ("answers", "state", "calls"),
    [
        ([500, 200], State.SENT, 2),
        ([500, 500], State.FAILED, 2),
        ([429, 200], State.SENT, 2),
        ([404], State.REFUSED, 1),
        ([None, 200], State.SENT, 2),
        ([None, None], State.UNCERTAIN, 2),
        ([302], State.REFUSED, 1),
    ],
)
def test_what_the_server_answers(
    open_incident: Open,
    called: Hook,
    authority: Authority,
    answers: list[int | None],
    state: State,
    calls: int,
) -> None:
    called.answers = list(answers)
    called.location = f"https://localhost:{called.port}/other" if answers == [302] else ""
    hooks = Hooks(authority.certificate, allow_loopback=True, seconds=5)
    found = send(open_incident(CONTOSO), given(f"https://localhost:{called.port}/hook", hooks))
    assert [one.state for one in found.deliveries] == [state]
    assert len(called.calls) == calls
    assert len({headers["webhook-id"] for headers, _ in called.calls}) == 1, "the same id in each attempt"
    assert len({body for _, body in called.calls}) == 1


@pytest.mark.parametrize(
    ("url", "hooks", "words"),
    [
        ("https://127.0.0.1:1/", Hooks(), "only if it is given directly"),
        ("http://hook.example/", Hooks(), "only https"),
        ("https://user:pw@hook.example/", Hooks(), "user name"),
        ("https://10.1.2.3/", Hooks(), "not an address that may be connected to"),
        ("https://169.254.169.254/latest", Hooks(allow_private_hosts=True), "not an address that may be"),
        ("https://nobody.invalid/", Hooks(), "its host"),
        ("https://localhost:1/", Hooks(allow_loopback=True), "the webhook: "),
    ],
)
def test_where_nothing_is_sent(open_incident: Open, url: str, hooks: Hooks, words: str) -> None:
    found = send(open_incident(CONTOSO), given(url, hooks, pace=Pace(attempts=1)))
    (one,) = found.deliveries
    assert one.state is State.FAILED
    assert words in one.detail


def test_a_certificate_that_nobody_vouches_for(open_incident: Open, called: Hook) -> None:
    made = given(f"https://localhost:{called.port}/", Hooks(allow_loopback=True), pace=Pace(attempts=1))
    found = send(open_incident(CONTOSO), made)
    assert found.deliveries[0].state is State.FAILED
    assert "certificate verify failed" in found.deliveries[0].detail
    assert not called.calls


def test_certificates_that_cannot_be_read_stop_the_run_before_it_begins(
    open_incident: Open, tmp_path: Path
) -> None:
    incident = open_incident(CONTOSO)
    made = given("https://localhost:1/", Hooks(tmp_path / "gone.pem"))
    prepared(incident, made)
    before = len(incident.entries())
    with pytest.raises(SettingsError, match=r"gone\.pem: no certificates"):
        send_letters(incident, made, actor="ann")
    assert len(incident.entries()) == before


def test_a_webhook_that_left_the_settings(open_incident: Open, authority: Authority) -> None:
    incident = open_incident(CONTOSO)
    prepared(incident, given("https://localhost:1/", Hooks()))
    found = send_letters(incident, settings(1, {}), actor="ann")
    assert found.deliveries[0].detail == "the settings do not have this webhook any more"
    assert json.loads(json.dumps([one.state.value for one in found.deliveries])) == ["failed"]


def test_the_signature_is_that_of_the_specification() -> None:
    made = Webhook(KEY)
    headers = signature("msg_1", 1_700_000_000, b'{"a": 1}', Secret(KEY))
    from datetime import UTC, datetime

    theirs = made.sign("msg_1", datetime.fromtimestamp(1_700_000_000, UTC), '{"a": 1}')
    assert headers["webhook-signature"] == theirs
