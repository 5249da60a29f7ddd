"""What RFC 9700 warns of, tried; and what must not be lost when something of our own fails."""

from __future__ import annotations

import asyncio
import base64
import time

import pytest

from immure.errors import UsageError
from immure.ledger.errors import LedgerError
from immure.ledger.sqlite_store import SqliteLedger
from immure.signing.settings_file import parse_settings
from immure.signing.users import Users, hash_password
from signing.browsing import VERIFIER, WEB, answered, asked, code_of, hidden, refresh, sign_in, trade
from signing.house import (
    ACCESS,
    BACK,
    CALENDAR,
    CONSUMER,
    CONTOSO,
    DIGEST,
    ENTERPRISE,
    EXCHANGE,
    HERE,
    MAIL,
    OUTLOOK,
    SECRET,
    SETTINGS,
    House,
    cheap,
    claims_of,
)
from signing.proving import assertion, jkt_of, proof
from signing.sharing import Shared

DAEMON, GATEWAY, BOUND = ("daemon", SECRET), ("gateway", SECRET), ("bound", SECRET)


async def exchange(client, token, auth=DAEMON, headers=None, **more):
    data = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS, **more}
    return await client.post(f"{ENTERPRISE}/token", data=data, auth=auth, headers=headers)


async def own(client, headers=None, **more):
    data = {"grant_type": "client_credentials", **more}
    answer = await client.post(f"{ENTERPRISE}/token", data=data, auth=DAEMON, headers=headers)
    return answer.json()["access_token"]


# --- exchange ---


def test_an_exchange_does_not_take_the_key_off_a_bound_token(shared: Shared) -> None:
    async def work(client, service):
        token = await own(client, {"dpop": proof()})
        return [
            await exchange(client, token, headers=headers)
            for headers in ({}, {"dpop": proof("ES256:other")}, {"dpop": proof()})
        ]

    without, other, right = shared(work)
    assert [one.json().get("error") for one in (without, other)] == ["invalid_grant"] * 2
    assert claims_of(right.json()["access_token"])["cnf"].keys() == {"jkt"}


def test_an_exchange_lives_no_longer_than_what_was_shown(shared: Shared) -> None:
    async def work(client, service):
        token = await own(client)
        await asyncio.sleep(1.1)
        return token, (await exchange(client, token)).json()["access_token"]

    before, after = (claims_of(one) for one in shared(work))
    assert after["exp"] == before["exp"]
    assert after["iat"] > before["iat"]


def test_an_exchange_of_a_token_whose_sign_in_is_over(shared: Shared) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        before = await exchange(client, tokens["access_token"], GATEWAY)
        others = await exchange(client, tokens["access_token"], DAEMON)
        await client.post(f"{ENTERPRISE}/revoke", data={"token": tokens["refresh_token"]}, auth=WEB)
        return before, others, await exchange(client, tokens["access_token"], GATEWAY)

    before, others, after = shared(work)
    claims = claims_of(before.json()["access_token"])
    assert (claims["sub"], claims["act"], claims["aud"]) == ("ada", {"sub": "gateway"}, CALENDAR)
    assert others.json()["error"] == "invalid_grant"  # neither its own nor for it
    assert after.json()["error"] == "invalid_grant"


def test_actors_do_not_grow_for_ever(shared: Shared) -> None:
    async def work(client, service):
        token, count = await own(client), 0
        while (answer := await exchange(client, token)).status_code == 200:
            token, count = answer.json()["access_token"], count + 1
        return count, answer

    count, answer = shared(work)
    assert (count, answer.json()["error"]) == (5, "invalid_grant")


PARTNER = f"{HERE}/partner"
PARTNERS = f"""
[issuers.partner]
url = "{PARTNER}"
audience_classes = ["enterprise"]
keys.algorithm = "EdDSA"

[clients.portal]
issuer = "partner"
grants = ["authorization_code"]
audiences = ["{MAIL}"]
scopes = ["mail.read"]
redirect_uris = ["{BACK}"]
secrets = ["{DIGEST}"]
"""
EVE = f"""
[users.eve]
password = "{cheap("eve")}"
subject = "daemon"
tenant = "{CONTOSO}"
issuers = ["partner"]
"""


def test_an_exchange_of_a_token_about_somebody_with_the_name_of_a_client(tmp_path, run) -> None:
    """A partner may call its people what it likes; here that would be a program (RFC 9700, section 4.15)."""
    house = House(tmp_path, SETTINGS.replace(_HERE, f'{_HERE}\nexchange_from = ["partner"]') + PARTNERS)
    users = tmp_path / "users.toml"

    async def work(client, service):
        query = asked(client_id="portal", scope="mail.read")
        signed_in = await sign_in(client, PARTNER, "eve", "eve", query=query)
        back = await client.get(signed_in.headers["location"])
        code = answered(back.headers["location"])["code"]
        tokens = (await trade(client, code, ("portal", SECRET), PARTNER)).json()
        return await exchange(client, tokens["access_token"], GATEWAY)

    before = users.read_text()
    users.write_text(before + EVE)
    assert run(house, work).json()["error"] == "invalid_grant"
    users.write_text(before + EVE.replace('"daemon"', '"eve"'))
    assert run(house, work).status_code == 200


# --- codes and refresh tokens ---

NATIVE = {"client_id": "native", "redirect_uri": "http://127.0.0.1/back"}


async def public_code(client, **more: str) -> dict[str, str]:
    """What a program on somebody's own machine trades in for tokens."""
    query = asked(**NATIVE, scope="mail.read offline_access", **more)
    signed_in = await sign_in(client, CONSUMER, "mallory", "mallory", query=query)
    back = await client.get(signed_in.headers["location"])
    code = answered(back.headers["location"])["code"]
    return {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, **NATIVE}


@pytest.mark.parametrize(
    ("key", "error"), [("ES256:client", None), ("ES256:other", "invalid_grant"), ("", "invalid_grant")]
)
def test_a_code_for_one_key(shared: Shared, key: str, error: str | None) -> None:
    """RFC 9449, section 10."""
    name = jkt_of("ES256:client")

    async def work(client, service):
        data = await public_code(client, dpop_jkt=name)
        headers = {"dpop": proof(key, CONSUMER)} if key else {}
        first = await client.post(f"{CONSUMER}/token", data=data, headers=headers)
        headers = {"dpop": proof("ES256:client", CONSUMER)}
        return first, await client.post(f"{CONSUMER}/token", data=data, headers=headers)

    first, again = shared(work)
    assert first.json().get("error") == error
    assert again.json()["error"] == "invalid_grant"  # for once, whoever shows it


def test_a_refresh_token_is_for_its_certificate(tmp_path, run) -> None:
    """RFC 8705, section 4: a client that proves nothing else."""
    house = House(tmp_path, SETTINGS.replace("public = true", 'public = true\nbound = "mtls"'))

    def certificate(byte: bytes) -> dict[str, str]:
        text = base64.b64encode(b"\x30\x82\x01\x00" + 256 * byte).decode()
        return {"client-cert": f":{text}:"}

    async def work(client, service):
        async def ask(data, byte):
            return await client.post(f"{CONSUMER}/token", data=data, headers=certificate(byte))

        first = (await ask(await public_code(client), b"a")).json()
        again = {
            "grant_type": "refresh_token",
            "client_id": "native",
            "refresh_token": first["refresh_token"],
        }
        return [(await ask(again, byte)).status_code for byte in (b"b", b"a")]

    assert run(house, work) == [400, 200]


async def _is_active(client, token: str) -> bool:
    answer = await client.post(f"{ENTERPRISE}/introspect", data={"token": token}, auth=WEB)
    return bool(answer.json()["active"])


@pytest.mark.parametrize("swept", ["before", "after"])
def test_a_sign_in_that_is_over_stays_over(shared: Shared, swept: str) -> None:
    """Its code runs out after a minute; the access token that came of it lives for an hour."""

    async def work(client, service):
        later = int(time.time()) + 3600
        tokens = (await trade(client, await code_of(client, scope="openid mail.read"))).json()
        if swept == "before":
            service.state.sweep(later)
        active = [await _is_active(client, tokens["access_token"])]
        await client.get(f"{ENTERPRISE}/end-session", params={"id_token_hint": tokens["id_token"]})
        if swept == "after":
            service.state.sweep(later)
        return [*active, await _is_active(client, tokens["access_token"])]

    assert shared(work) == [True, False]


class Full(SqliteLedger):
    def append(self, rows):
        raise LedgerError("disk full")


def test_what_fails_here_costs_the_client_nothing(house: House, run) -> None:
    """A client that hears 503 asks again with the same code or refresh token."""

    async def work(client, service):
        code, good = await code_of(client), service.ledger.store
        bad = Full(house.directory / "ledger.db")
        answers = []
        for store in (bad, good):
            service.ledger.store = store
            answers.append(await trade(client, code))
        token = answers[-1].json()["refresh_token"]
        for store in (bad, good):
            service.ledger.store = store
            answers.append(await refresh(client, token))
        bad.close()
        return answers

    assert [one.status_code for one in run(house, work)] == [503, 200, 503, 200]


def test_one_of_many_gets_the_next_token(shared: Shared) -> None:
    """A refresh token that several show at once: one gets tokens, and then the sign-in is over."""

    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        answers = await asyncio.gather(*(refresh(client, tokens["refresh_token"]) for _ in range(6)))
        good = [one for one in answers if one.status_code == 200]
        return answers, good, await refresh(client, good[0].json()["refresh_token"])

    answers, good, after = shared(work)
    assert (len(good), len(answers)) == (1, 6)
    assert after.json()["error"] == "invalid_grant"


def test_one_of_many_gets_tokens_for_a_code(shared: Shared) -> None:
    async def work(client, service):
        code = await code_of(client)
        return await asyncio.gather(*(trade(client, code) for _ in range(6)))

    assert sorted(one.status_code for one in shared(work)) == [200, 400, 400, 400, 400, 400]


def test_a_wrong_verifier_burns_the_code(shared: Shared) -> None:
    async def work(client, service):
        code = await code_of(client)
        return [await trade(client, code, code_verifier="w" * 43), await trade(client, code)]

    assert [one.json()["error"] for one in shared(work)] == ["invalid_grant"] * 2


def test_a_refresh_token_is_for_its_audience(shared: Shared) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        return await refresh(client, tokens["refresh_token"], resource=CALENDAR)

    assert shared(work).json()["error"] == "invalid_target"


_ITS = 'audiences = ["https://mail.example"]\nscopes = ["mail.read", "mail.send"]'
_AT = '\naudiences = ["https://mail'
NARROWED = [
    ("an audience", _ITS, f'audiences = ["{CALENDAR}"]', "invalid_grant"),
    ("the grant", f'"refresh_token"]{_AT}', f"]{_AT}", "unauthorized_client"),
    ("the client", "[clients.web]", "[clients.webb]", "invalid_client"),
    ("the person", None, None, "invalid_grant"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "after", "error"), NARROWED, ids=[one[0] for one in NARROWED])
def test_what_was_taken_away_is_not_renewed(
    house: House, run, what: str, before: str | None, after: str | None, error: str
) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        _change(house, before, after)
        assert service.reload(lambda: house.settings)
        again = await client.get(f"{ENTERPRISE}/authorize?{asked(prompt='none')}")
        return again, await refresh(client, tokens["refresh_token"])

    again, answer = run(house, work)
    assert answer.json()["error"] == error
    if what == "the person":
        assert answered(again.headers["location"])["error"] == "login_required"


def test_scopes_that_were_taken_away_are_not_renewed(house: House, run) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        _change(house, 'scopes = ["mail.read", "mail.send"]\nredirect', 'scopes = ["mail.send"]\nredirect')
        assert service.reload(lambda: house.settings)
        return (await refresh(client, tokens["refresh_token"])).json()

    assert "scope" not in claims_of(run(house, work)["access_token"])


def test_a_client_that_moved_to_another_issuer_takes_nothing_along(house: House, run) -> None:
    async def work(client, service):
        tokens = (await trade(client, await code_of(client))).json()
        text = house.path.read_text()
        begin, _, rest = text.partition("[clients.web]")
        moved = rest.replace('"enterprise"', '"consumer"', 1).replace(MAIL, OUTLOOK, 1)
        house.path.write_text(f"{begin}[clients.web]{moved}")
        assert service.reload(lambda: house.settings)
        return await refresh(client, tokens["refresh_token"], issuer=CONSUMER)

    assert run(house, work).json()["error"] == "invalid_grant"


def _change(house: House, before: str | None, after: str | None) -> None:
    if before is None or after is None:
        users = house.directory / "users.toml"
        users.write_text(users.read_text().replace("[users.ada]", "[users.eve]"))
        return
    text = house.path.read_text()
    assert before in text
    house.path.write_text(text.replace(before, after))


# --- who asks ---


def test_an_assertion_is_for_us_alone(shared: Shared) -> None:
    async def work(client, service):
        both = [f"{ENTERPRISE}/token", "https://evil.example/token"]
        sent = [assertion(aud=one) for one in (both, both[:1], ENTERPRISE)]
        form = {"grant_type": "client_credentials"}
        return [await client.post(f"{ENTERPRISE}/token", data={**form, **one}) for one in sent]

    assert [one.status_code for one in shared(work)] == [401, 200, 200]


@pytest.mark.parametrize("text", ["x", "a.eyJhdWQiOlt7fV19.c"])
def test_an_assertion_beside_a_secret_that_is_known(shared: Shared, text: str) -> None:
    """Nobody looks at a second proof; so there is none."""

    async def work(client, service):
        known = await own(client)
        data = {"client_assertion": text}
        return known, await client.post(f"{ENTERPRISE}/token", data=data, auth=DAEMON)

    assert shared(work)[1].status_code == 401


def test_two_audiences_are_not_one(shared: Shared) -> None:
    async def work(client, service):
        data = {"grant_type": "client_credentials", "resource": MAIL, "audience": CALENDAR}
        return await client.post(f"{ENTERPRISE}/token", data=data, auth=DAEMON)

    assert shared(work).json()["error"] == "invalid_target"


def test_who_proves_nothing_may_not_ask_about_tokens(shared: Shared) -> None:
    async def work(client, service):
        return await client.post(f"{CONSUMER}/introspect", data={"token": "x", "client_id": "native"})

    assert shared(work).status_code == 401


def test_a_dpop_proof_is_taken_once(shared: Shared) -> None:
    async def work(client, service):
        made, data = proof(), {"grant_type": "client_credentials"}
        return [
            await client.post(f"{ENTERPRISE}/token", data=data, auth=BOUND, headers={"dpop": one})
            for one in (made, made, proof(htm="GET"), proof(issuer=CONSUMER))
        ]

    first, *others = shared(work)
    assert first.json()["token_type"] == "DPoP"
    assert [one.json()["error"] for one in others] == ["invalid_dpop_proof"] * 3


# --- browsers ---


def test_a_browser_may_say_that_the_form_came_from_us(shared: Shared) -> None:
    """With ``no-referrer`` it would say ``Origin: null`` to ourselves, and could not."""

    async def work(client, service):
        answers = []
        for origin in ("http://127.0.0.1:8940", "null"):
            page = await client.get(f"{ENTERPRISE}/authorize?{asked()}")
            assert page.headers["referrer-policy"] == "same-origin"
            sent = {**hidden(page.text), "name": "ada", "password": "lovelace"}
            answers.append(await client.post(f"{ENTERPRISE}/sign-in", data=sent, headers={"origin": origin}))
            client.cookies.clear()
        return answers

    assert [one.status_code for one in shared(work)] == [303, 400]


@pytest.mark.parametrize("more", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "login", "max_age": "0"}])
def test_signing_in_anew_comes_to_an_end(shared: Shared, more: dict[str, str]) -> None:
    async def work(client, service):
        await sign_in(client)
        signed_in = await sign_in(client, query=asked(**more))
        await asyncio.sleep(1.1)
        return await client.get(signed_in.headers["location"])

    assert "code" in answered(shared(work).headers["location"])


def test_the_session_is_another_after_each_sign_in(shared: Shared) -> None:
    """A session that somebody else put into the browser before is worth nothing to them."""

    async def work(client, service):
        client.cookies.set("immure-session-enterprise", "planted", domain="127.0.0.1", path="/enterprise")
        first = await sign_in(client, query=asked(prompt="login"))
        second = await sign_in(client, query=asked(prompt="login"))
        return [one.headers.get_list("set-cookie")[0].split(";")[0] for one in (first, second)]

    first, second = shared(work)
    assert first.startswith("immure-session-enterprise=")
    assert first != second
    assert "planted" not in first


def test_many_passwords_at_once_are_not_more_than_one_after_the_other(house: House, run) -> None:
    async def work(client, service):
        page = await client.get(f"{ENTERPRISE}/authorize?{asked()}")
        sent = {**hidden(page.text), "name": "ada", "password": "wrong"}
        answers = await asyncio.gather(*(client.post(f"{ENTERPRISE}/sign-in", data=sent) for _ in range(12)))
        return ["Too many" in one.text for one in answers]

    assert sorted(run(house, work)) == [False] * 5 + [True] * 7


def test_names_that_are_long_take_no_more_room() -> None:
    users = Users({})
    for number in range(3):
        assert users.check(f"{number}" * 30_000, "wrong", "enterprise") is None
    assert {len(one) for one in users._wrong} == {32}


def test_a_file_of_many_users_is_read_at_once(tmp_path, monkeypatch) -> None:
    """A reload reads it while everybody waits: not a tenth of a second for each user."""
    known, paid = hash_password("x"), []
    monkeypatch.setattr("immure.signing.users._derive", lambda *given: paid.append(given) or bytes(32))
    path = tmp_path / "users.toml"
    path.write_text("".join(f'[users.u{n}]\npassword = "{known}"\nissuers = ["a"]\n' for n in range(500)))
    assert Users.read(path).is_there("u499", "a")
    assert len(paid) <= 2


@pytest.mark.parametrize(
    "text", ["scrypt:16384:8:1:AAA:AAAA", "scrypt:3:8:1:AAAA:AAAA", "scrypt:99999999:999:1:AAAA:AAAA", "x"]
)
def test_hashes_that_are_none(tmp_path, text: str) -> None:
    path = tmp_path / "users.toml"
    path.write_text(f'[users.ada]\npassword = "{text}"\nissuers = ["a"]\n')
    with pytest.raises(UsageError, match="is no hash"):
        Users.read(path)


ORIGINS = [
    ("of a public client", "https://spa.example", True),
    ("of a client with a secret", "https://app.example", False),
    ("of nobody", "https://evil.example", False),
    ("nobody", "null", False),
]


@pytest.mark.parametrize(("what", "origin", "allowed"), ORIGINS, ids=[one[0] for one in ORIGINS])
def test_scripts_that_may_ask(shared: Shared, what: str, origin: str, allowed: bool) -> None:
    async def work(client, service):
        headers = {"origin": origin}
        asking = {
            **headers,
            "access-control-request-method": "POST",
            "access-control-request-headers": "dpop",
        }
        return (
            await client.options(f"{CONSUMER}/token", headers=asking),
            await client.post(f"{CONSUMER}/token", data={"client_id": "native"}, headers=headers),
            await client.post(f"{ENTERPRISE}/token", data={}, headers=headers),
        )

    before, after, other = shared(work)
    assert before.status_code == (204 if allowed else 405)
    assert after.status_code == 400
    assert after.headers.get("access-control-allow-origin") == (origin if allowed else None)
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-credentials" not in after.headers


# --- settings ---

_HERE = 'url = "http://127.0.0.1:8940/enterprise"'
_DAEMON = f'tenant = "{CONTOSO}"\nserves'
WRONG = [
    ("a client and an audience", "[listen]", '[audiences.daemon]\nclass = "enterprise"\n[listen]'),
    ("a code over http", BACK, "http://app.example/back"),
    ("a code to a fragment", BACK, f"{BACK}#x"),
    ("a code to a script", BACK, "javascript:alert(1)"),
    ("a code to no host", BACK, "https:///back"),
    ("consumers' tokens for enterprises'", _HERE, f'{_HERE}\nexchange_from = ["consumer"]'),
    ("serves nobody knows what", f'serves = ["{CALENDAR}"]', 'serves = ["https://nobody"]'),
    ("certificates from anywhere", "[listen]", '[listen]\nhost = "0.0.0.0"\nbehind_proxy = true'),
    ("a bound client without certificates", 'client_certificate_header = "Client-Cert"', ""),
    ("logout without login", _DAEMON, f'logout_uris = ["https://a.example"]\n{_DAEMON}'),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "after"), WRONG, ids=[one[0] for one in WRONG])
def test_settings_that_are_refused(house: House, what: str, before: str, after: str) -> None:
    text = SETTINGS.replace(before, after)
    assert text != SETTINGS
    if "bound client" in what:
        text = text.replace('bound = "dpop"', 'bound = "mtls"')
    with pytest.raises(UsageError):
        parse_settings(text.encode(), str(house.path))


def test_a_person_with_the_name_of_a_client(house: House, run) -> None:
    users = house.directory / "users.toml"
    users.write_text(users.read_text().replace("[users.ada]", "[users.daemon]"))

    async def work(client, service):
        raise AssertionError("it was started")

    with pytest.raises(UsageError, match=r"clients\.daemon"):
        run(house, work)


# --- signing out ---


async def _signed_in(client):
    signed_in = await sign_in(client)
    back = await client.get(signed_in.headers["location"])
    return (await trade(client, answered(back.headers["location"])["code"])).json()


def test_signing_out(shared: Shared) -> None:
    async def work(client, service):
        tokens = await _signed_in(client)
        asked_for = {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": "https://app.example/bye",
            "state": "s&1",
        }
        out = await client.get(f"{ENTERPRISE}/end-session", params=asked_for)
        silent = await client.get(f"{ENTERPRISE}/authorize?{asked(prompt='none')}")
        return out, silent, await refresh(client, tokens["refresh_token"])

    out, silent, renewed = shared(work)
    assert (out.status_code, out.headers["location"]) == (303, "https://app.example/bye?state=s%261")
    assert answered(silent.headers["location"])["error"] == "login_required"
    assert renewed.json()["error"] == "invalid_grant"


def test_signing_out_by_hand(shared: Shared) -> None:
    """Without a hint any page could do it to us, so somebody is asked."""

    async def work(client, service):
        await _signed_in(client)
        page = await client.get(f"{ENTERPRISE}/end-session")
        still = await client.get(f"{ENTERPRISE}/authorize?{asked(prompt='none')}")
        forged = await client.post(f"{ENTERPRISE}/end-session", data={"guard": "x"})
        out = await client.post(f"{ENTERPRISE}/end-session", data=hidden(page.text))
        gone = await client.get(f"{ENTERPRISE}/authorize?{asked(prompt='none')}")
        return page, still, forged, out, gone

    page, still, forged, out, gone = shared(work)
    assert "Sign out?" in page.text
    assert "code" in answered(still.headers["location"])
    assert (forged.status_code, out.status_code) == (400, 200)
    assert answered(gone.headers["location"])["error"] == "login_required"


OUT = [
    ("to somewhere else", {"post_logout_redirect_uri": "https://evil.example"}),
    ("with a token that is none", {"id_token_hint": "a.b.c"}),
    (
        "to an address of nobody",
        {"post_logout_redirect_uri": "https://app.example/bye", "client_id": "daemon"},
    ),
]


@pytest.mark.parametrize(("what", "query"), OUT, ids=[one[0] for one in OUT])
def test_signing_out_goes_nowhere_else(shared: Shared, what: str, query: dict[str, str]) -> None:
    async def work(client, service):
        return await client.get(f"{ENTERPRISE}/end-session", params=query)

    answer = shared(work)
    assert answer.status_code == 400
    assert "location" not in answer.headers


# --- what is written down ---


def test_the_journal_names_the_client_and_no_secret(shared: Shared) -> None:
    async def work(client, service):
        await client.post(f"{ENTERPRISE}/token", data={"client_secret": "hunter2", "grant_type": "hunter2"})
        await client.post(f"{ENTERPRISE}/token", data={"grant_type": "hunter2"}, auth=DAEMON)
        await client.post(f"{ENTERPRISE}/token", content=b"hunter2&hunter2", auth=("daemon", "hunter2"))
        await client.post(f"{ENTERPRISE}/token", data={"client_id": "hunter2"}, auth=("hunter2", "hunter2"))
        return (await client.get("/metrics")).text

    numbers = shared(work)
    written = shared.journal.getvalue()
    assert '"error": "unsupported_grant_type", "status": 400, "client": "daemon"' in written
    assert "hunter2" not in written + numbers
    assert SECRET not in written
    assert 'immure_signing_refusals_total{endpoint="/enterprise/token",error="invalid_client"}' in numbers
    assert "immure_key_age_seconds" in numbers
