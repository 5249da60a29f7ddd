"""Whatever is sent, the answer is one of those that are documented, and nothing else is raised."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from immure.introspection.app import IntrospectionApp, application
from immure.introspection.journal import Journal
from immure.tokens.acceptance.keeping import Keeping
from introspection.running import SECRET, basic, running, settings
from tokens.minting import NOW, Mint

GOOD = Mint().token().encode()
STATUSES = {200, 400, 401, 403, 404, 405, 413, 415}
BASIC = basic("mail", SECRET)[1].encode()
#: What h11 and llhttp let through in the value of a header.
VALUE = st.binary(max_size=60).map(lambda data: data.translate(None, b"\r\n\x00"))
HEADER = st.one_of(
    st.tuples(st.just(b"authorization"), st.one_of(VALUE, VALUE.map(lambda value: b"Bearer " + value))),
    st.tuples(st.just(b"authorization"), st.sampled_from([BASIC, b"Bearer " + GOOD])),
    st.tuples(st.just(b"content-type"), st.one_of(VALUE, st.just(b"application/x-www-form-urlencoded"))),
    st.tuples(st.just(b"content-length"), st.one_of(VALUE, st.integers(0, 10**12).map(lambda n: b"%d" % n))),
    st.tuples(st.just(b"client-cert"), VALUE),
)
BODY = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=50).map(lambda junk: b"token=" + GOOD + junk),
    st.just(b"token=" + GOOD),
    st.just(b"token=" + b"x" * (33 << 10)),
)
PATH = st.one_of(st.sampled_from([b"/introspect", b"/auth/web", b"/auth/web/a", b"/healthz", b"/"]), VALUE)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntrospectionApp]:
    given = settings(tmp_path_factory.mktemp("hostile") / "log", certificate_header="client-cert")
    made = application(given, journal=Journal(io.StringIO()), time=lambda: NOW)
    yield made
    assert made.log is not None
    made.log.close()


async def ask(app: IntrospectionApp, scope: dict[str, Any], parts: list[bytes]) -> tuple[int, bytes]:
    """Status and body; the whole body of the request comes before its end is known."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]
    for name, value in sent[0]["headers"]:
        assert name.isascii()
        assert value.isascii()
        assert not set(value) & set(b"\r\n\x00")
    return sent[0]["status"], sent[1]["body"]


@bounds(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["POST", "GET", "PUT"]), PATH, st.lists(HEADER, max_size=5), st.lists(BODY, max_size=3)
)
def test_any_request(
    app: IntrospectionApp, method: str, path: bytes, headers: list[tuple[bytes, bytes]], parts: list[bytes]
):
    scope = {"type": "http", "method": method, "raw_path": path, "headers": headers}
    status, body = asyncio.run(ask(app, scope, parts))
    assert status in STATUSES
    if path == b"/introspect" and status == 200:
        assert (b"authorization", BASIC) in headers
        assert body == b'{"active":false}' or json.loads(body)["sub"] == "mailbox-7"
    if path.startswith(b"/auth/web") and status == 200:
        assert (b"authorization", b"Bearer " + GOOD) in headers


def test_a_server_that_does_not_tell_the_raw_path(app: IntrospectionApp):
    headers = [(b"authorization", b"Bearer " + GOOD)]
    scope = {"type": "http", "method": "GET", "path": "/auth/web/\u00e4", "headers": headers}
    assert asyncio.run(ask(app, scope, []))[0] == 200


def test_whoever_goes_away_in_the_middle(app: IntrospectionApp):
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", BASIC), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "raw_path": b"/introspect", "headers": headers}
    asyncio.run(app(scope, gone, send))
    assert sent[0]["status"] == 400


def test_answers_wait_for_the_disk_if_they_are_to(tmp_path: Path):
    with running(settings(tmp_path / "log", keeping=Keeping("fsync"))) as up:
        for count in range(1, 4):
            assert up.introspect(GOOD.decode()).json["active"] is True
            assert up.app.log is not None
            assert up.app.log.syncs >= count
