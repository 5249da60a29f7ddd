"""A guard and the log of acceptances, behind a real server."""

from __future__ import annotations

import httpx
import pytest

from immure.digest import signed_digest
from immure.integrations.asgi import Protect
from immure.tokens.acceptance.log import AcceptanceLog, Keeping
from immure.tokens.acceptance.reader import read_decisions
from integrations.doors import GOOD, bearer, guard
from integrations.serving import asgi_server
from tokens.minting import MAIL, Mint

THIEF = Mint(key="Ed25519:consumer").token()


async def inside(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


@pytest.mark.parametrize(("how", "durable"), [("record", "write"), ("arecord", "fsync")])
def test_every_token_is_in_the_log_before_its_request_is_answered(tmp_path, how, durable):
    with (
        AcceptanceLog(tmp_path, Keeping(durable=durable, sync_every=0.001)) as log,
        asgi_server(Protect(inside, guard(record=getattr(log, how))), lifespan="off") as address,
    ):
        for token, status in ((GOOD, 200), (THIEF, 401), ("garbage", 401)):
            assert httpx.get(address + "/me", headers=bearer(token)).status_code == status
            assert [row.rule for row in read_decisions(tmp_path)][-1] == {
                GOOD: "",
                THIEF: "key-issuer",
                "garbage": "token-form",
            }[token]
    rows = list(read_decisions(tmp_path))
    assert [row.verdict for row in rows] == ["accepted", "refused", "refused"]
    assert rows[0].digest == signed_digest(GOOD.rpartition(".")[0].encode())
    assert {(row.relying_party, row.channel) for row in rows} == {(MAIL, "http")}


def test_a_log_that_cannot_be_written_lets_nobody_in(tmp_path):
    log = AcceptanceLog(tmp_path)
    with asgi_server(Protect(inside, guard(record=log.record)), lifespan="off") as address:
        assert httpx.get(address + "/me", headers=bearer(GOOD)).status_code == 200
        log.close()
        got = httpx.get(address + "/me", headers=bearer(GOOD))
    assert (got.status_code, got.json()["code"]) == (503, "acceptance-log")
    assert "retry-after" in got.headers
