"""IMAP and submission of a real Dovecot: who gets in, what the others are told, what the log says of both."""

from __future__ import annotations

import base64
import smtplib
import time
import uuid
from pathlib import Path

import pytest

from introspection.real.cases import BAD, THIEF, Case, digest, fresh, long
from introspection.real.clients import DROPPED, IN, MECHANISMS, NO, Mail, sasl
from introspection.real.mail import dovecot_asking
from introspection.real.service import Service, serving
from servers.dovecot import Dovecot
from servers.program import free_port
from servers.silent import silence
from servers.smtp import Relay
from servers.tls import Authority, Pair

pytestmark = pytest.mark.real
INTERNAL, INVALID = "internal_failure", "invalid_token"


@pytest.fixture(params=MECHANISMS)
def mail(request: pytest.FixtureRequest, authority: Authority) -> Mail:
    return Mail(request.param, authority.context())


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "tls"])
def test_a_good_token_opens_the_mailbox(mail: Mail, dovecot: Dovecot, service: Service, tls: bool):
    token = fresh()
    assert mail.imap(dovecot.imaps if tls else dovecot.imap, token, tls=tls) == IN
    row = service.row(token)
    assert (row.verdict, row.relying_party, row.channel) == ("accepted", "dovecot", "introspection")
    assert (row.subject, row.kid) == ("mailbox-7", "Ed25519")


def test_a_good_token_submits_mail(mail: Mail, dovecot: Dovecot, service: Service, relay: Relay):
    token = fresh()
    message = f"Subject: {uuid.uuid4()}\r\n\r\nhello\r\n".encode()
    assert mail.submit(dovecot.submission, token, message) == IN
    assert [one for one in relay.messages if message in one]
    assert service.row(token).verdict == "accepted"


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_token_is_refused(mail: Mail, dovecot: Dovecot, service: Service, case: Case):
    token, begun = case.make(), time.time()
    assert mail.imap(dovecot.imap, token) == INVALID
    assert service.refusals(token, begun) == [(case.rule, "dovecot")]


@pytest.mark.parametrize("case", [case for case in BAD if case.submitted], ids=lambda case: case.name)
def test_a_bad_token_submits_nothing(
    mail: Mail, dovecot: Dovecot, service: Service, relay: Relay, case: Case
):
    token, begun, before = case.make(), time.time(), len(relay.messages)
    assert mail.submit(dovecot.submission, token, b"Subject: no\r\n\r\n") == INVALID
    assert service.refusals(token, begun) == [(case.rule, "dovecot")]
    assert len(relay.messages) == before


def test_no_token_is_no_login(mail: Mail, dovecot: Dovecot, service: Service):
    before = len(service.rows())
    assert mail.imap(dovecot.imap, "") == INVALID
    assert len(service.rows()) == before  # Dovecot sees that itself


@pytest.mark.parametrize("user", ["mailbox-8", "admin", "mailbox-7@mail.example"])
def test_another_users_token_is_refused(mail: Mail, dovecot: Dovecot, service: Service, user: str):
    token = fresh()
    assert mail.imap(dovecot.imap, token, user) == NO
    assert (
        service.row(token).verdict == "accepted"
    )  # the token is good; it was Dovecot that compared the names


def test_claims_do_not_become_members_of_the_answer(mail: Mail, dovecot: Dovecot):
    claims = {"username": "admin", "active": "false", "error": "none", "token_type": "DPoP", "upn": "admin"}
    assert mail.imap(dovecot.imap, fresh(**claims), "admin") == NO
    assert mail.imap(dovecot.imap, fresh(**claims)) == IN


def test_a_token_has_six_thousand_characters_at_most(mail: Mail, dovecot: Dovecot, service: Service):
    assert mail.imap(dovecot.imap, long(5_500)) == IN
    before = len(service.rows())
    assert mail.imap(dovecot.imap, long(8_192)) == DROPPED
    assert len(service.rows()) == before


def test_a_line_of_auth_has_at_most_1024_characters(authority: Authority, dovecot: Dovecot):
    with smtplib.SMTP("127.0.0.1", dovecot.submission, timeout=20) as session:
        session.starttls(context=authority.context())
        session.ehlo()
        message = base64.b64encode(sasl("XOAUTH2", "mailbox-7", long(5_500))).decode()
        assert session.docmd("AUTH", f"XOAUTH2 {message}") == (500, b"5.5.2 Line too long")
        assert session.docmd("AUTH", "XOAUTH2") == (334, b"")
        assert session.docmd(message) == (235, b"2.7.0 Logged in.")


def test_dovecot_asks_for_every_login(mail: Mail, dovecot: Dovecot, service: Service):
    token = fresh()
    assert [mail.imap(dovecot.imap, token) for _ in range(3)] == [IN, IN, IN]
    assert len([row for row in service.rows() if row.digest == digest(token)]) == 3


# --- when there is no verdict, nobody gets in, and nobody is told that the token was wrong ---


@pytest.fixture
def mails(authority: Authority) -> list[Mail]:
    return [Mail(mechanism, authority.context()) for mechanism in MECHANISMS]


def logins(mails: list[Mail], dovecot: Dovecot, token: str) -> set[str]:
    return {mail.imap(dovecot.imap, token) for mail in mails}


def test_our_server_is_down(mails: list[Mail], certificate: Pair, relay: Relay):
    with dovecot_asking(free_port(), "any", certificate, relay) as dovecot:
        assert logins(mails, dovecot, fresh()) == {INTERNAL}
        assert {mail.submit(dovecot.submission, fresh(THIEF), b"") for mail in mails} == {INTERNAL}


def test_our_server_does_not_answer(mails: list[Mail], certificate: Pair, relay: Relay):
    with (
        silence() as port,
        dovecot_asking(port, "any", certificate, relay, {"timeout = 5s": "timeout = 200ms"}) as dovecot,
    ):
        assert logins(mails, dovecot, fresh()) == {INTERNAL}


def test_dovecot_does_not_know_the_secret(
    mails: list[Mail], service: Service, certificate: Pair, relay: Relay
):
    before = len(service.rows())
    with dovecot_asking(service.port, "0" * 64, certificate, relay) as dovecot:
        assert logins(mails, dovecot, fresh()) == {INTERNAL}
    assert len(service.rows()) == before


def test_the_keys_cannot_be_had(mails: list[Mail], keyless: Service, certificate: Pair, relay: Relay):
    with dovecot_asking(keyless.port, keyless.secret, certificate, relay) as dovecot:
        assert logins(mails, dovecot, fresh()) == {INTERNAL}
    assert keyless.rows() == []


def test_two_machines_have_tls_between_them(
    mails: list[Mail], authority: Authority, certificate: Pair, relay: Relay, tmp_path: Path
):
    files = f'certificate = "{certificate.certificate}"\nkey = "{certificate.key}"'
    with serving({"[listen]": f"[listen]\n{files}"}) as service:
        for trusted, outcome in ((authority, IN), (Authority(tmp_path), INTERNAL)):
            tls = {
                "http://": "https://",
                "oauth2 {": f"oauth2 {{\n  ssl_client_ca_file = {trusted.certificate}",
            }
            with dovecot_asking(service.port, service.secret, certificate, relay, tls) as dovecot:
                assert logins(mails, dovecot, fresh()) == {outcome}
