"""Findings to a webhook and to syslog: real sockets on this machine."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.detections.deliver.receiver import Receiver, deliver
from immure.detections.deliver.syslog import Syslog, SyslogPlace, message
from immure.detections.deliver.webhook import Webhook
from immure.detections.errors import DetectionError
from immure.detections.finding import Finding
from immure.detections.state import State
from immure.errors import UsageError

ONE = Finding(
    "token-forged", "critical", "a token", keys={"digest": "00"}, reason='he said "x]"', last=1_000_000
)


def state_with(directory: Path, count: int) -> State:
    state = State(directory)
    with state.transaction():
        for number in range(count):
            state.find(Finding("token-forged", "critical", "a token", keys={"digest": f"{number:02x}"}))
    return state


class Hook(http.server.BaseHTTPRequestHandler):
    """Notes what it gets."""

    got: list[tuple[dict[str, str], Any]]
    answer = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append((dict(self.headers), json.loads(body)))
        self.send_response(type(self).answer)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    kind = type("MyHook", (Hook,), {"got": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/x?y=1", kind
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_webhook_gets_each_finding_once(tmp_path: Path, hook: tuple[str, type[Hook]]) -> None:
    url, kind = hook
    receiver = Webhook(url, {}, authorization="Bearer abc", allow_loopback=True)
    with state_with(tmp_path / "state", 150) as state:
        assert deliver(state, receiver) == 150
        assert deliver(state, receiver) == 0
        with state.transaction():
            state.find(ONE)
            state.find(Finding("token-forged", "critical", "a token", keys={"digest": "99"}))
        assert deliver(state, receiver) == 1, "the digest 00 was there before"
    assert [len(events) for _, events in kind.got] == [100, 50, 1]
    headers, events = kind.got[0]
    assert headers["Authorization"] == "Bearer abc"
    assert re.fullmatch("[0-9a-f]{32}", headers["Idempotency-Key"])
    assert events[0]["class_uid"] == 2004


@pytest.mark.parametrize("status", [500, 404, 302, 199])
def test_a_webhook_that_refuses_gets_it_again(
    status: int, tmp_path: Path, hook: tuple[str, type[Hook]]
) -> None:
    url, kind = hook
    kind.answer = status
    with state_with(tmp_path / "state", 3) as state:
        with pytest.raises(DetectionError, match="the webhook: ") as caught:
            deliver(state, Webhook(url, {}, allow_loopback=True, seconds=2))
        assert "127.0.0.1" not in str(caught.value)
        kind.answer = 200
        assert deliver(state, Webhook(url, {}, allow_loopback=True)) == 3


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example/x", "only https"),
        ("https://127.0.0.1:1/x", "of this machine"),
        ("https://10.0.0.1/x", "is not public"),
        ("https://169.254.169.254/latest", "is not public"),
        ("https://[::ffff:10.0.0.1]/x", "is not public"),
        ("file:///etc/passwd", "is not a valid URL"),
    ],
)
def test_a_webhook_is_not_led_inside(url: str, words: str) -> None:
    with pytest.raises(DetectionError, match=words):
        Webhook(url, {}, seconds=2).send([ONE])


def test_syslog_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        Syslog(SyslogPlace("udp", "127.0.0.1", server.getsockname()[1])).send([ONE])
        got = server.recv(4096)
    assert got.decode() == (
        f'<82>1 1970-01-01T00:00:01.000000Z - immure - token-forged [immure@32473 id="{ONE.id}" count="1" '
        'digest="00"] he said "x]"'
    )


def test_syslog_over_tcp_counts_octets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        got: list[bytes] = []

        def take() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    got.append(data)

        thread = threading.Thread(target=take)
        thread.start()
        Syslog(SyslogPlace("tcp", "127.0.0.1", server.getsockname()[1])).send([ONE, ONE])
        thread.join(10)
    line = message(ONE, 8192)
    assert b"".join(got) == 2 * (b"%d %s" % (len(line), line))


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DetectionError, match=r"syslog at 127\.0\.0\.1"):
        Syslog(SyslogPlace("tcp", "127.0.0.1", port), seconds=2).send([ONE])


@pytest.mark.parametrize(
    "text", ["udp://host", "http://host:1", "tcp://host:0", "tcp://host:99999", "tcp://a b:1", ""]
)
def test_what_is_no_place_of_syslog_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        SyslogPlace.parse(text)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=3000), st.dictionaries(st.text(max_size=40), st.text(max_size=900), max_size=12))
def test_a_message_is_one_line_of_ascii_and_short_enough(reason: str, keys: dict[str, str]) -> None:
    line = message(Finding("some-rule", "low", "title", keys=keys, reason=reason), 2048)
    assert len(line) <= 2048
    assert re.fullmatch(rb"[ -~]+", line)
    assert re.fullmatch(
        rb"<85>1 1970-01-01T00:00:00.000000Z - immure - some-rule "
        rb'\[immure@32473( [!-~]{1,32}="([^"\\\]]|\\["\\\]])*")+\] .*',
        line,
    )


class Broken(Receiver):
    name = "broken"

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails = True

    def send(self, findings: Any) -> None:
        if self.got and self.fails:
            raise DetectionError("no")
        self.got += [one.id for one in findings]


def test_who_fails_in_the_middle_goes_on_there(tmp_path: Path) -> None:
    receiver = Broken()
    with state_with(tmp_path / "state", 150) as state:
        with pytest.raises(DetectionError):
            deliver(state, receiver)
        receiver.fails = False
        assert deliver(state, receiver) == 50
    assert len(set(receiver.got)) == len(receiver.got) == 150
