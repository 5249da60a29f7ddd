"""Tokens over HTTP: what is sent, what an answer means, and servers that mean no good."""

from __future__ import annotations

import http.client
import io
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from immure.integrations.asgi import Protect
from immure.integrations.bearer import Guard
from immure.keymaterial.sources_http import _Deadline
from immure.probe.answer import Outcome
from immure.probe.catalogue import CATALOGUE
from immure.probe.errors import CarryError, TargetError
from immure.probe.kit import Kit
from immure.probe.result import Verdict
from immure.probe.run import Probe
from immure.probe.target import How, open_channel, parse_target
from immure.tokens.policy_file import read_policy
from immure.tokens.validator import Validator
from integrations.serving import asgi_server
from integrations.wsgi import werkzeug_server

from .parties import at_once
from .sockets import Talk, answering, head_of, talking

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
IN, OUT = Outcome.LET_IN, Outcome.REFUSED


def channel(port: int, path: str = "/inbox", **how: Any):
    return open_channel(parse_target(f"http://127.0.0.1:{port}{path}", ["127.0.0.1"]), How(**how))


def ask(talk: Talk, token: str | None = "a.b.c", **how: Any) -> tuple[Outcome, str]:
    with talking(talk) as port:
        answer = channel(port, **{"seconds": 1.0, **how}).ask(token)
    return answer.outcome, answer.detail


def status(code: int, more: bytes = b"") -> Talk:
    return answering(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n%s\r\n" % (code, more))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (200, IN), (204, IN), (299, IN),
        (301, OUT), (302, OUT), (304, OUT),
        (400, OUT), (401, OUT), (403, OUT), (404, OUT), (413, OUT), (431, OUT),
        (408, Outcome.UNCLEAR), (425, Outcome.UNCLEAR), (429, Outcome.UNCLEAR),
        (500, Outcome.BROKE), (503, Outcome.BROKE), (999, Outcome.BROKE),
    ],
)  # fmt: skip
def test_what_a_status_means(code: int, outcome: Outcome) -> None:
    assert ask(status(code))[0] is outcome


def test_a_redirect_is_not_followed() -> None:
    with talking(lambda sock: pytest.fail("was followed")) as other:
        location = f"Location: http://127.0.0.1:{other}/\r\n".encode()
        assert ask(status(302, location)) == (OUT, "HTTP 302, a redirect, which is not followed")


def test_what_is_sent() -> None:
    heads: list[bytes] = []

    def talk(sock: socket.socket) -> None:
        heads.append(head_of(sock))
        sock.sendall(OK)

    ask(talk, method="POST", scheme="DPoP", headers=(("X-Test", "1"), ("User-Agent", "me")))
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "POST /inbox HTTP/1.1"
    assert {"Authorization: DPoP a.b.c", "X-Test: 1", "User-Agent: me", "Connection: close"} <= set(lines)
    ask(talk, None)
    assert b"authorization" not in heads[1].lower()
    assert b"User-Agent: immure-probe/" in heads[1]


def test_a_pattern_decides_too() -> None:
    pattern = re.compile("inbox of")
    assert ask(answering(OK), pattern=pattern)[0] is OUT
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\ninbox of ada"
    assert ask(answering(body), pattern=pattern)[0] is IN
    assert ask(status(204), let_in=frozenset({200}))[0] is Outcome.UNCLEAR


@pytest.mark.parametrize("token", ["a\nb", "a\r\nX: 1", "a\0b", "a.b. ", "\ud800"])
def test_what_a_header_cannot_hold(token: str) -> None:
    with pytest.raises(CarryError):
        channel(9).ask(token)


def test_what_it_can_hold() -> None:
    heads: list[bytes] = []

    def talk(sock: socket.socket) -> None:
        heads.append(head_of(sock))
        sock.sendall(OK)

    assert ask(talk, "a\tb c\uff21")[0] is IN
    assert "Bearer a\tb c\uff21\r\n".encode() in heads[0]


def hang(sock: socket.socket) -> None:
    head_of(sock)
    sock.recv(1)


def drip(sock: socket.socket) -> None:
    head_of(sock)
    sock.settimeout(0.05)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60000:
        sock.sendall(bytes([byte]))
        try:
            if not sock.recv(1):
                return
        except TimeoutError:
            pass


def pour(what: bytes, first: bytes = b"HTTP/1.1 200 OK\r\n") -> Talk:
    def talk(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(first)
        for _ in range(100_000):
            sock.sendall(what)

    return talk


HOSTILE = {
    "hangs": (hang, Outcome.NO_ANSWER),
    "drips": (drip, Outcome.NO_ANSWER),
    "says nothing": (lambda sock: head_of(sock) and None, Outcome.BROKE),
    "is no HTTP": (answering(b"\x16\x03\x01" * 40 + b"\n"), Outcome.BROKE),
    "has a status that is none": (answering(b"HTTP/1.1 2OO OK\r\n\r\n"), Outcome.BROKE),
    "has an endless header": (pour(b"X-Long: " + b"x" * 70_000), Outcome.BROKE),
    "has endless headers": (pour(b"X-A: b\r\n" * 1000), Outcome.BROKE),
    "goes on with 100": (pour(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, b""), Outcome.NO_ANSWER),
    "breaks off": (answering(b"HTTP/1.1 2"), Outcome.BROKE),
    "has a body that never ends": (pour(b"x" * 65536, b"HTTP/1.1 401 no\r\n\r\n"), OUT),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_servers(name: str) -> None:
    talk, outcome = HOSTILE[name]
    assert ask(talk)[0] is outcome


def test_a_body_without_end_is_read_no_further_than_needed() -> None:
    answer = ask(pour(b"x" * 65536, b"HTTP/1.1 200 OK\r\n\r\n"), pattern=re.compile("never"), seconds=5.0)
    assert answer[0] is OUT


def test_a_body_that_never_comes_is_no_answer() -> None:
    def talk(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        sock.recv(1)

    assert ask(talk, pattern=re.compile("x"))[0] is Outcome.NO_ANSWER


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = channel(port).ask("a.b.c")
    assert (answer.outcome, answer.detail) == (Outcome.NO_ANSWER, "nobody listens there")


def test_a_server_that_has_heard_enough_is_still_read() -> None:
    def talk(sock: socket.socket) -> None:
        sock.recv(1024)
        sock.sendall(b"HTTP/1.1 431 too long\r\nContent-Length: 0\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    assert ask(talk, "x" * (4 << 20))[0] is OUT


def test_a_server_that_has_hung_up_is_still_read() -> None:
    class Deaf:
        def sendall(self, data: bytes) -> None:
            raise BrokenPipeError

        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(b"HTTP/1.1 413 too long\r\nContent-Length: 0\r\n\r\n")

    connection = http.client.HTTPConnection("mail.example")
    connection.sock = Deaf()
    with _Deadline(5) as deadline:
        answer = channel(9)._answer(connection, [], None, deadline)
    assert (answer.outcome, answer.detail) == (OUT, "HTTP 413")


def test_tls_is_verified(tmp_path: Path) -> None:
    import ssl

    from servers.tls import Authority

    authority = Authority(tmp_path)
    pair = authority.issue("mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with talking(answering(OK), context) as port:
        target = parse_target(f"https://localhost:{port}/", ["localhost"])
        trusted = open_channel(target, How(ca_file=str(authority.certificate))).ask("a.b.c")
        distrusted = open_channel(target, How()).ask("a.b.c")
    assert trusted.outcome is IN
    assert (distrusted.outcome, distrusted.detail) == (
        Outcome.NO_ANSWER, "the server's certificate is not trusted",
    )  # fmt: skip


@pytest.mark.parametrize("ca", ["nothing.pem", "kit.toml"])
def test_a_file_that_holds_no_certificates(kit_directory: Path, ca: str) -> None:
    with pytest.raises(TargetError):
        open_channel(parse_target("https://a/", ["a"]), How(ca_file=str(kit_directory / ca)))


@pytest.mark.parametrize("headers", [(("X Y", "1"),), (("X", "1\r\nY: 2"),)])
def test_headers_that_cannot_be_sent(headers: Any) -> None:
    with pytest.raises(TargetError):
        channel(9, headers=headers)


# --- a real server, our own validator behind it ---


@pytest.fixture(scope="module")
def guard(kit: Kit, kit_directory: Path) -> Guard:
    return Guard(Validator(read_policy(kit_directory / "policy.toml")), audience=kit.target.audience)


@pytest.fixture(scope="module", params=["uvicorn", "werkzeug"])
def address(request: pytest.FixtureRequest, guard: Guard) -> Iterator[str]:
    if request.param == "uvicorn":
        with asgi_server(Protect(inbox, guard)) as url:
            yield url
    else:
        import flask

        from immure.integrations.flask import protect_all

        app = flask.Flask(__name__)
        protect_all(app, guard)
        app.add_url_rule("/inbox", view_func=lambda: "hi")
        with werkzeug_server(app) as url:
            yield url


async def inbox(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hi"})


def test_ours_lets_nothing_in(address: str, kit: Kit) -> None:
    target = parse_target(f"{address}/inbox", ["127.0.0.1"])
    report = Probe(open_channel(target, How()), kit, CATALOGUE, pace=at_once()).run()
    assert report.reason is None
    assert [one.case.id for one in report.holes] == []
    assert report.verdict is Verdict.NOTHING, [one for one in report.results if one.answer.outcome is not OUT]
    assert [one.case.id for one in report.results if one.is_remark] == [
        "audience.with-others",
        "signature.negated",
    ]
