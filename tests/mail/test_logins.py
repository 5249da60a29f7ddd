"""A real client logs in to a real Dovecot with tokens of a real issuer, and reads mail; a thief does not."""

from __future__ import annotations

import imaplib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from immure.mail.access import Access
from immure.mail.running import LocalMail
from immure.tokens.acceptance.reader import read_decisions
from mail.house import (
    ADA,
    BOB,
    CONTOSO,
    FABRIKAM,
    MAIL,
    MALLORY,
    Imap,
    MailHouse,
    curl,
    digest_of,
    records,
)
from servers.smtp import Relay

pytestmark = pytest.mark.real


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize(("name", "address"), [("ada", ADA), ("bob", BOB), ("mallory", MALLORY)])
def test_an_issued_token_opens_its_mailbox(
    house: MailHouse, imap: Imap, name: str, address: str, mechanism: str
):
    message = f"Message-ID: <{uuid.uuid4()}@x>\r\nSubject: hello\r\n\r\nfor {name}\r\n".encode()
    session = imap.login(address, house.issued(name), mechanism)
    session.append("INBOX", "", None, message)  # type: ignore[arg-type]
    session.select("INBOX")
    _, [last] = session.search(None, "ALL")
    _, [(_, text), *_] = session.fetch(last.split()[-1].decode(), "(RFC822)")
    assert text == message
    session.logout()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ada", BOB),
        ("ada", MALLORY),
        ("ada", "ada@fabrikam.example"),
        ("ada", "ada@outlook.example"),
        ("ada", "ada@elsewhere.example"),
        ("ada", "ada"),
        ("ada", "ada@"),
        ("ada", "@contoso.example"),
        ("ada", "@"),
        ("ada", f"{ADA}@contoso.example"),
        ("ada", "ada@contoso.example.evil"),
        ("bob", ADA),
        ("bob", "bob@contoso.example"),
        ("mallory", "mallory@contoso.example"),
        ("mallory", ADA),
    ],
)
def test_a_good_token_opens_no_other_mailbox(house: MailHouse, imap: Imap, name: str, address: str):
    assert not imap.gets_in(address, house.issued(name))


@dataclass(frozen=True)
class Forgery:
    """What a thief makes, the mailbox that it is for, and the rule that refuses it; no rule if the token is
    good, and opens another mailbox."""

    name: str
    make: Callable[[MailHouse], str]
    rule: str | None
    mailbox: str = ADA


FORGERIES = [
    Forgery(
        "the incident: the consumers' key signs for an enterprise",
        lambda house: house.stolen("consumer", house.issued("ada")),
        "key-unknown",
    ),
    Forgery(
        "a consumer's token with the claims of an enterprise user",
        lambda house: house.stolen("consumer", house.issued("mallory"), sub="ada", tid=CONTOSO, aud=MAIL),
        "token-tenant",
    ),
    Forgery(
        "a consumer's token, asking for an enterprise's mailbox of the same name",
        lambda house: house.stolen("consumer", house.issued("mallory"), sub="ada"),
        None,
    ),
    Forgery(
        "a consumer's token for the enterprises' audience",
        lambda house: house.stolen("consumer", house.issued("mallory"), aud=MAIL),
        "token-audience-class",
        MALLORY,
    ),
    Forgery(
        "the enterprises' key signs for the tenant of consumers",
        lambda house: house.stolen("enterprise", house.issued("mallory"), sub="mallory"),
        "key-unknown",
        MALLORY,
    ),
    Forgery(
        "another tenant's user, whose name is an address in this one",
        lambda house: house.stolen("enterprise", house.issued("bob"), sub=ADA),
        None,
    ),
    Forgery(
        "another tenant's user of the same name",
        lambda house: house.stolen("enterprise", house.issued("bob"), sub="ada"),
        None,
    ),
    Forgery(
        "no tenant at all",
        lambda house: house.stolen("enterprise", house.issued("ada"), tid=None),
        "token-tenant",
    ),
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda one: one.name)
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_forged_token_opens_no_mailbox(house: MailHouse, imap: Imap, forgery: Forgery, mechanism: str):
    token = forgery.make(house)
    assert not imap.gets_in(forgery.mailbox, token, mechanism)
    [row] = [row for row in read_decisions(house.accepted) if row.digest == digest_of(token)]
    assert row.rule == (forgery.rule or "")


def test_the_stolen_key_of_an_enterprise_is_another_matter(house: MailHouse, imap: Imap, tmp_path: Path):
    """What scope cannot prevent: whoever has the right key signs for whom it is for. The ledger finds it."""
    token = house.stolen("enterprise", house.issued("bob"), tid=CONTOSO, sub="ada", jti=str(uuid.uuid4()))
    assert imap.gets_in(ADA, token)


@pytest.mark.parametrize("missing", ["domains"])
def test_without_its_file_nobody_gets_in(house: MailHouse, missing: str):
    with house.mail() as mail:
        imap, token = Imap(house, mail), house.issued("ada")
        (mail.base / "conf" / missing).unlink()
        for address in (ADA, "ada", "@", "ada@", ""):
            assert not imap.gets_in(address, token)


def test_another_program_reads_mail(house: MailHouse, mail: LocalMail, imap: Imap):
    token = house.issued("ada")
    session = imap.login(ADA, token)
    session.append("INBOX", "", None, b"Subject: for curl\r\n\r\nread me\r\n")  # type: ignore[arg-type]
    session.logout()
    url = f"imaps://127.0.0.1:{mail.ports['imaps']}"
    read = curl(house, f"{url}/INBOX;MAILINDEX=*", ADA, token)
    assert (read.returncode, b"read me" in read.stdout) == (0, True), read.stderr
    forged = curl(house, f"{url}/INBOX", ADA, house.stolen("consumer", token))
    assert forged.returncode == 67  # login denied


def test_another_program_submits_mail(house: MailHouse, mail: LocalMail, relay: Relay, tmp_path: Path):
    text = f"Subject: {uuid.uuid4()}\r\n\r\nhello\r\n".encode()
    path = tmp_path / "message"
    path.write_bytes(text)
    url = f"smtps://127.0.0.1:{mail.ports['submissions']}"
    words = ("--mail-from", ADA, "--mail-rcpt", BOB, "--upload-file", str(path))
    sent = curl(house, url, ADA, token := house.issued("ada"), *words)
    assert sent.returncode == 0, sent.stderr
    assert [one for one in relay.messages if text in one]
    before = len(relay.messages)
    assert curl(house, url, ADA, house.stolen("consumer", token), *words).returncode == 67
    assert len(relay.messages) == before


def test_what_was_read_is_in_the_log(house: MailHouse, mail: LocalMail, imap: Imap, tmp_path: Path):
    token = house.issued("ada")
    session = imap.login(ADA, token)
    for number in range(3):
        session.append("INBOX", "", None, f"Subject: {number}\r\n\r\ntext\r\n".encode())  # type: ignore[arg-type]
    session.select("INBOX")
    _, [every] = session.uid("SEARCH", "ALL")
    last = int(every.split()[-1])
    session.fetch("1:*", "(ENVELOPE)")
    session.uid("FETCH", str(last), "(BODY.PEEK[])")
    session.uid("COPY", str(last), "INBOX")
    session.logout()

    def all_there(made: list[Access]) -> bool:
        return any(one.action == "logout" and one.digest == digest_of(token) for one in made)

    mine = [one for one in records(mail, tmp_path, all_there) if one.digest == digest_of(token)]
    actions = [one.action for one in mine]
    assert actions[0] == "login"
    assert actions[-1] == "logout"
    assert actions.count("append") == 3
    assert {"select", "sync", "bind", "copy"} <= set(actions)
    assert {(one.mailbox, one.tenant, one.issuer, one.ip) for one in mine} == {
        (ADA, CONTOSO, house.issuer("enterprise"), "127.0.0.1")
    }
    assert len({one.session for one in mine}) == 1
    [bind] = [one for one in mine if one.action == "bind" and "fetch_body" in one.how]
    assert (bind.folder, bind.uid, bind.command) == ("INBOX", last, "UID FETCH")
    [envelope] = [one for one in mine if one.messages == "1:*"]
    assert (envelope.action, envelope.folder, envelope.numbers) == ("sync", "INBOX", "sequence")
    [copied] = [one for one in mine if one.action == "copy"]
    assert (copied.messages, copied.numbers, copied.to) == (str(last), "uid", "INBOX")


def test_what_was_refused_is_in_the_log(house: MailHouse, mail: LocalMail, imap: Imap, tmp_path: Path):
    token = house.issued("bob")
    assert not imap.gets_in(ADA, token)
    assert not imap.gets_in("bob@contoso.example", token)

    def both(made: list[Access]) -> bool:
        return any((one.digest, one.mailbox) == (digest_of(token), "bob@contoso.example") for one in made)

    # the login to another's mailbox may have a row with the digest, too
    rows = [one for one in records(mail, tmp_path, both) if one.digest == digest_of(token)]
    assert {(one.action, one.outcome) for one in rows} == {("login", "refused")}
    assert "bob@contoso.example" in {one.mailbox for one in rows}


def test_what_was_sent_is_in_the_log(house: MailHouse, mail: LocalMail, relay: Relay, tmp_path: Path):
    path = tmp_path / "message"
    path.write_bytes(b"Subject: x\r\n\r\nhello\r\n")
    url = f"smtp://127.0.0.1:{mail.ports['submission']}"
    words = ("--ssl-reqd", "--mail-from", ADA, "--mail-rcpt", BOB, "--upload-file", str(path))
    token = house.issued("ada")
    assert curl(house, url, ADA, token, *words).returncode == 0

    def sent(made: list[Access]) -> bool:
        return any(one.action == "send" and one.digest == digest_of(token) for one in made)

    mine = [one for one in records(mail, tmp_path, sent) if one.digest == digest_of(token)]
    [send] = [one for one in mine if one.action == "send"]
    assert (send.service, send.sender, send.recipients, send.mailbox) == ("submission", ADA, 1, ADA)
    assert send.session == next(one.session for one in mine if one.action == "login")


def test_a_mailbox_is_in_the_directory_of_its_domain(house: MailHouse, mail: LocalMail, imap: Imap):
    for name, address in (("ada", ADA), ("mallory", MALLORY)):
        session = imap.login(address, house.issued(name))
        session.select("INBOX")
        session.logout()
        assert (mail.base / "mail" / address.partition("@")[2] / address / "Maildir").is_dir()


def test_passwords_are_no_way_in(house: MailHouse, mail: LocalMail):
    session = imaplib.IMAP4_SSL(
        "127.0.0.1", mail.ports["imaps"], ssl_context=house.authority.context(), timeout=20
    )
    with pytest.raises(imaplib.IMAP4.error):
        session.login(ADA, house.issued("ada"))
    session.shutdown()


def test_renamed_events_lose_no_login(house: MailHouse, tmp_path: Path):
    with house.mail() as mail:
        imap = Imap(house, mail)
        first, second, third = house.issued("ada"), house.issued("ada"), house.issued("ada")
        assert imap.gets_in(ADA, first)
        records(mail, tmp_path, lambda made: len(made) > 1)
        mail.events.rename(mail.events.with_name("events.jsonl.1"))
        assert imap.gets_in(ADA, second)
        mail.reopen_events()
        assert imap.gets_in(ADA, third)
        wanted = [digest_of(token) for token in (first, second, third)]

        def ended(made: list[Access]) -> bool:
            return wanted[-1] in [one.digest for one in made if one.action == "logout"]

        made = records(mail, tmp_path, ended)
        assert [one.digest for one in made if one.action == "login"] == wanted
        assert [one.reason for one in made if one.action == "gap"] == ["begin"]


ADDRESSES = [
    ({"sub": ADA, "tid": CONTOSO}, ADA, True),
    ({"sub": ADA.upper(), "tid": CONTOSO}, ADA, True),
    ({"sub": ADA, "tid": FABRIKAM}, ADA, False),
    ({"sub": ADA, "tid": FABRIKAM}, "ada@fabrikam.example", False),
    ({"sub": "ada", "tid": CONTOSO}, ADA, False),
    ({"sub": "ada", "tid": CONTOSO}, "ada", False),
    ({"sub": f"{ADA}@fabrikam.example", "tid": FABRIKAM}, ADA, False),
    ({"sub": "@contoso.example", "tid": CONTOSO}, ADA, False),
]


def test_a_token_that_names_an_address_opens_it_if_the_domain_is_its_tenants(house: MailHouse):
    """The signing service makes no such tokens: what the test needs of it is the key."""
    like = house.issued("ada")
    with house.mail(naming="address") as mail:
        imap = Imap(house, mail)
        seen = [
            imap.gets_in(mailbox, house.stolen("enterprise", like, **said)) for said, mailbox, _ in ADDRESSES
        ]
    assert seen == [expected for *_, expected in ADDRESSES]
