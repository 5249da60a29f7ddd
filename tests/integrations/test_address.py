"""No host, however strange, says which path was asked for."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.integrations.address import address, encoded
from integrations.wsgi import STRANGE_HOSTS


@given(st.text(max_size=40) | st.text("abc./?#@:[]%\\ \t1", max_size=12), st.text(max_size=20))
def test_the_path_is_the_paths(host, path):
    made = urlsplit(address("https", host, "/" + encoded(path)))
    assert (made.scheme, unquote(made.path, errors="strict")) == ("https", "/" + path)
    assert not made.query
    assert not made.fragment


@given(st.text("abc.-:[]019", max_size=12))
def test_hosts_that_are_some_stay(host):
    made = address("https", host, "/")
    assert made in (f"https://{host}/", "https://host.invalid/")
    assert made == f"https://{host}/" or ":" in host or "[" in host or "]" in host or not host


@pytest.mark.parametrize(
    "host", ["mail.example", "mail.example:8443", "127.0.0.1:1", "[::1]:443", "[2001:db8::1]"]
)
def test_usual_hosts_stay(host):
    assert address("https", host, "/a%20b") == f"https://{host}/a%20b"


@pytest.mark.parametrize("host", [host for host in STRANGE_HOSTS if ":" not in host])
def test_strange_hosts_are_nobodys(host):
    assert address("https", host, "/me") == "https://host.invalid/me"
