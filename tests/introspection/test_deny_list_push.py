"""The introspection server and deny-lists: pushed, refused, followed by all workers, and none at all."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from immure.introspection.deny_list import refresh_sources
from immure.tokens.deny_list import MEDIA_TYPE, MOST_BYTES, DenyList
from immure.tokens.policy import IssuerRule
from introspection.running import SECRET, Running, basic, running, settings
from servers.program import Program, free_port
from tokens.deny_lists import NAME, entry, guard, listed, members, now, signed
from tokens.minting import ENTERPRISE, ISSUER, MAIL, Mint, T, jwk, policy

#: Lists that count at the time that the tokens of ``minting`` are made for.
THEN = {"iat": T - 100, "exp": T + 3600}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    denies = guard(tmp_path, on_expiry="keep")
    with running(settings(tmp_path / "log", policy=policy(deny_list=denies))) as one:
        yield one


def push(server: Running, text: bytes, kind: str = MEDIA_TYPE) -> Any:
    return server.ask("POST", "/deny-list", [("Content-Type", kind)], text)


def test_pushed(server: Running) -> None:
    assert server.ask("GET", "/deny-list").json == {"sequence": None}
    assert server.introspect(Mint().token()).json["active"] is True
    assert server.forward(Mint().token()).status == 200
    answer = push(server, listed(7, **THEN))
    assert answer.status == 200
    said = {"name": NAME, "sequence": 7, "issued": T - 100, "expires": T + 3600, "keys": 1}
    assert answer.json == said == server.ask("GET", "/deny-list").json
    assert server.introspect(Mint().token()).body == b'{"active":false}'
    assert server.forward(Mint().token()).status == 401
    assert [row.rule for row in server.rows()] == ["", "", "key-denied", "key-denied"]
    assert push(server, listed(7, **THEN)).json == said  # the same one again
    taken = [one for one in server.events() if one["event"] == "deny-list"]
    assert [(one["taken"], one["sequence"]) for one in taken] == [(True, 7)]
    assert "immure_decisions_total{" in server.ask("GET", "/metrics").body.decode()


def test_an_epoch(server: Running) -> None:
    push(server, listed(7, keys=[], not_before={ISSUER: T - 30}, **THEN))
    assert server.introspect(Mint().token(iat=T - 60)).body == b'{"active":false}'
    assert server.introspect(Mint().token(iat=T - 20)).json["active"] is True


REFUSED: list[tuple[str, bytes, str, int, str]] = [
    ("no list", b"deny all", MEDIA_TYPE, 400, "invalid_deny_list"),
    ("nothing", b"", MEDIA_TYPE, 400, "invalid_deny_list"),
    ("another key", signed(members(9, **THEN), "Ed25519:other"), MEDIA_TYPE, 400, "invalid_deny_list"),
    ("another list", listed(9, iss="https://other.example/", **THEN), MEDIA_TYPE, 400, "invalid_deny_list"),
    ("an older one", listed(4, keys=[], **THEN), MEDIA_TYPE, 409, "older_deny_list"),
    ("another of that number", listed(5, keys=[], **THEN), MEDIA_TYPE, 409, "older_deny_list"),
    ("as text", listed(9, **THEN), "text/plain", 415, "invalid_request"),
]


@pytest.mark.parametrize(
    ("text", "kind", "status", "error"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused(server: Running, text: bytes, kind: str, status: int, error: str) -> None:
    assert push(server, listed(5, **THEN)).status == 200
    answer = push(server, text, kind)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert server.ask("GET", "/deny-list").json["sequence"] == 5
    assert server.introspect(Mint().token()).body == b'{"active":false}'


def test_too_long(server: Running) -> None:
    """It is not read to its end: who sends it may not get the answer."""
    assert push(server, listed(5, **THEN)).status == 200
    with suppress(ConnectionError):
        assert push(server, b"a" * (MOST_BYTES + 1)).status == 413
    assert server.ask("GET", "/deny-list").json["sequence"] == 5


def test_other_methods(server: Running) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        answer = server.ask(method, "/deny-list")
        assert (answer.status, answer.header("allow")) == (405, ["GET, HEAD, POST"])


def test_a_list_that_cannot_be_kept(server: Running, tmp_path: Path) -> None:
    (tmp_path / "deny-list.jwt").mkdir()
    assert push(server, listed(5, **THEN)).status == 503


def test_no_list_where_one_is_needed(tmp_path: Path) -> None:
    """There is no verdict, so that nobody is let in, and nobody is told that his token is bad."""
    with running(settings(tmp_path / "log", policy=policy(deny_list=guard(tmp_path)))) as server:
        assert server.introspect(Mint().token()).status == 503
        assert server.forward(Mint().token()).status == 503
        assert push(server, listed(1, keys=[], **THEN)).status == 200
        assert server.introspect(Mint().token()).json["active"] is True
        assert push(server, listed(2, keys=[], iat=T - 100, exp=T - 1)).status == 200
        assert server.introspect(Mint().token()).status == 503


def test_no_page_without_a_list(tmp_path: Path) -> None:
    with running(settings(tmp_path / "log")) as server:
        assert push(server, listed()).status == 404


def test_sources_are_asked_again() -> None:
    """Those of the issuers that the list names, templates included; each once."""

    class Source:
        address = "x"

        def __init__(self) -> None:
            self.asked = 0

        def refresh(self) -> bool:
            self.asked += 1
            return True

    class Rule:
        def __init__(self, source: Any) -> None:
            self.source = source

    named, other, plain = Source(), Source(), object()
    rules: dict[str, IssuerRule] = {
        ISSUER: Rule(named), ENTERPRISE: Rule(named), "https://b.example/": Rule(other), "c": Rule(plain),
    }  # type: ignore[dict-item]  # fmt: skip
    refresh_sources(DenyList(NAME, 1, 1, 2, epochs={ENTERPRISE: 1, "c": 1}), rules)
    assert (named.asked, other.asked) == (1, 0)


_POLICY = f"""
version = 1
[sources.login]
file = "keys.json"
[issuers."{ISSUER}"]
source = "login"
audience_class = "enterprise"
[audiences]
"{MAIL}" = ["enterprise"]
[deny_list]
name = "{NAME}"
keys = "deny-list.pub"
state = "deny-list.jwt"
on_expiry = "keep"
"""
_SERVER = """
version = 1
policy = "policy.toml"
[listen]
address = "127.0.0.1:{port}"
workers = 3
[log]
off = true
[clients.mail]
audiences = ["{mail}"]
secrets = ["sha256:{digest}"]
"""


@pytest.mark.drill
def test_all_workers_follow(tmp_path: Path) -> None:
    """One of three workers takes the list; all refuse soon after."""
    from hashlib import sha256

    port, digest = free_port(), sha256(SECRET.encode()).hexdigest()
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519", issuer=ISSUER)]}))
    (tmp_path / "deny-list.pub").write_text(json.dumps(jwk("Ed25519:deny-list", issuer=None)))
    (tmp_path / "policy.toml").write_text(_POLICY)
    (tmp_path / "server.toml").write_text(_SERVER.format(port=port, mail=MAIL, digest=digest))
    command = [sys.executable, "-m", "immure", "serve", "introspection", "-c", str(tmp_path / "server.toml")]
    moment = now()
    token = Mint().token(iat=moment, nbf=moment, exp=moment + 900)
    with Program(command, log=tmp_path / "log") as program:
        program.wait_for(port)
        url = f"http://127.0.0.1:{port}"

        def active() -> bool:
            answer = httpx.post(
                f"{url}/introspect", data={"token": token}, timeout=30, headers=dict([basic("mail", SECRET)])
            )
            assert answer.status_code == 200, answer.text
            return bool(answer.json()["active"])

        assert all(active() for _ in range(6))
        headers = {"Content-Type": MEDIA_TYPE}
        body = listed(3, keys=[entry(since=moment)])
        begun = time.monotonic()
        assert (
            httpx.post(f"{url}/deny-list", content=body, headers=headers, timeout=30).json()["sequence"] == 3
        )
        while True:
            if not any(active() for _ in range(12)):
                break
            assert time.monotonic() - begun < 10
        # each request is a connection of its own, to any of the workers
        assert time.monotonic() - begun < 10


def test_nothing_runs_in_the_loop(tmp_path: Path) -> None:
    """Looking at the file happens in the check itself, a few times a second; a test of the time it takes."""
    denies = guard(tmp_path, on_expiry="keep")
    begun = time.perf_counter()
    for _ in range(200):
        denies.look(now=True)
    assert (time.perf_counter() - begun) / 200 < 0.005
