"""Which servers may be asked: those that are named twice, and no others."""

from __future__ import annotations

import pytest

from immure.errors import ImmureError
from immure.probe.errors import TargetError
from immure.probe.target import parse_target

REFUSED = {
    "https://mail.example/": ["mail.exmaple"],
    "https://mail.example:443/": ["mail.example:443"],
    "https://a.mail.example/": ["mail.example"],
    "https://ada:secret@mail.example/": ["mail.example"],
    "http://mail.example/": ["mail.example"],
    "ftp://mail.example/": ["mail.example"],
    "mail.example": ["mail.example"],
    "https:///inbox": [""],
    "https://mail.example/\n": ["mail.example"],
    "https://mail.example:99999/": ["mail.example"],
    "https://[::1/": ["::1"],
    "": [""],
}


@pytest.mark.parametrize("url", REFUSED)
def test_who_may_not_be_asked(url: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(url, REFUSED[url])
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, ImmureError)


def test_tls_may_be_left_out_on_this_machine_only() -> None:
    assert parse_target("imap://127.0.0.1/", ["127.0.0.1"], tls="none").tls == "none"
    assert parse_target("imap://localhost:143", ["localhost"], tls="none").port == 143
    with pytest.raises(TargetError):
        parse_target("imap://mail.example/", ["mail.example"], tls="none")
    with pytest.raises(TargetError):
        parse_target("http://127.0.0.1.example/", ["127.0.0.1.example"])


def test_an_address_in_reports_has_no_query() -> None:
    target = parse_target("https://MAIL.example:8443/a?secret=1", ["Mail.Example "])
    assert target.shown == "https://mail.example:8443/a"
    assert target.path == "/a?secret=1"
    assert parse_target("https://[::1]:1/", ["[::1]"]).host == "::1"
    assert parse_target("https://[::1]:1/", ["::1"]).shown == "https://[::1]:1/"
    assert parse_target("imaps://mail.example", ["mail.example"]).shown == "imaps://mail.example"
