"""Tokens in IMAP and SMTP: what is said, what an answer means, and servers that mean no good."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from immure.keymaterial.sources_http import _Deadline
from immure.probe.answer import Outcome
from immure.probe.channels.channel import Channel
from immure.probe.channels.connection import MOST_BYTES, BoundError
from immure.probe.channels.lines import Lines
from immure.probe.channels.sasl import Login, is_fault
from immure.probe.errors import CarryError, TargetError
from immure.probe.target import How, open_channel, parse_target
from servers.tls import Authority, Pair

from .sockets import Talk, talking

IN, OUT, BROKE, UNCLEAR = Outcome.LET_IN, Outcome.REFUSED, Outcome.BROKE, Outcome.UNCLEAR


def challenge(status: str) -> str:
    return base64.b64encode(json.dumps({"status": status, "schemes": "Bearer"}).encode()).decode()


def server(*script: str, heard: list[bytes] | None = None) -> Talk:
    """Says each line, and hears one after each but the last; ``-`` says nothing and hears a line."""

    def talk(sock: socket.socket) -> None:
        lines = sock.makefile("rb")
        for text in script:
            if text != "-":
                sock.sendall(text.replace("\n", "\r\n").encode() + b"\r\n")
            line = lines.readline()
            if heard is not None:
                heard.append(line.rstrip(b"\r\n"))

    return talk


def mailbox(scheme: str, port: int, *, seconds: float = 1.0, **how: str) -> Channel:
    target = parse_target(f"{scheme}://127.0.0.1:{port}", ["127.0.0.1"], tls="none")
    return open_channel(target, How(user="ada", seconds=seconds, **how))  # type: ignore[arg-type]


def ask(scheme: str, talk: Talk, token: str = "a.b.c", **how: str) -> tuple[Outcome, str]:
    with talking(talk) as port:
        answer = mailbox(scheme, port, **how).ask(token)
    return answer.outcome, answer.detail


IMAP = [
    (["* OK hi", "+", "b OK in"], IN),
    (["* OK [CAPABILITY X] hi", "* CAPABILITY X\n+ ", "* 3 EXISTS\nB OK in"], IN),
    (["* OK hi", "+", "b NO out"], OUT),
    (["* OK hi", "+", f"+ {challenge('401')}", "b NO [AUTHENTICATIONFAILED] out"], OUT),
    (["* OK hi", "+", f"+ {challenge('500')}", "b NO [AUTHENTICATIONFAILED] out"], BROKE),
    (["* OK hi", "+", "+ !!!", "b NO out"], OUT),
    (["* OK hi", "b NO no such mechanism"], OUT),
    (["* OK hi", "b BAD what"], OUT),
    (["* OK hi", "+", "b NO [UNAVAILABLE] later"], BROKE),
    (["* OK hi", "+", "b NO [LIMIT] later"], UNCLEAR),
    (["* OK hi", "+", "b MAYBE"], UNCLEAR),
    (["* OK hi", "+", "bogus\nc OK in\nb NO out"], OUT),
    (["* OK hi", "+", "+", "+", "+"], UNCLEAR),
    (["* PREAUTH in already"], UNCLEAR),
    (["* BYE go away"], UNCLEAR),
    (["220 mail"], UNCLEAR),
]


@pytest.mark.parametrize(("script", "outcome"), IMAP, ids=[str(row[0][-1])[:30] for row in IMAP])
def test_what_imap_answers_mean(script: list[str], outcome: Outcome) -> None:
    assert ask("imap", server(*script))[0] is outcome


SMTP = [
    (["220 hi", "250 hi", "334 ", "235 in"], IN),
    (["220-hi\n220 ho", "250-hi\n250-AUTH XOAUTH2\n250 X", "334 ", "235 in"], IN),
    (["220 hi", "250 hi", "334 ", "535 out"], OUT),
    (["220 hi", "250 hi", "334 ", f"334 {challenge('invalid_token')}", "535 out"], OUT),
    (["220 hi", "250 hi", "334 ", f"334 {challenge('internal_failure')}", "535 out"], BROKE),
    (["220 hi", "250 hi", "504 what"], OUT),
    (["220 hi", "250 hi", "334 ", "454 later"], BROKE),
    (["220 hi", "250 hi", "334 ", "334 ", "334 "], UNCLEAR),
    (["220 hi", "250 hi", "334 ", "250 fine"], UNCLEAR),
    (["554 no"], UNCLEAR),
    (["* OK hi"], UNCLEAR),
]


@pytest.mark.parametrize(("script", "outcome"), SMTP, ids=[str(row[0][-1])[:30] for row in SMTP])
def test_what_smtp_answers_mean(script: list[str], outcome: Outcome) -> None:
    assert ask("smtp", server(*script))[0] is outcome


@pytest.mark.parametrize("scheme", ["imap", "smtp"])
def test_what_is_said(scheme: str) -> None:
    heard: list[bytes] = []
    script = {
        "imap": ["* OK hi", "+", "+ e30=", "b NO"], "smtp": ["220 hi", "250 hi", "334 ", "334 e30=", "535"],
    }[scheme]  # fmt: skip
    ask(scheme, server(*script, heard=heard), "a.b.c")
    said = [base64.b64decode(line) for line in heard if line.startswith(b"dXNl")]
    assert said == [b"user=ada\x01auth=Bearer a.b.c\x01\x01"]
    assert b"" in heard
    heard.clear()
    ask(scheme, server(*script, heard=heard), "a.b.c", mechanism="OAUTHBEARER")
    assert b"AQ==" in heard
    assert any(b"OAUTHBEARER" in line for line in heard)


def test_oauthbearer_as_rfc_7628_has_it() -> None:
    message = base64.b64decode(Login("a=d,a", "OAUTHBEARER", "mail", 143).first("t\n\ud800"))
    assert message.startswith(b"n,a=a=3Dd=2Ca,\x01host=mail\x01port=143\x01auth=Bearer t\n")


def test_who_cannot_log_in() -> None:
    for user in ("", "a\x01b", "a\r\nb"):
        with pytest.raises(TargetError):
            Login(user, "XOAUTH2", "h", 1)
    with pytest.raises(CarryError):
        Login("ada", "XOAUTH2", "h", 1).first("a\x01b")


@pytest.mark.parametrize("challenge", [b"", b"!", b"e30=", b"W10=", b"eyJzdGF0dXMiOjV9", b"=" * 9, b"\xff"])
def test_what_says_no_fault(challenge: bytes) -> None:
    assert not is_fault(challenge)


def hangs(sock: socket.socket) -> None:
    sock.recv(1)


def pours(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"x" * 65536)


def pours_lines(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"* OK hi\r\n220-hi\r\n" * 1000)


def literal(sock: socket.socket) -> None:
    """A literal of 1 GiB that is never sent."""
    sock.sendall(b"* OK {1073741824}\r\n")
    sock.recv(1000)


HOSTILE: list[tuple[Callable[[socket.socket], None], set[Outcome]]] = [
    (hangs, {Outcome.NO_ANSWER}),
    (pours, {UNCLEAR}),
    (pours_lines, {UNCLEAR}),
    (literal, {Outcome.NO_ANSWER, BROKE, UNCLEAR}),
    (lambda sock: None, {BROKE}),
]


@pytest.mark.parametrize("scheme", ["imap", "smtp"])
@pytest.mark.parametrize(("talk", "outcomes"), HOSTILE)
def test_hostile_servers(scheme: str, talk: Talk, outcomes: set[Outcome]) -> None:
    assert ask(scheme, talk)[0] in outcomes


def test_all_lines_of_a_connection_have_a_bound() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, _Deadline(5) as deadline:
        lines = Lines(ours, deadline)
        theirs.sendall(b"x" * 1000 + b"\n")
        assert lines.read() == b"x" * 1000
        for _ in range(MOST_BYTES // 1001 - 1):
            theirs.sendall(b"x" * 1000 + b"\n")
            assert lines.read()
        theirs.sendall(b"x" * 1000 + b"\n")
        with pytest.raises(BoundError, match="says too much"):
            lines.read()


# --- TLS ---


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("mail")


def starting(pair: Pair, before: bytes, behind: bytes, after: list[bytes]) -> Talk:
    """Says ``before``, then takes STARTTLS with ``behind`` in the clear, and goes on with TLS."""

    def talk(sock: socket.socket) -> None:
        lines = sock.makefile("rb", buffering=0)
        sock.sendall(before)
        while b"STARTTLS" not in (line := lines.readline()):
            if not line:
                return
            sock.sendall(b"250 hi\r\n")
        sock.sendall(behind)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        with context.wrap_socket(sock, server_side=True) as secured:
            heard = secured.makefile("rb")
            for answer in after:
                heard.readline()
                secured.sendall(answer + b"\r\n")
            heard.readline()

    return talk


def starttls(scheme: str, talk: Talk, authority: Authority | None) -> Outcome:
    with talking(talk) as port:
        target = parse_target(f"{scheme}://127.0.0.1:{port}", ["127.0.0.1"])
        ca = None if authority is None else str(authority.certificate)
        return open_channel(target, How(user="ada", ca_file=ca, seconds=3.0)).ask("a.b.c").outcome


def test_starttls(authority: Authority, pair: Pair) -> None:
    imap = starting(pair, b"* OK hi\r\n", b"a OK go\r\n", [b"+", b"b OK in"])
    smtp = starting(pair, b"220 hi\r\n", b"220 go\r\n", [b"250 hi", b"334 ", b"235 in"])
    assert starttls("imap", imap, authority) is IN
    assert starttls("smtp", smtp, authority) is IN
    assert starttls("imap", imap, None) is Outcome.NO_ANSWER  # its certificate is not trusted


def test_without_starttls_no_token_is_sent(authority: Authority) -> None:
    heard: list[bytes] = []
    assert starttls("imap", server("* OK hi", "a NO", "b OK in", heard=heard), authority) is UNCLEAR
    assert starttls("smtp", server("220 hi", "250 hi", "502 no", heard=heard), authority) is UNCLEAR
    assert not any(b"AUTH" in line for line in heard)


def test_what_is_said_in_the_clear_is_not_taken_for_an_answer(authority: Authority, pair: Pair) -> None:
    talk = starting(pair, b"* OK hi\r\n", b"a OK go\r\nb OK in\r\n", [b"+", b"b NO out"])
    assert starttls("imap", talk, authority) is UNCLEAR


def test_tls_from_the_beginning(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with talking(server("* OK hi", "+", "b OK in"), context) as port:
        target = parse_target(f"imaps://localhost:{port}", ["localhost"])
        channel = open_channel(target, How(user="ada", ca_file=str(authority.certificate)))
        assert channel.ask("a.b.c").outcome is IN
