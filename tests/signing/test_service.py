"""The signing service: who gets which token, what it says, and that it is in the ledger before it leaves."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from immure.auditlog import AuditLog
from immure.digest import signed_digest
from immure.ledger.sqlite_store import SqliteLedger
from immure.ledger.verify import verify_ledger
from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
from immure.tokens.errors import KeyIssuerError, TokenError
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from signing.house import (
    ACCESS,
    BEARER,
    CALENDAR,
    CONSUMER,
    CONTOSO,
    ENTERPRISE,
    EXCHANGE,
    MAIL,
    OUTLOOK,
    SECRET,
    SETTINGS,
    House,
    claims_of,
)
from signing.sharing import Shared
from tokens.minting import Mint, jwk

DAEMON, PHONE, WEB = ("daemon", SECRET), ("phone", SECRET), ("web", SECRET)
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def credentials(client, who=DAEMON, issuer=ENTERPRISE, **more: str):
    data = {"grant_type": "client_credentials", **more}
    return await client.post(f"{issuer}/token", data=data, auth=who)


def test_a_token(house: House, run) -> None:
    """RFC 9068; it verifies by the published key set, and its row is in the ledger."""

    async def work(client, service):
        answer = await credentials(client)
        keys = (await client.get(f"{ENTERPRISE}/jwks")).json()
        return answer, keys

    answer, keys = run(house, work)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "mail.read")
    source = StaticSource(KeySet.from_jwks(keys, "jwks"))
    rule = IssuerRule(source, "enterprise")
    policy = Policy({ENTERPRISE: rule}, {MAIL: {"enterprise"}}, token_type="at+jwt")
    claims = Validator(policy).validate(body["access_token"])
    assert claims["sub"] == claims["client_id"] == "daemon"
    assert (claims["tid"], claims["scope"], claims["aud"]) == (CONTOSO, "mail.read", MAIL)
    with SqliteLedger(house.directory / "ledger.db") as store:
        ((sequence, row),) = store.rows(ENTERPRISE, 1, 9)
        assert (sequence, row.digest) == (1, signed_digest(body["access_token"].rpartition(".")[0].encode()))
        assert (row.kid, row.client, row.tenant) == ("enterprise-0001", "daemon", CONTOSO)
        entries = AuditLog.open(house.directory / "ledger-log").entries()
        assert [one.rows for one in verify_ledger(store, entries)] == [1]


def test_a_key_of_the_custody_that_is_not_the_one_in_the_registry(house: House, run) -> None:
    """After a change of custody another key may have its name: nobody could verify what it signs."""
    from immure.custody.generate import generate

    async def work(client, service):
        return await credentials(client)

    assert run(house, work).status_code == 200
    other = house.directory / "another.pem"
    generate(other, "ES256")
    (place,) = house.directory.rglob("enterprise-0001.pem")
    place.write_bytes(other.read_bytes())
    answer = run(house, work)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    with SqliteLedger(house.directory / "ledger.db") as store:
        assert len(list(store.rows(ENTERPRISE, 1, 9))) == 1


def test_issuers_have_nothing_in_common(house: House, run) -> None:
    """Each has its own keys; a relying party that has pooled them still refuses the other's."""

    async def work(client, service):
        sets = [(await client.get(f"{issuer}/jwks")).json()["keys"] for issuer in (CONSUMER, ENTERPRISE)]
        token = (await credentials(client, PHONE, CONSUMER)).json()["access_token"]
        documents = [
            (await client.get(f"{issuer}/.well-known/openid-configuration")).json()
            for issuer in (CONSUMER, ENTERPRISE)
        ]
        same = (await client.get("/.well-known/oauth-authorization-server/consumer")).json()
        return sets, token, documents, same

    (consumer, enterprise), token, documents, same = run(house, work)
    assert [key["issuer"] for key in consumer] == [CONSUMER]
    assert [key["issuer"] for key in enterprise] == [ENTERPRISE]
    assert not {key["kid"] for key in consumer} & {key["kid"] for key in enterprise}
    assert [one["issuer"] for one in documents] == [CONSUMER, ENTERPRISE]
    assert documents[0] == same
    pooled = StaticSource(KeySet.from_jwks({"keys": consumer + enterprise}, "pooled"))
    policy = Policy(
        {
            ENTERPRISE: IssuerRule(pooled, "enterprise"),
            CONSUMER: IssuerRule(pooled, "consumer"),
        },
        {MAIL: {"enterprise"}, OUTLOOK: {"consumer"}},
    )
    assert Validator(policy).validate(token)["iss"] == CONSUMER
    with pytest.raises(TokenError) as caught:
        Validator(policy).validate(token, audience=MAIL)
    assert caught.value.code == "token-audience"
    assert KeyIssuerError.code == "key-issuer"


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("no grant", {"data": {}}, 400, "invalid_request"),
    ("an unknown grant", {"data": {"grant_type": "password"}}, 400, "unsupported_grant_type"),
    ("a grant that the client has not", {"auth": WEB}, 400, "unauthorized_client"),
    ("a client of the other issuer", {"auth": PHONE}, 401, "invalid_client"),
    ("a wrong secret", {"auth": ("daemon", "wrong")}, 401, "invalid_client"),
    ("nobody", {"auth": None}, 401, "invalid_client"),
    ("a consumers' audience", {"more": {"resource": OUTLOOK}}, 400, "invalid_target"),
    ("an audience that nobody knows", {"more": {"resource": "https://x"}}, 400, "invalid_target"),
    ("a scope that the client has not", {"more": {"scope": "mail.send"}}, 400, "invalid_scope"),
    ("a scope of another audience", {"more": {"scope": "calendar.read"}}, 400, "invalid_scope"),
    ("an empty scope", {"more": {"scope": " "}}, 400, "invalid_scope"),
    ("an unbound client that must be", {"auth": ("bound", SECRET)}, 400, "invalid_dpop_proof"),
    ("a proof that is none", {"headers": {"dpop": "x"}}, 400, "invalid_dpop_proof"),
    ("a parameter twice", {"content": "grant_type=a&grant_type=b"}, 400, "invalid_request"),
    ("JSON", {"content": "{}", "headers": {"content-type": "application/json"}}, 415, "invalid_request"),
    ("a body that is too long", {"content": "a=" + "b" * 70_000}, 413, "invalid_request"),
    ("another method", {"method": "GET"}, 405, "invalid_request"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "request_", "status", "error"), REFUSED, ids=[one[0] for one in REFUSED])
def test_refused(shared: Shared, what: str, request_: dict[str, Any], status: int, error: str) -> None:
    async def work(client, service):
        given = dict(request_)
        method, more = given.pop("method", "POST"), given.pop("more", {})
        if "content" not in given:
            given.setdefault("data", {"grant_type": "client_credentials", **more})
        headers = {"content-type": "application/x-www-form-urlencoded", **given.pop("headers", {})}
        auth = given.pop("auth", DAEMON)
        return await client.request(method, f"{ENTERPRISE}/token", headers=headers, auth=auth, **given)

    with SqliteLedger(shared.house.directory / "ledger.db") as store:
        before = sum(one.last for one in store.standings())
        answer = shared(work)
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert sum(one.last for one in store.standings()) == before


def test_an_assertion_is_taken_once(tmp_path, run) -> None:
    house = House(tmp_path, signer={"keys": [jwk("ES256", issuer=None)]})
    now = int(time.time())
    claims = {"iss": "signer", "sub": "signer", "aud": f"{ENTERPRISE}/token", "iat": now, "exp": now + 60}
    token = Mint("ES256", "ES256").token(**claims, jti="1", tid=None, nbf=None)
    wrong = Mint("ES256:other", "ES256", header={"kid": "ES256"}).token(**claims, jti="2", tid=None, nbf=None)

    async def ask(client, assertion):
        data = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }
        return await client.post(f"{ENTERPRISE}/token", data=data)

    async def work(client, service):
        return [await ask(client, one) for one in (token, token, wrong)]

    answers = run(house, work)
    assert [one.status_code for one in answers] == [200, 401, 401]

    async def again(client, service):
        return await ask(client, token)

    assert run(house, again).status_code == 401  # nor by another process of the service


def test_exchange(shared: Shared) -> None:
    async def exchange(client, token, **more):
        data = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS, **more}
        return await client.post(f"{ENTERPRISE}/token", data=data, auth=DAEMON)

    async def work(client, service):
        own = (await credentials(client, resource=CALENDAR)).json()["access_token"]
        good = await exchange(client, own, audience=MAIL)
        more = await exchange(client, own, audience=MAIL, scope="mail.send")
        consumer = (await credentials(client, PHONE, CONSUMER)).json()["access_token"]
        crossed = await exchange(client, consumer)
        garbage = await exchange(client, "a.b.c")
        twice = await exchange(client, good.json()["access_token"])
        await client.post(f"{ENTERPRISE}/revoke", data={"token": own}, auth=DAEMON)
        revoked = await exchange(client, own)
        return good, more, crossed, garbage, twice, revoked

    good, more, crossed, garbage, twice, revoked = shared(work)
    assert good.status_code == 200
    assert good.json()["issued_token_type"] == ACCESS
    claims = claims_of(good.json()["access_token"])
    assert (claims["aud"], claims["scope"], claims["act"]) == (MAIL, "mail.read", {"sub": "daemon"})
    assert more.json()["error"] == "invalid_scope"
    assert [one.json()["error"] for one in (crossed, garbage, revoked)] == ["invalid_grant"] * 3
    assert claims_of(twice.json()["access_token"])["act"] == {"sub": "daemon", "act": {"sub": "daemon"}}


BEARERS: list[tuple[str, dict[str, Any], int]] = [
    ("good", {}, 200),
    ("about somebody else", {"sub": "eve"}, 400),
    ("of an issuer that nobody knows", {"iss": "https://evil.example"}, 400),
    ("for somebody else", {"aud": "https://other.example"}, 400),
    ("expired", {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}, 400),
    ("without exp", {"exp": None}, 400),
    ("valid for more than an hour", {"exp": int(time.time()) + 40_000}, 400),
    ("bound to a key", {"cnf": {"jkt": "x"}}, 400),
    ("with the name of a client", {"sub": "daemon"}, 400),
]


@pytest.mark.parametrize(("what", "changes", "status"), BEARERS, ids=[one[0] for one in BEARERS])
def test_assertions_of_another_issuer(
    shared: Shared, what: str, changes: dict[str, Any], status: int
) -> None:
    now = int(time.time())
    claims = {
        "iss": "https://idp.contoso.example",
        "sub": "ada",
        "aud": ENTERPRISE,
        "iat": now,
        "exp": now + 300,
        "tid": None,
        "nbf": None,
        "jti": "1",
    } | changes
    token = Mint("ES256", "ES256").token(**claims)

    async def work(client, service):
        data = {"grant_type": BEARER, "assertion": token}
        return [await client.post(f"{ENTERPRISE}/token", data=data, auth=DAEMON) for _ in range(2)]

    first, second = shared(work)
    assert first.status_code == status
    assert second.json()["error"] == "invalid_grant"
    if status == 200:
        claims = claims_of(first.json()["access_token"])
        assert (claims["sub"], claims["tid"], claims["client_id"]) == ("ada", CONTOSO, "daemon")


def test_an_assertion_about_somebody_who_fits_in_no_row(tmp_path, run) -> None:
    """It is the request that is wrong: nobody should ask again, and nothing of ours has failed."""
    text = SETTINGS.replace('subjects = ["ada"]\n', "")
    house = House(tmp_path, text, idp={"keys": [jwk("ES256", issuer=None)]})
    now = int(time.time())

    async def work(client, service):
        answers = []
        for name in ("x" * 3000, "a\0b"):
            claims = {"iss": "https://idp.contoso.example", "aud": ENTERPRISE, "iat": now, "exp": now + 300}
            token = Mint("ES256", "ES256").token(**claims, sub=name, tid=None, nbf=None, jti=name)
            data = {"grant_type": BEARER, "assertion": token}
            answers.append(await client.post(f"{ENTERPRISE}/token", data=data, auth=DAEMON))
        return answers

    answers = run(house, work)
    assert [one.json()["error"] for one in answers] == ["invalid_grant"] * 2


def test_introspection_and_revocation(shared: Shared) -> None:
    async def seen(client, token, auth=DAEMON):
        return (await client.post(f"{ENTERPRISE}/introspect", data={"token": token}, auth=auth)).json()

    async def work(client, service):
        token = (await credentials(client)).json()["access_token"]
        before = await seen(client, token)
        others = await seen(client, token, WEB)
        not_mine = await client.post(f"{ENTERPRISE}/revoke", data={"token": token}, auth=WEB)
        still = await seen(client, token)
        revoked = await client.post(f"{ENTERPRISE}/revoke", data={"token": token}, auth=DAEMON)
        garbage = await client.post(f"{ENTERPRISE}/revoke", data={"token": "x"}, auth=DAEMON)
        after = await seen(client, token)
        forged = token[:-8] + "AAAAAAAA"
        return before, others, not_mine, still, revoked, garbage, after, await seen(client, forged)

    before, others, not_mine, still, revoked, garbage, after, forged = shared(work)
    assert (before["active"], before["sub"], before["token_type"]) == (True, "daemon", "Bearer")
    assert [one.status_code for one in (not_mine, revoked, garbage)] == [200, 200, 200]
    assert still["active"] is True
    assert others == after == forged == {"active": False}


def test_emergency(house: House, run) -> None:
    """A key is marked as compromised in the registry: within a second another one signs and is published."""
    import asyncio

    async def work(client, service):
        await credentials(client)
        with SqliteStore(house.directory / "keys.db") as store:
            record = store.find("enterprise-0001")
            store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="in a dump", by="ada")
        await asyncio.sleep(0.3)
        published = (await client.get(f"{ENTERPRISE}/jwks")).json()
        for _ in range(100):
            answer = await credentials(client)
            if answer.status_code == 200 and _kid(answer.json()["access_token"]) == "enterprise-0002":
                break
            await asyncio.sleep(0.05)
        return published, answer, (await client.get(f"{ENTERPRISE}/jwks")).json()

    published, answer, keys = run(house, work)
    assert "enterprise-0001" not in {key["kid"] for key in published["keys"]}
    assert answer.status_code == 200
    assert [key["kid"] for key in keys["keys"]] == ["enterprise-0002"]


def _kid(token: str) -> str:
    import base64

    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["kid"]


def test_no_ledger_no_token(house: House, run) -> None:
    from immure.ledger.errors import LedgerError

    class Full(SqliteLedger):
        def append(self, rows):
            raise LedgerError("disk full")

    async def work(client, service):
        service.ledger.store = Full(house.directory / "ledger.db")
        refused = await credentials(client)
        service.ledger.store = SqliteLedger(house.directory / "ledger.db")
        return refused, await credentials(client)

    refused, again = run(house, work)
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert "disk" not in refused.text
    assert again.status_code == 200


def test_no_key_no_token(house: House, run) -> None:
    async def work(client, service):
        await credentials(client)
        record = service.registry.find("enterprise-0001")
        service.registry.change_state(record.thumbprint, KeyState.SUSPENDED, reason="?", by="ada")
        import asyncio

        await asyncio.sleep(0.3)
        return await credentials(client), await client.get("/readyz"), await client.get("/healthz")

    refused, ready, healthy = run(house, work)
    assert (refused.status_code, ready.status_code, healthy.status_code) == (503, 503, 200)


@pytest.mark.parametrize("path", ["/", "/token", "/enterprise/nothing", "/enterprise/token/"])
def test_nothing_there(shared: Shared, path: str) -> None:
    async def work(client, service):
        return await client.get(path)

    assert shared(work).status_code == 404
