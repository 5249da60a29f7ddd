"""URLs and issuers as sources of keys, over a real server on this machine and over one that is imagined."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from immure.errors import KeySourceError
from immure.keymaterial.sources import load_keys
from immure.keymaterial.sources_http import HttpsFetcher, is_public_address

from . import formats, keys

ISSUER = "https://issuer.example/tenant"
DISCOVERY = "/.well-known/openid-configuration"
SET = json.dumps(
    {
        "keys": [
            formats.jwk(keys.key("P-256"), private=False, kid="a"),
            formats.jwk(keys.key("P-384"), private=False, kid="b", issuer="https://own.example"),
        ]
    }
)


def imagined(pages: dict[str, str]) -> Callable[[str], bytes]:
    def fetch(url: str) -> bytes:
        if url not in pages:
            raise KeySourceError("HTTP status 404", path=url)
        return pages[url].encode()

    return fetch


def discovery(issuer: str = ISSUER, keys_at: object = "https://keys.example/set") -> str:
    return json.dumps({"issuer": issuer, "jwks_uri": keys_at})


@pytest.mark.parametrize("source", [ISSUER, ISSUER + DISCOVERY])
def test_an_issuer_says_where_its_keys_are(source: str) -> None:
    pages = {ISSUER + DISCOVERY: discovery(), "https://keys.example/set": SET}
    loaded = load_keys(source, fetch=imagined(pages))
    assert [(key.origin.kid, key.origin.issuer) for key in loaded] == [
        ("a", ISSUER),
        ("b", "https://own.example"),
    ]
    assert {key.origin.source for key in loaded} == {"https://keys.example/set"}


def test_an_issuer_with_a_slash() -> None:
    pages = {ISSUER + DISCOVERY: discovery(ISSUER + "/"), "https://keys.example/set": SET}
    assert len(load_keys(ISSUER + "/", fetch=imagined(pages))) == 2
    assert len(load_keys(ISSUER + DISCOVERY, fetch=imagined(pages))) == 2


@pytest.mark.parametrize(("asked", "stated"), [("", "/"), ("/", "")])
def test_a_slash_at_the_end_does_not_matter_and_the_issuer_is_what_is_stated(asked: str, stated: str) -> None:
    pages = {ISSUER + DISCOVERY: discovery(ISSUER + stated), "https://keys.example/set": SET}
    loaded = load_keys(ISSUER + asked, fetch=imagined(pages))
    assert [key.origin.issuer for key in loaded] == [ISSUER + stated, "https://own.example"]


def test_a_key_set_by_its_url_names_no_issuer() -> None:
    loaded = load_keys("https://keys.example/set", fetch=imagined({"https://keys.example/set": SET}))
    assert [key.origin.issuer for key in loaded] == [None, "https://own.example"]


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({}, "HTTP status 404, also as an issuer"),
        (
            {ISSUER: "<html>", ISSUER + DISCOVERY: discovery("https://evil.example")},
            "says its issuer is 'https://evil",
        ),
        ({ISSUER + DISCOVERY: discovery(ISSUER + "/v2")}, "says its issuer is"),
        (
            {ISSUER + DISCOVERY: discovery("https://issuer.example/{tenantid}")},
            "not 'https://issuer.example/tenant'; its key set is 'https://keys.example/set'",
        ),
        ({ISSUER + DISCOVERY: discovery(ISSUER.upper())}, "says its issuer is"),
        ({ISSUER + DISCOVERY: "[]"}, "not a discovery document"),
        ({ISSUER + DISCOVERY: "{}"}, "says its issuer is nothing"),
        ({ISSUER + DISCOVERY: "{"}, "not valid JSON"),
        ({ISSUER + DISCOVERY: discovery(keys_at=None)}, "no jwks_uri"),
        ({ISSUER + DISCOVERY: discovery(keys_at=["x"])}, "no jwks_uri"),
        ({ISSUER + DISCOVERY: discovery(keys_at="http://keys.example/set")}, "only https"),
        ({ISSUER + DISCOVERY: discovery(keys_at="file:///etc/passwd")}, "not a valid URL"),
        ({ISSUER + DISCOVERY: discovery(keys_at="http://127.0.0.1/set")}, "only if it is given directly"),
        ({ISSUER + DISCOVERY: discovery(keys_at="https://[::1]/set")}, "only if it is given directly"),
        ({ISSUER + DISCOVERY: discovery(), "https://keys.example/set": "{}"}, "holds no public key"),
    ],
)
def test_issuers_that_are_refused(pages: dict[str, str], reason: str) -> None:
    with pytest.raises(KeySourceError) as caught:
        load_keys(ISSUER, fetch=imagined(pages))
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://keys.example/set", "only https"),
        ("https://user:secret@keys.example/", "user name"),
        ("https:///set", "not a valid URL"),
        ("https://keys.example:99999/", "not a valid URL"),
        ("https://keys.example/a b", "not a valid URL"),
        ("https://keys.example/\r\nX: y", "not a valid URL"),
        ("https://[::1/", "not a valid URL"),
    ],
)
def test_urls_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(KeySourceError, match=reason) as caught:
        load_keys(url, fetch=imagined({}))
    assert "secret" not in str(caught.value)


# --- a real server
# ------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path
        if path == "/set":
            self._answer(200, SET.encode())
        elif path == "/.well-known/openid-configuration":
            base = f"http://localhost:{self.server.server_port}"
            self._answer(200, discovery(base, base + "/set").encode())
        elif path == "/large":
            self._answer(200, b" " * ((1 << 20) + 1))
        elif path == "/moved":
            self._answer(302, b"", "/set")
        elif path == "/away":
            self._answer(302, b"", "https://elsewhere.example/set")
        elif path == "/port":
            self._answer(307, b"", f"http://localhost:{self.server.server_port + 1}/set")
        elif path == "/loop":
            self._answer(302, b"", "/loop")
        elif path == "/bracket":
            self._answer(302, b"", "http://[")
        elif path == "/cut":
            self._answer(200, SET.encode(), promised=len(SET) + 10)
        elif path == "/slow":
            self._drip()
        else:
            self._answer(404, b"")

    def _answer(
        self, status: int, body: bytes, location: str | None = None, promised: int | None = None
    ) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def _drip(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://localhost:{running.server_port}"
        running.shutdown()


def test_keys_and_issuers_of_this_machine(server: str) -> None:
    assert len(load_keys(f"{server}/set")) == 2
    assert len(load_keys(f"{server}/moved")) == 2
    assert [key.origin.issuer for key in load_keys(server)] == [server, "https://own.example"]
    assert len(load_keys(server.replace("localhost", "127.0.0.1") + "/set")) == 2


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/none", "HTTP status 404"),
        ("/large", "more than 1048576 bytes"),
        ("/away", "redirects to another host (elsewhere.example)"),
        ("/port", "redirects to another host"),
        ("/loop", "more than 3 redirects"),
        ("/bracket", "redirects to what is not a valid URL"),
        ("/cut", "cannot be fetched"),
    ],
)
def test_answers_that_are_refused(server: str, path: str, reason: str) -> None:
    with pytest.raises(KeySourceError) as caught:
        HttpsFetcher(allow_loopback=True)(server + path)
    assert reason in caught.value.reason


def test_a_server_that_drips_is_left_in_time(server: str) -> None:
    with pytest.raises(KeySourceError, match=r"within 0\.3 s"):
        HttpsFetcher(allow_loopback=True, seconds=0.3)(server + "/slow")


def test_loopback_only_if_it_is_given(server: str) -> None:
    with pytest.raises(KeySourceError, match="only if it is given directly"):
        HttpsFetcher()(server + "/set")


def test_a_closed_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(KeySourceError, match="cannot be fetched"):
        HttpsFetcher(allow_loopback=True)(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:0a00:0001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public_address(ip_address(address))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(KeySourceError, match="is not public"):
        load_keys("https://rebound.example/set")


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public_address(ip_address(address))


def test_the_checked_address_is_the_one_connected_to(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is resolved twice could answer differently the second time; it is resolved once."""
    port = int(server.rpartition(":")[2])
    asked = []

    def resolve(*question: object, **_: object) -> list[object]:
        asked.append(question)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert load_keys(f"{server}/set").keys
    assert len(asked) == 1


def test_a_loopback_name_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(KeySourceError, match="is not public"):
        load_keys("http://localhost/set")


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    key = keys.key("P-256")
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    days = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - days, now + days)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls")
    (path / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (path / "key.pem").write_bytes(formats.pkcs8_pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "certificate.pem", path / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"https://localhost:{running.server_port}", path / "certificate.pem"
        running.shutdown()


def test_tls_is_verified(tls_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    url, certificate = tls_server
    with pytest.raises(KeySourceError, match="certificate is not trusted"):
        load_keys(f"{url}/set")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert len(load_keys(f"{url}/set")) == 2
    with pytest.raises(KeySourceError, match="certificate is not trusted"):
        HttpsFetcher(allow_loopback=True)(url.replace("localhost", "127.0.0.1") + "/set")
