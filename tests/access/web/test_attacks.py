"""Everything that is sent to the page and should not be: one table, with the status that answers it.

After each row nothing was begun, the log has no new entry, and an honest form is taken.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from access.rooms import World
from access.web.client import ASK, FORM, ORIGIN, Client
from immure.access.web import wire
from immure.access.web.app import AccessApp
from immure.introspection import protocol
from servers.asgi import serving

Send = Callable[[Client], httpx.Response]


def form(path: str = "/do/request", method: str = "POST", **changes: str | None) -> Send:
    """An honest form, but for header fields: another value, or (None) none."""

    def send(client: Client) -> httpx.Response:
        fields = {"origin": ORIGIN, **{name.replace("_", "-"): value for name, value in changes.items()}}
        known = {name: value for name, value in fields.items() if value is not None}
        return client.send(method, path, data={**ASK, "token": client.token()}, headers=known)

    return send


def body(content: bytes, kind: str | None = FORM) -> Send:
    """An honest request with another body, of another type; ``@`` in it stands for the token."""

    def send(client: Client) -> httpx.Response:
        fields = {"origin": ORIGIN, **({} if kind is None else {"content-type": kind})}
        sent = content.replace(b"@", client.token().encode())
        return client.send("POST", "/do/request", content=sent, headers=fields)

    return send


def fields(*pairs: tuple[str, str]) -> Send:
    """An honest form with more header fields, also of a name that is there already."""

    def send(client: Client) -> httpx.Response:
        token = client.token()
        cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
        sent = httpx.QueryParams({**ASK, "token": token}).__str__()
        known = [("origin", ORIGIN), ("content-type", FORM), ("cookie", cookie), *pairs]
        client.cookies, kept = {}, client.cookies
        answer = client.send("POST", "/do/request", content=sent, headers=known)
        client.cookies = {**kept, **client.cookies}
        return answer

    return send


def _without_token(client: Client) -> httpx.Response:
    client.token()
    return client.send("POST", "/do/request", data=ASK, headers={"origin": ORIGIN})


def _token_of_another(client: Client) -> httpx.Response:
    token = Client(client.world).token()
    return client.send("POST", "/do/request", data={**ASK, "token": token}, headers={"origin": ORIGIN})


def _without_cookies(client: Client) -> httpx.Response:
    token, kept = client.token(), dict(client.cookies)
    client.cookies.clear()
    answer = client.send("POST", "/do/request", data={**ASK, "token": token}, headers={"origin": ORIGIN})
    client.cookies.update(kept)
    return answer


def _after_restart(client: Client) -> httpx.Response:
    token = client.token()
    client.app = AccessApp(client.world.door)
    return client.send("POST", "/do/request", data={**ASK, "token": token}, headers={"origin": ORIGIN})


def _get(path: str, **given: str) -> Send:
    return lambda client: client.get(
        path, headers={name.replace("_", "-"): one for name, one in given.items()}
    )


def _method(method: str, path: str = "/do/request") -> Send:
    return lambda client: client.send(method, path, headers={"origin": ORIGIN})


ATTACKS: dict[str, tuple[Send, int]] = {
    # forged forms (CSRF)
    "no token": (_without_token, 403),
    "an empty token": (body(b"token=&resource=room%3Adebug"), 403),
    "the token of another visit": (_token_of_another, 403),
    "no cookies": (_without_cookies, 403),
    "after a restart": (_after_restart, 403),
    "no origin": (form(origin=None), 403),
    "another origin": (form(origin="https://evil.example"), 403),
    "a null origin": (form(origin="null"), 403),
    "a tool's origin": (form(origin="https://debug.prod.example"), 403),
    "an origin below ours": (form(origin="https://x.access.prod.example"), 403),
    "an origin that begins as ours": (form(origin="https://access.prod.example.evil.example"), 403),
    "our origin with a port": (form(origin="https://access.prod.example:8443"), 403),
    "our origin in capitals": (form(origin="https://ACCESS.prod.example"), 403),
    "the origin without TLS": (form(origin="http://access.prod.example"), 403),
    "two origins in one": (form(origin=f"{ORIGIN} https://evil.example"), 403),
    "two origins": (fields(("origin", "https://evil.example")), 400),
    "the referrer is ours, the origin is not there": (form(origin=None, referer=f"{ORIGIN}/"), 403),
    "cross-site, says the browser": (form(sec_fetch_site="cross-site"), 403),
    "same-site only": (form(sec_fetch_site="same-site"), 403),
    "asked for by hand, says the browser": (form(sec_fetch_site="none"), 403),
    "a deed by GET begins nothing": (_get("/do/approve?request=aaaaaaaaaaaaaaaa&token=x"), 200),
    "a response by GET": (_get("/complete?response=%7B%7D"), 405),
    "signing out by GET": (_get("/sign-out"), 405),
    # other hosts (DNS rebinding, poisoned links)
    "another host": (form(host="evil.example"), 421),
    "another host, to look": (_get("/", host="evil.example"), 421),
    "an address as host": (_get("/", host="10.0.0.5"), 421),
    "a host that ends as ours": (_get("/", host="xaccess.prod.example"), 421),
    "a host that begins as ours": (_get("/", host="access.prod.example.evil.example"), 421),
    "our host with another port": (_get("/", host="access.prod.example:8443"), 421),
    "an empty host": (_get("/", host=""), 421),
    "another host, for a file": (_get("/assets/room.js", host="evil.example"), 421),
    "two hosts": (fields(("host", "access.prod.example"), ("host", "evil.example")), 400),
    "another host in a field that proxies write": (_get("/", x_forwarded_host="evil.example"), 200),
    # bodies of other types and sizes
    "JSON": (body(b'{"token":"@"}', "application/json"), 415),
    "plain text, as a form can send it": (body(b"token=@&resource=room%3Adebug", "text/plain"), 415),
    "a form of many parts": (body(b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"), 415),
    "no type": (body(b"token=@", None), 415),
    "two types": (fields(("content-type", "text/plain")), 415),
    "a type that begins as that of forms": (body(b"token=@", f"{FORM}x"), 415),
    "too long": (body(b"token=@&purpose=" + b"x" * wire.MOST_BODY), 413),
    "too many fields": (body(b"token=@" + b"".join(b"&f%d=1" % n for n in range(wire.MOST_FIELDS))), 400),
    "a field twice": (body(b"token=@&token=@"), 400),
    "no form": (body(b"\xff\xfe\x00"), 400),
    "a form that is no UTF-8": (body(b"token=@&purpose=%ff%fe"), 400),
    "half a surrogate": (body(b"token=@&purpose=%ed%a0%80"), 400),
    "a field without a value": (body(b"token=@&purpose"), 400),
    "an empty body": (body(b""), 403),
    "a long query": (_get("/do/request?purpose=" + "x" * (wire.MOST_QUERY + 1)), 414),
    "a query that cannot be read": (_get("/do/request?x&y"), 400),
    "a member of the query twice": (_get("/do/approve?request=a&request=b"), 400),
    # methods and paths
    "PUT": (_method("PUT"), 405),
    "DELETE": (_method("DELETE"), 405),
    "OPTIONS, before a form from elsewhere": (_method("OPTIONS"), 405),
    "TRACE": (_method("TRACE", "/"), 405),
    "a method of somebody's own": (_method("BREW", "/"), 405),
    "POST where one only looks": (form("/people"), 405),
    "a path out of the files": (_get("/assets/..%2f..%2fetc%2fpasswd"), 404),
    "a deed that is none": (form("/do/__class__"), 404),
    "a deed without a name": (form("/do/"), 404),
    "a page that is none": (_get("/door.db"), 404),
    "the set-up of a room that is open": (form("/set-up"), 403),
    "a founder of a room that is open": (form("/founder"), 403),
    "founding a room that is open": (form("/do/found"), 403),
    "a founder's key for a room that is open": (form("/do/founding-key"), 403),
}  # fmt: skip


@pytest.mark.parametrize("case", ATTACKS)
def test_attacks(world: World, case: str) -> None:
    client = Client(world).sign_in()
    entries, waiting = len(world.door.log), ceremonies(world)
    send, status = ATTACKS[case]
    answer = send(client)
    assert answer.status_code == status, answer.text
    assert 'id="sign"' not in answer.text
    assert "evil.example" not in answer.text
    assert (len(world.door.log), ceremonies(world)) == (entries, waiting)
    framed(answer)
    if status < 500:
        assert client.post("/do/request", **ASK).status_code == 200  # with all of it


def ceremonies(world: World) -> int:
    return int(world.door._store.rows.database.execute("SELECT count(*) FROM ceremonies").fetchone()[0])


def framed(answer: httpx.Response) -> None:
    """Whatever is answered, it is in nobody's frame, is kept nowhere, and is what it says."""
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


# --- what a client of HTTP would not send ---


@pytest.fixture
def port(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The page, served; it waits for less long than it usually does."""
    monkeypatch.setattr(wire, "PATIENCE", 0.2)
    monkeypatch.setattr(protocol, "PATIENCE", 0.5)
    with serving(AccessApp(world.door)) as number:
        yield number


HEAD = b"POST /do/request HTTP/1.1\r\nHost: access.prod.example\r\nOrigin: https://access.prod.example\r\n"
TYPE = b"Content-Type: application/x-www-form-urlencoded\r\n"
LOOK = b"GET / HTTP/1.1\r\nHost: access.prod.example\r\n"
#: What is sent, and the status; None: the connection ends without one.
RAW: dict[str, tuple[bytes, int | None]] = {
    "a body that does not come": (HEAD + TYPE + b"Content-Length: 100\r\n\r\n", 408),
    "half a body": (HEAD + TYPE + b"Content-Length: 100\r\n\r\ntoken=x", 408),
    "chunks that do not come": (HEAD + TYPE + b"Transfer-Encoding: chunked\r\n\r\n5\r\ntoken\r\n", 408),
    "a length that is too much, and no body": (HEAD + TYPE + b"Content-Length: 99999999\r\n\r\n", 413),
    "chunks that are too much": (
        HEAD + TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 9,
        413,
    ),
    "a head that does not end": (LOOK, None),
    "a head that is too long": (LOOK + b"X: " + b"x" * (256 << 10) + b"\r\n\r\n", None),
    "a length that is no number": (HEAD + TYPE + b"Content-Length: -1\r\n\r\n", 400),
    "two lengths": (HEAD + TYPE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    "a length and chunks": (
        HEAD + TYPE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    ),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 421),
    "no host, of old": (b"GET / HTTP/1.0\r\n\r\n", 421),
    "a whole address, and another host": (
        b"GET https://access.prod.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421,
    ),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: access.prod.example\r\n\r\n", 400),
    "a path of two slashes": (b"GET //evil.example/ HTTP/1.1\r\nHost: access.prod.example\r\n\r\n", 404),
    "another protocol": (
        LOOK + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 200,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RAW)
def test_what_no_browser_sends(world: World, port: int, case: str) -> None:
    sent, status = RAW[case]
    entries = len(world.door.log)
    begun = time.monotonic()
    answer = exchange(port, sent)
    found = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)
    assert (int(found[1]) if found else None) == status, answer[:400]
    assert time.monotonic() - begun < 20
    assert status not in (408, 413) or b"\r\nconnection: close\r\n" in answer.lower()  # no more is read
    assert len(re.findall(rb"HTTP/1\.[01] [0-9]{3} ", answer)) <= 1  # the rest is no second request
    assert len(world.door.log) == entries
    honest = exchange(port, LOOK + b"Connection: close\r\n\r\n")
    assert honest.startswith(b"HTTP/1.1 200 ")


def exchange(port: int, data: bytes) -> bytes:
    """All that a connection answers until it ends, or says nothing more for a while."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(3)
            while part := connection.recv(1 << 16):
                answer += part
                connection.settimeout(0.6)
        except (TimeoutError, ConnectionError):
            pass
    return bytes(answer)


def test_many_slow_ones_keep_nobody_out(world: World, port: int) -> None:
    """A hundred bodies that do not come; who comes meanwhile is answered."""
    slow = []
    for _ in range(100):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(HEAD + TYPE + b"Content-Length: 100\r\n\r\n")
        slow.append(connection)
    assert exchange(port, LOOK + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    for connection in slow:
        connection.settimeout(10)
        assert connection.recv(16).startswith(b"HTTP/1.1 408 ")
        connection.close()


@pytest.mark.parametrize(
    "path", ["/do/request", "/do/approve", "/do/break-glass", "/do/revoke", "/do/retire"]
)
def test_nothing_is_begun_without_signing_in(world: World, path: str) -> None:
    client = Client(world)
    assert client.get(path).status_code == 303
    assert client.post(path, **ASK).status_code == 403
