"""Which addresses are connected to, and that they are those of whom TLS says they are."""

from __future__ import annotations

import json
import socket
from ipaddress import ip_address

import pytest

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import split_url
from immure.tokens.sources import DiscoverySource, HttpsPages
from immure.tokens.sources.fetch import _PageFetcher

from .imagined import jwks
from .server import answer, certificates, running


@pytest.mark.parametrize(
    ("address", "private_allowed"),
    [
        ("10.0.0.1", True),
        ("192.168.1.1", True),
        ("172.16.0.1", True),
        ("100.64.0.1", True),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("169.254.169.254", False),
        ("169.254.1.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::169.254.169.254", False),
        ("2002:a9fe:a9fe::1", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("0.0.0.0", False),
        ("::", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
    ],
)
def test_addresses_that_are_never_asked_and_those_that_may_be_allowed(address, private_allowed):
    parts = split_url("https://keys.example/", allow_loopback=False)
    assert not _PageFetcher()._may_connect(ip_address(address), parts)
    assert _PageFetcher(allow_private_hosts=True)._may_connect(ip_address(address), parts) is private_allowed


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[tuple[str, int]]) -> list[object]:
    """Lets names lead to these addresses: the first answer at first, and so on, the last for ever."""
    asked: list[object] = []
    left = list(answers)

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in one[0] else socket.AF_INET, socket.SOCK_STREAM, 6, "", one)
            for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.100.100.200", "0.0.0.0"]
)
def test_a_name_that_leads_to_a_private_address_is_not_connected_to(monkeypatch, address):
    resolve_to(monkeypatch, [(address, 443)])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(KeySourceError, match=f"its address {address} is not public"):
        HttpsPages().fetch("https://keys.example/set")


# --- TLS, and names that change their address ---


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls"), "keys.example")


def test_the_address_that_was_checked_is_connected_to_under_the_name_that_was_asked_for(
    authority, monkeypatch
):
    ca, context = authority
    with running(context) as good, running(context) as evil:
        for each, kid in ((good, "a"), (evil, "evil")):
            each.answers["/set"] = answer(jwks(kid))
        asked = resolve_to(monkeypatch, [("127.0.0.1", good.port)], [("127.0.0.1", evil.port)])
        fetcher = HttpsPages(allow_private_hosts=True, ca_file=str(ca), seconds=5)
        assert [one["kid"] for one in json.loads(fetcher.fetch("https://keys.example/set").data)["keys"]] == [
            "a"
        ]
        assert (asked, good.names + evil.names, evil.requests) == (["keys.example"], ["keys.example"], [])
        assert "Host: keys.example\r\n" in good.requests[0]


def test_of_several_addresses_only_those_that_may_be_are_tried(authority, monkeypatch):
    ca, context = authority
    with running(context) as server:
        server.answers["/set"] = answer(b"here")
        resolve_to(monkeypatch, [("169.254.169.254", 443), ("fe80::1", 443), ("127.0.0.1", server.port)])
        fetcher = HttpsPages(allow_private_hosts=True, ca_file=str(ca), seconds=5)
        assert fetcher.fetch("https://keys.example/set").data == b"here"


def test_tls_is_verified(authority, monkeypatch, tmp_path):
    ca, context = authority
    with running(context) as server:
        server.answers["/set"] = answer(b"here")
        resolve_to(monkeypatch, [("127.0.0.1", server.port)])
        strangers, _ = certificates(tmp_path, "keys.example")
        for file, name in (
            (None, "keys.example"),
            (str(strangers), "keys.example"),
            (str(ca), "other.example"),
        ):
            fetcher = HttpsPages(allow_private_hosts=True, ca_file=file, seconds=5)
            with pytest.raises(KeySourceError, match="certificate is not trusted"):
                fetcher.fetch(f"https://{name}/set")
        with pytest.raises(KeySourceError, match="No such file"):
            HttpsPages(allow_private_hosts=True, ca_file="/nonexistent").fetch("https://keys.example/set")
        assert server.requests == []


def test_a_handshake_that_never_ends(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        resolve_to(monkeypatch, [silent.getsockname()])
        with pytest.raises(KeySourceError, match="no answer"):
            HttpsPages(allow_private_hosts=True, seconds=0.3).fetch("https://keys.example/set")


def test_discovery_over_tls_from_end_to_end(authority, monkeypatch):
    ca, context = authority
    with running(context) as server:
        document = {"issuer": "https://keys.example", "jwks_uri": "https://keys.example/set"}
        server.answers["/.well-known/oauth-authorization-server"] = answer(json.dumps(document).encode())
        server.answers["/set"] = answer(jwks("a"), "Cache-Control: max-age=3600")
        resolve_to(monkeypatch, [("127.0.0.1", server.port)])
        fetcher = HttpsPages(allow_private_hosts=True, ca_file=str(ca), seconds=5)
        made = DiscoverySource("https://keys.example", fetcher=fetcher)
        assert made.find("a").scope.issuer == "https://keys.example"
        assert [request.split(" ")[1] for request in server.requests] == [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/set",
        ]
