"""Postfix takes mail by the same tokens, and nobody sends in another's name."""

from __future__ import annotations

import base64
import smtplib
from pathlib import Path

import pytest

from immure.mail.postfix import postfix_snippet
from immure.mail.settings import PostfixSocket
from introspection.real.clients import sasl
from mail.house import ADA, BOB, MailHouse
from mail.postfix import postfix
from servers.program import directory

pytestmark = pytest.mark.real


def sent(house: MailHouse, port: int, user: str, token: str, sender: str) -> list[int]:
    """Codes of the answers to AUTH, MAIL and RCPT, up to the first that refuses."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as session:
        session.starttls(context=house.authority.context())
        session.ehlo()
        assert set(session.esmtp_features["auth"].split()) == {"OAUTHBEARER", "XOAUTH2"}
        first = base64.b64encode(sasl("XOAUTH2", user, token)).decode()
        codes = [session.docmd("AUTH", f"XOAUTH2 {first}")[0]]
        if codes == [334]:
            codes = [session.docmd("")[0]]
        for words in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{BOB}>"):
            if codes[-1] >= 400:
                break
            codes.append(session.docmd(words)[0])
        return codes


def test_postfix_takes_tokens_through_dovecot(house: MailHouse, tmp_path: Path):
    with directory(readable=True) as base:
        socket = PostfixSocket(base / "auth")
        with house.mail(postfix=socket) as mail, postfix(base, postfix_snippet(mail.settings)) as port:
            ada, bob = house.issued("ada"), house.issued("bob")
            assert sent(house, port, ADA, ada, ADA) == [235, 250, 250]
            assert sent(house, port, ADA, ada, BOB)[-1] == 553  # not her address
            assert sent(house, port, ADA, bob, ADA) == [535]
            assert sent(house, port, "bob@contoso.example", bob, "bob@contoso.example") == [535]
            assert sent(house, port, ADA, house.stolen("consumer", ada), ADA) == [535]
