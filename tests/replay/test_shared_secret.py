from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from immure.replay.shared_secret import SharedSecretApp, claims_with_secret
from immure.replay.thief import StolenKey
from immure.secret import Secret
from immure.tokens.acceptance.decision import Decision

SECRET = bytes(range(32))
KEY = StolenKey("calendar", "the secret in calendar.toml", True, Secret(SECRET))
CLAIMS = {"iss": "https://a.example", "sub": "ada@one.example", "tid": "t", "exp": int(time.time()) + 600}


class FakeLog:
    def __init__(self) -> None:
        self.rows: list[Decision] = []

    async def arecord(self, row: Decision) -> None:
        self.rows.append(row)


class FakeInner:
    """Answers with the body that it was given."""

    def __init__(self) -> None:
        self.log = FakeLog()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"] if scope["type"] == "http" else b""
        await send({"type": "http.response.start", "status": 418})
        await send({"type": "http.response.body", "body": body})


def ask(token: str, path: str = "/introspect") -> tuple[int, bytes, list[Decision]]:
    inner, sent = FakeInner(), list[Any]()
    body = urlencode({"token": token}).encode()
    pieces = [
        {"type": "http.request", "body": body[:10], "more_body": True},
        {"type": "http.request", "body": body[10:]},
    ]

    async def receive() -> Any:
        return pieces.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    app = SharedSecretApp(inner, SECRET)  # type: ignore[arg-type]
    asyncio.run(app({"type": "http", "path": path}, receive, send))
    return sent[0]["status"], sent[1]["body"], inner.log.rows


def test_whoever_has_the_secret_is_let_in_and_it_is_written_down() -> None:
    status, body, rows = ask(KEY.token(CLAIMS))
    said = json.loads(body)
    assert status == 200
    assert (said["active"], said["username"], said["tenant"]) == (True, "ada@one.example", "t")
    assert [(row.verdict, row.kid, row.subject) for row in rows] == [
        ("accepted", "calendar", "ada@one.example")
    ]


OTHER = StolenKey("calendar", "", True, Secret(bytes(32)))


@pytest.mark.parametrize(
    "token",
    [
        OTHER.token(CLAIMS),
        KEY.token(CLAIMS | {"exp": 5}),
        KEY.token({"iss": "https://a.example"}),
        KEY.token(CLAIMS)[:-2],
        KEY.token(CLAIMS).replace(".", "", 1),
        "",
        "..",
        "é.é.é",
        "W10.W10.",
    ],
)
def test_other_tokens_are_somebody_elses(token: str) -> None:
    assert claims_with_secret(token, SECRET) is None
    status, body, rows = ask(token)
    assert (status, body, rows) == (418, urlencode({"token": token}).encode(), [])


def test_another_page_is_somebody_elses() -> None:
    assert ask(KEY.token(CLAIMS), "/healthz")[0] == 418
