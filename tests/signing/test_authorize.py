"""Signing people in, and what comes of codes and refresh tokens."""

from __future__ import annotations

from typing import Any

import pytest

from signing.browsing import WEB, answered, asked, code_of, hidden, sign_in, trade
from signing.house import BACK, CONSUMER, CONTOSO, ENTERPRISE, HERE, MAIL, House, claims_of
from signing.sharing import Shared


def test_the_whole_way(shared: Shared) -> None:
    async def work(client, service):
        signed_in = await sign_in(client)
        assert signed_in.status_code == 303
        back = await client.get(signed_in.headers["location"])
        location = back.headers["location"]
        tokens = await trade(client, answered(location)["code"])
        silent = await client.get(f"{ENTERPRISE}/authorize?{asked(prompt='none')}")
        return signed_in, location, tokens, silent

    signed_in, location, tokens, silent = shared(work)
    cookies = signed_in.headers.get_list("set-cookie")
    assert all("HttpOnly" in one and "SameSite=Lax" in one for one in cookies)
    assert location.startswith(f"{BACK}?")
    given = answered(location)
    assert (given["state"], given["iss"]) == ("xyz", ENTERPRISE)
    body = tokens.json()
    access, identity = claims_of(body["access_token"]), claims_of(body["id_token"])
    assert (access["sub"], access["tid"], access["scope"]) == ("ada", CONTOSO, "mail.read")
    assert (identity["aud"], identity["nonce"], identity["sub"]) == ("web", "n-1", "ada")
    assert access["sid"] == identity["sid"]
    assert "code" in answered(silent.headers["location"])


def test_pages(shared: Shared) -> None:
    async def work(client, service):
        page = await client.get(f"{ENTERPRISE}/authorize?{asked()}")
        wrong = await sign_in(client, password="wrong")
        other = await sign_in(client, name="mallory", password="mallory")
        return page, wrong, other

    page, wrong, other = shared(work)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in page.text
    assert (wrong.status_code, other.status_code) == (403, 403)
    assert "Name or password is wrong" in wrong.text
    assert "Name or password is wrong" in other.text  # no word of who may sign in where


def test_too_many_wrong_passwords(house: House, run) -> None:
    async def work(client, service):
        for _ in range(5):
            await sign_in(client, password="wrong")
        return await sign_in(client)

    assert "Too many wrong passwords" in run(house, work).text


PAGES: list[tuple[str, dict[str, str | None]]] = [
    ("no client", {"client_id": None}),
    ("an unknown client", {"client_id": "nobody"}),
    ("a client that signs nobody in", {"client_id": "daemon"}),
    ("a client of the other issuer", {"client_id": "native", "redirect_uri": "http://127.0.0.1/back"}),
    ("no address", {"redirect_uri": None}),
    ("another address", {"redirect_uri": "https://evil.example/back"}),
    ("an address with more behind it", {"redirect_uri": f"{BACK}/more"}),
    ("an address with a query", {"redirect_uri": f"{BACK}?a=b"}),
    ("an address with another case", {"redirect_uri": BACK.upper()}),
]


@pytest.mark.parametrize(("what", "changes"), PAGES, ids=[one[0] for one in PAGES])
def test_never_sent_anywhere(shared: Shared, what: str, changes: dict[str, str | None]) -> None:
    async def work(client, service):
        return await client.get(f"{ENTERPRISE}/authorize?{asked(**changes)}")

    answer = shared(work)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "evil" not in answer.text


SENT_BACK: list[tuple[str, dict[str, str | None], str]] = [
    ("a token", {"response_type": "token"}, "unsupported_response_type"),
    ("in a fragment", {"response_mode": "fragment"}, "unsupported_response_type"),
    ("no PKCE", {"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ("plain PKCE", {"code_challenge_method": "plain"}, "invalid_request"),
    ("a challenge that is none", {"code_challenge": "x"}, "invalid_request"),
    ("a scope that the client has not", {"scope": "admin"}, "invalid_scope"),
    ("another audience", {"resource": "https://outlook.example"}, "invalid_target"),
    ("a request object", {"request": "x"}, "request_not_supported"),
    ("nobody is signed in", {"prompt": "none"}, "login_required"),
    ("a state that is no text", {"state": "a\nb"}, "invalid_request"),
]


@pytest.mark.parametrize(("what", "changes", "error"), SENT_BACK, ids=[one[0] for one in SENT_BACK])
def test_sent_back(shared: Shared, what: str, changes: dict[str, str | None], error: str) -> None:
    async def work(client, service):
        return await client.get(f"{ENTERPRISE}/authorize?{asked(**changes)}")

    answer = shared(work)
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith(f"{BACK}?")
    given = answered(location)
    assert (given["error"], given["iss"]) == (error, ENTERPRISE)
    assert "code" not in given


FORMS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("from elsewhere, without the cookie", {}, {"cookie": ""}),
    ("with another value", {"guard": "x"}, {}),
    ("with another origin", {}, {"origin": "https://evil.example"}),
    ("with a request that ends the header", {"request": f"{asked()}\r\nset-cookie: a=b"}, {}),
    ("with a request of a client that is none", {"request": "client_id=x"}, {}),
]


@pytest.mark.parametrize(("what", "changes", "headers"), FORMS, ids=[one[0] for one in FORMS])
def test_forms_that_are_not_ours(
    shared: Shared, what: str, changes: dict[str, str], headers: dict[str, str]
) -> None:
    async def work(client, service):
        page = await client.get(f"{ENTERPRISE}/authorize?{asked()}")
        sent = {**hidden(page.text), "name": "ada", "password": "lovelace", **changes}
        if "cookie" in headers:
            client.cookies.clear()
        more = {name: value for name, value in headers.items() if value}
        return await client.post(f"{ENTERPRISE}/sign-in", data=sent, headers=more)

    answer = shared(work)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


TRADES: list[tuple[str, dict[str, Any]]] = [
    ("another verifier", {"code_verifier": "w" * 43}),
    ("a short verifier", {"code_verifier": "v"}),
    ("no verifier", {"code_verifier": ""}),
    ("another address", {"redirect_uri": "https://evil.example"}),
    ("another code", {"code": "x"}),
]


@pytest.mark.parametrize(("what", "changes"), TRADES, ids=[one[0] for one in TRADES])
def test_codes_that_are_worth_nothing(shared: Shared, what: str, changes: dict[str, Any]) -> None:
    async def work(client, service):
        code = await code_of(client)
        return await trade(
            client, changes.get("code", code), **{k: v for k, v in changes.items() if k != "code"}
        )

    answer = shared(work)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_is_good_for_once(shared: Shared) -> None:
    """Shown twice, it also ends what came of it."""

    async def work(client, service):
        code = await code_of(client)
        first, second = await trade(client, code), await trade(client, code)
        refresh = {"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}
        third = await client.post(f"{ENTERPRISE}/token", data=refresh, auth=WEB)
        shown = {"token": first.json()["access_token"]}
        active = await client.post(f"{ENTERPRISE}/introspect", data=shown, auth=WEB)
        return first, second, third, active

    first, second, third, active = shared(work)
    assert first.status_code == 200
    assert [one.json()["error"] for one in (second, third)] == ["invalid_grant"] * 2
    assert active.json() == {"active": False}


def test_refresh_tokens_are_replaced(shared: Shared) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        shown = [tokens["refresh_token"]]
        answers = []
        for number in (0, 1, 1, 2):
            data = {"grant_type": "refresh_token", "refresh_token": shown[number]}
            answer = await client.post(f"{ENTERPRISE}/token", data=data, auth=WEB)
            answers.append(answer)
            if answer.status_code == 200:
                shown.append(answer.json()["refresh_token"])
        return answers

    answers = shared(work)
    assert [one.status_code for one in answers] == [200, 200, 400, 400]
    assert claims_of(answers[1].json()["access_token"])["aud"] == MAIL


def test_a_refresh_token_gives_no_more_than_before(shared: Shared) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        data = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return await client.post(f"{ENTERPRISE}/token", data={**data, "scope": "mail.send"}, auth=WEB)

    assert shared(work).json()["error"] == "invalid_scope"


def test_a_refresh_token_is_revoked(shared: Shared) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        shown = {"token": tokens["refresh_token"]}
        await client.post(f"{ENTERPRISE}/revoke", data=shown, auth=WEB)
        data = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return await client.post(f"{ENTERPRISE}/token", data=data, auth=WEB)

    assert shared(work).json()["error"] == "invalid_grant"


def test_a_program_on_the_users_machine(shared: Shared) -> None:
    """RFC 8252: whatever port it listens on; it has no secret."""
    back = "http://127.0.0.1:49152/back"

    async def work(client, service):
        query = asked(client_id="native", redirect_uri=back, scope="openid")
        signed_in = await sign_in(client, CONSUMER, "mallory", "mallory", query)
        location = (await client.get(signed_in.headers["location"])).headers["location"]
        code = answered(location)["code"]
        tokens = await trade(client, code, None, CONSUMER, redirect_uri=back, client_id="native")
        elsewhere = await client.get(
            f"{CONSUMER}/authorize?{asked(client_id='native', redirect_uri='http://127.0.0.1:1/other')}"
        )
        at = await client.get(
            f"{CONSUMER}/authorize?{asked(client_id='native', redirect_uri='http://x@127.0.0.1:1/back')}"
        )
        return location, tokens, elsewhere, at

    location, tokens, elsewhere, at = shared(work)
    assert location.startswith(f"{back}?code=")
    assert claims_of(tokens.json()["access_token"])["sub"] == "mallory"
    assert "refresh_token" not in tokens.json()
    assert (elsewhere.status_code, at.status_code) == (400, 400)
    assert HERE in CONSUMER
