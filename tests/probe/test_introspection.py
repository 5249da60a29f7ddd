"""Introspection: our own server as it is run, a real Dovecot that asks it, and servers that mean no good."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from immure.probe.answer import Outcome
from immure.probe.case import chosen
from immure.probe.catalogue import CATALOGUE
from immure.probe.kit import Kit
from immure.probe.result import Verdict
from immure.probe.run import Probe
from immure.probe.target import How, open_channel, parse_target
from servers import dovecot
from servers.program import Program, directory, free_port
from servers.smtp import relaying
from servers.tls import Authority

from .parties import at_once
from .sockets import Talk, head_of, talking

IN, OUT, BROKE = Outcome.LET_IN, Outcome.REFUSED, Outcome.BROKE
SERVE = [sys.executable, "-c", "from immure.cli.serve import serve; serve()"]
SETTINGS = """\
version = 1
policy = "policy.toml"
[listen]
address = "127.0.0.1:{port}"
[log]
directory = "accepted"
[introspection]
username = "sub"
[clients.dovecot]
audiences = ["{audience}"]
secrets = ["sha256:{digest}"]
"""
DOVECOT = """\
auth_mechanisms = xoauth2 oauthbearer
oauth2 {{
  introspection_mode = post
  introspection_url = http://dovecot:{secret}@127.0.0.1:{port}/introspect
  username_attribute = username
  active_attribute = active
  active_value = true
  http_client_request_absolute_timeout = 5s
}}
"""


@dataclass(frozen=True)
class Service:
    port: int
    secret: str


@pytest.fixture(scope="module")
def service(kit: Kit, kit_directory: Path) -> Iterator[Service]:
    port, secret = free_port(), secrets.token_urlsafe(32)
    with directory() as base:
        for name in ("policy.toml", "jwks.json"):
            shutil.copy(kit_directory / name, base / name)
        settings = SETTINGS.format(
            port=port, audience=kit.target.audience, digest=sha256(secret.encode()).hexdigest()
        )
        (base / "introspection.toml").write_text(settings)
        arguments = [*SERVE, "introspection", "--config", str(base / "introspection.toml")]
        with Program(arguments, log=base / "output") as program:
            program.wait_for(port)
            yield Service(port, secret)


def how(secret: str) -> How:
    return How(introspection=True, client=("dovecot", secret))


def test_our_server_says_of_nothing_that_it_is_active(service: Service, kit: Kit) -> None:
    target = parse_target(f"http://127.0.0.1:{service.port}/introspect", ["127.0.0.1"])
    report = Probe(open_channel(target, how(service.secret)), kit, CATALOGUE, pace=at_once()).run()
    assert report.reason is None
    assert report.channel == "introspection"
    assert [one.case.id for one in report.holes] == []
    broke = [
        (one.case.id, one.answer.detail) for one in report.results if one.answer.outcome not in (IN, OUT)
    ]
    assert {name.partition(".")[0] for name, _ in broke} <= {"bound", "typ", "size"}, broke


def test_a_client_that_is_refused_tells_nothing(service: Service, kit: Kit) -> None:
    target = parse_target(f"http://127.0.0.1:{service.port}/introspect", ["127.0.0.1"])
    report = Probe(open_channel(target, how("wrong")), kit, chosen(CATALOGUE, ["alg"]), pace=at_once()).run()
    assert report.verdict is Verdict.CANNOT_TELL


@pytest.mark.real
@pytest.mark.parametrize("scheme", ["imaps", "imap", "smtp"])
def test_a_real_dovecot_that_asks_our_server(service: Service, kit: Kit, tmp_path: Path, scheme: str) -> None:
    authority = Authority(tmp_path)
    settings = DOVECOT.format(secret=service.secret, port=service.port)
    cases = chosen(
        CATALOGUE, ["scope", "alg.none", "claim.expired", "json.issuer-twice*", "form.line-break-inside"]
    )
    pair = authority.issue("mail")
    with relaying() as relay, dovecot.running(settings, pair, relay=relay.port) as mail:
        port = {"imaps": mail.imaps, "imap": mail.imap, "smtp": mail.submission}[scheme]
        target = parse_target(f"{scheme}://127.0.0.1:{port}", ["127.0.0.1"])
        options = How(user="immure-probe", ca_file=str(authority.certificate), mechanism="OAUTHBEARER")
        report = Probe(open_channel(target, options), kit, cases, pace=at_once()).run()
    assert report.verdict is Verdict.NOTHING, (report.reason, report.controls)
    assert len(report.of(OUT)) == len(cases)


def posting(answer: bytes, heads: list[bytes] | None = None) -> Talk:
    def talk(sock: socket.socket) -> None:
        head = head_of(sock)
        if heads is not None:
            heads.append(head)
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answer)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(65536)

    return talk


ANSWERS = {
    b'{"active":true}': IN,
    b'{"active":false}': OUT,
    b'{"active":"true"}': BROKE,
    b'{"active":1}': BROKE,
    b'{"sub":"a"}': BROKE,
    b"[true]": BROKE,
    b"true": BROKE,
    b"": BROKE,
    b"\xff\xfe": BROKE,
    b"[" * 50_000: BROKE,
    b'{"active":true' + b" " * (1 << 20) + b"}": BROKE,
}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer[:20].decode("latin-1"))
def test_what_an_answer_means(answer: bytes) -> None:
    with talking(posting(answer)) as port:
        target = parse_target(f"http://127.0.0.1:{port}/introspect", ["127.0.0.1"])
        assert open_channel(target, how("s")).ask("a.b.c").outcome is ANSWERS[answer]


def test_only_200_says_that_a_token_is_active() -> None:
    def talk(sock: socket.socket) -> None:  # fuzz_probe found that 201 let in, whatever its body said
        head_of(sock)
        sock.sendall(b"HTTP/1.1 201 x\r\nContent-Length: 15\r\n\r\n" + b'{"active":true}')

    with talking(talk) as port:
        target = parse_target(f"http://127.0.0.1:{port}/introspect", ["127.0.0.1"])
        assert open_channel(target, how("s")).ask("a.b.c").outcome is Outcome.UNCLEAR


def test_what_is_sent() -> None:
    heads: list[bytes] = []
    with talking(posting(b'{"active":false}', heads)) as port:
        target = parse_target(f"http://127.0.0.1:{port}/introspect?x=1", ["127.0.0.1"])
        open_channel(target, how("s:%")).ask("a&b\n\ud800")
    assert heads[0].startswith(b"POST /introspect?x=1 HTTP/1.1\r\n")
    assert b"Authorization: Basic ZG92ZWNvdDpzJTNBJTI1\r\n" in heads[0]
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in heads[0]
