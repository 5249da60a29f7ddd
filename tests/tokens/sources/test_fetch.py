"""Fetching over real connections, from servers that mean no good."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from immure.errors import KeySourceError
from immure.tokens.sources import HttpsPages, NotThereError, UrlSource
from immure.tokens.sources.fetch import freshness

from .imagined import jwks
from .server import Server, answer, running

HERE = HttpsPages(allow_loopback=True, seconds=5)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def url(server: Server, path: str = "/set") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def test_a_document_and_how_long_it_is_good(server):
    server.answers["/set?a=1"] = answer(b"text", "Cache-Control: public, MAX-AGE=600", "Age: 60")
    page = HERE.fetch(url(server, "/set?a=1"))
    assert (page.data, type(page.data), page.max_age) == (b"text", bytes, 540.0)
    (request,) = server.requests
    assert request.startswith("GET /set?a=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in request
    assert not {"cookie", "authorization", "referer"} & {
        line.partition(":")[0].lower() for line in request.splitlines()
    }


@pytest.mark.parametrize(
    "kind", ["application/json", "application/jwk-set+json", "text/plain", "text/html", None]
)
def test_any_type_of_content_is_taken_for_json(server, kind):
    server.answers["/set"] = answer(jwks("a"), *([f"Content-Type: {kind}"] if kind else []))
    assert UrlSource(url(server), fetcher=HERE).find("a").kid == "a"


@pytest.mark.parametrize(
    ("header", "age", "seconds"),
    [
        (None, None, None),
        ("", None, None),
        ("public, immutable", None, None),
        ("max-age=60", None, 60.0),
        ('max-age="60"', None, 60.0),
        ("s-maxage=5, max-age = 60", None, 60.0),
        ("max-age=60,max-age=30", None, 30.0),
        ("no-store, max-age=60", None, 0.0),
        ('no-cache="set-cookie"', None, None),
        ("no-cache", None, 0.0),
        ("max-age", None, 0.0),
        ("max-age=-1", None, 0.0),
        ("max-age=1e9", None, 0.0),
        ("max-age=9999999999", None, 9999999999.0),
        ("max-age=" + "9" * 5000, None, 0.0),
        ("max-age=٣", None, 0.0),
        ("max-age=60", "59", 1.0),
        ("max-age=60", "61", 0.0),
        ("max-age=60", "x", 60.0),
        ("max-age=60", "-5", 60.0),
        ("max-age=60", "9" * 5000, 60.0),
    ],
)
def test_freshness(header, age, seconds):
    assert freshness(header, age) == seconds


def endless(piece: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n", pause: float = 0.0):
    def pieces() -> Iterator[bytes]:
        yield head
        for _ in itertools.count():
            time.sleep(pause)
            yield piece

    return pieces


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD = [
    (answer(b"x" * 1001), "more than 1000 bytes"),
    (answer(b"", length=1 << 40), "more than 1000 bytes"),
    (endless(b"x" * 100), "more than 1000 bytes"),
    (endless(b"64\r\n" + b"x" * 100 + b"\r\n", CHUNKED), "more than 1000 bytes"),
    (endless(b"Header: x\r\n", b"HTTP/1.1 200 OK\r\n"), "HTTPException"),
    (endless(b"x" * 100, b"HTTP/1.1 200 OK\r\nHeader: "), "LineTooLong"),
    (endless(b"x" * 100, b"HTTP/1.1 200 "), "LineTooLong"),
    (endless(b"9" * 100, CHUNKED), "LineTooLong|IncompleteRead"),
    (endless(b"x", pause=0.05), "no answer within 0.4 s"),
    (endless(b"x", b"H", pause=0.05), "no answer within 0.4 s"),
    (endless(b"1\r\nx\r\n", CHUNKED, pause=0.05), "no answer within 0.4 s"),
    (endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"", pause=0.05), "no answer within 0.4 s"),
    (answer(b"abc", length=10), "IncompleteRead"),
    (lambda: [CHUNKED + b"5\r\nab"], "IncompleteRead"),
    (lambda: [CHUNKED + b"zz\r\nab"], "IncompleteRead"),
    (lambda: [b""], "RemoteDisconnected|reset"),
    (lambda: [b"\x00\xff" * 50], "BadStatusLine|RemoteDisconnected|reset"),
    (lambda: [b"HTTP/1.1 99999 OK\r\n\r\n"], "BadStatusLine"),
    (lambda: [b"HTTP/9.9 200 OK\r\n\r\n"], "UnknownProtocol|BadStatusLine"),
    (answer(b"\x1f\x8b", "Content-Encoding: gzip"), "is compressed"),
    (answer(b"", status="204 No Content"), "HTTP status 204"),
    (answer(b"", status="206 Partial Content"), "HTTP status 206"),
    (answer(b"", status="429 Too Many Requests"), "HTTP status 429"),
    (answer(b"", status="503 Service Unavailable"), "HTTP status 503"),
]


@pytest.mark.parametrize(("given", "words"), BAD)
def test_answers_that_are_refused(server, given, words):
    server.answers["/set"] = given
    fetcher = HttpsPages(allow_loopback=True, seconds=0.4, max_bytes=1000)
    with pytest.raises(KeySourceError, match=words) as caught:
        fetcher.fetch(url(server))
    assert not isinstance(caught.value, NotThereError)
    assert url(server) in str(caught.value)


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "403 Forbidden", "400 Bad Request"])
def test_that_a_document_is_not_there_is_told_from_an_outage(server, status):
    server.answers["/set"] = answer(b"", status=status)
    with pytest.raises(NotThereError, match=f"HTTP status {status[:3]}"):
        HERE.fetch(url(server))


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(KeySourceError, match="refused"):
        HERE.fetch(f"http://127.0.0.1:{port}/")


# --- redirects ---


def redirect(place: str, status: int = 302):
    return answer(b"", f"Location: {place}", status=f"{status} Found")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_three_redirects_on_the_same_host(server, status):
    server.answers |= {
        "/1": redirect("/2", status),
        "/2": redirect(url(server, "/3"), status),
        "/3": redirect("4", status),
        "/4": answer(b"here"),
    }
    assert HERE.fetch(url(server, "/1")).data == b"here"
    server.answers["/0"] = redirect("/1", status)
    with pytest.raises(KeySourceError, match="more than 3 redirects"):
        HERE.fetch(url(server, "/0"))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("http://127.0.0.1:1/set", "to another host"),
        ("http://localhost/set", "to another host"),
        ("https://127.0.0.1:{port}/set", "to another host"),
        ("http://127.0.0.1.evil.example/", "only https"),
        ("https://evil.example/", "to another host"),
        ("//evil.example:{port}/", "only https|to another host"),
        ("http://127.0.0.1:{port}@evil.example/", "user name"),
        ("http://169.254.169.254/latest/meta-data", "only https"),
        ("https://169.254.169.254/latest/meta-data", "to another host"),
        ("file:///etc/passwd", "not a valid URL"),
        ("gopher://127.0.0.1:{port}/", "only https"),
        ("http://[", "not a valid URL"),
        ("http://[::1]:99999999/", "not a valid URL"),
        ("/set", "more than 3 redirects"),
        ("", "more than 3 redirects"),
        ("/a b\x7f", "not a valid URL"),
        ("\xff\xfe", "not a valid URL"),
    ],
)
def test_redirects_that_are_refused(server, place, words):
    server.answers["/set"] = redirect(place.format(port=server.port))
    with pytest.raises(KeySourceError, match=words):
        HERE.fetch(url(server))
    assert {request.split(" ")[1] for request in server.requests} == {"/set"}


def test_no_proxy_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    server.answers["/set"] = answer(b"here")
    assert HERE.fetch(url(server)).data == b"here"
