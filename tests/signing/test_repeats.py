"""Requests that come again are answered as the first time, and never for somebody else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.ledger.sqlite_store import SqliteLedger
from immure.signing import repeats
from immure.signing.repeats import Known, Repeats
from signing.house import DIGEST, ENTERPRISE, SECRET, House, claims_of
from signing.test_drafts import draft

FORM = b"application/x-www-form-urlencoded"
BODY = b"grant_type=client_credentials"
HEADERS = [(b"host", b"here"), (b"content-type", FORM), (b"authorization", b"Basic YTpi")]
KNOWN = Known("a", draft(), "{}")


def scope(headers=HEADERS, method="POST"):
    return {"type": "http", "method": method, "path": "/token", "headers": list(headers)}


NONE = [
    ("no secret", HEADERS[:2], "POST"),
    ("two secrets", [*HEADERS, (b"authorization", b"Basic YTpi")], "POST"),
    ("no form", [HEADERS[0], HEADERS[2]], "POST"),
    ("two types", [*HEADERS, (b"content-type", FORM)], "POST"),
    ("another type", [(b"content-type", b"application/json"), HEADERS[2]], "POST"),
    ("a proof", [*HEADERS, (b"dpop", b"a.b.c")], "POST"),
    ("a page of another origin", [*HEADERS, (b"origin", b"https://spa.example")], "POST"),
    ("a certificate", [*HEADERS, (b"client-cert", b":AA==:")], "POST"),
    ("read", HEADERS, "GET"),
]


@pytest.mark.parametrize(("headers", "method"), [row[1:] for row in NONE], ids=[row[0] for row in NONE])
def test_what_is_never_a_repeat(headers, method):
    kept = Repeats("Client-Cert")
    assert kept.name(scope(headers, method), BODY) is None
    assert kept.get(None) is None


def test_what_is():
    kept = Repeats(None)
    name = kept.name(scope(), BODY)
    assert name is not None
    assert kept.get(name) is None
    kept.keep(name, KNOWN)
    assert kept.get(kept.name(scope(reversed(HEADERS)), BODY)) is KNOWN
    assert kept.get(kept.name(scope(), BODY + b"&scope=a")) is None
    assert kept.get(kept.name(scope([*HEADERS[:2], (b"authorization", b"Basic YTpj")]), BODY)) is None
    assert Repeats(None).name(scope(), BODY) != name


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_secret_and_body_do_not_run_into_each_other(secret, body, other_secret, other_body):
    kept = Repeats(None)
    secret, other_secret = secret.replace(b"\n", b""), other_secret.replace(b"\n", b"")
    one = kept.name(scope([*HEADERS[:2], (b"authorization", secret)]), body)
    two = kept.name(scope([*HEADERS[:2], (b"authorization", other_secret)]), other_body)
    assert (one == two) == ((secret, body) == (other_secret, other_body))


def test_so_many_at_most(monkeypatch):
    monkeypatch.setattr(repeats, "_MOST", 3)
    kept = Repeats(None)
    for number in range(50):
        kept.keep(b"%d" % number, KNOWN)
        assert len(kept._kept) <= 3
        assert kept.get(b"%d" % number) is KNOWN


def test_each_is_a_token_of_its_own_until_the_settings_change(house: House, run) -> None:
    """The same bytes: new tokens, each in the ledger; and refused when the secret is no more the client's."""
    data = {"grant_type": "client_credentials", "scope": "mail.read"}
    basic = base64.b64encode(f"daemon:{SECRET}".encode()).decode()

    async def work(client, service):
        async def ask(**headers: str):
            given = {"authorization": f"Basic {basic}", **headers}
            return await client.post(f"{ENTERPRISE}/token", data=data, headers=given)

        first, second = await ask(), await ask()
        wrong = await client.post(f"{ENTERPRISE}/token", data=data, auth=("daemon", "wrong"))
        proved = await ask(dpop="no.proof.this")
        settings = house.path.read_text()
        house.path.write_text(settings.replace(DIGEST, f"sha256:{'0' * 64}", 1))
        assert service.reload(lambda: house.settings)
        return first, second, wrong, proved, await ask()

    first, second, wrong, proved, after = run(house, work)
    assert [first.status_code, second.status_code] == [200, 200]
    told = [{**answer.json(), "access_token": ""} for answer in (first, second)]
    assert (
        told[0]
        == told[1]
        == {
            "access_token": "",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "mail.read",
        }
    )
    one, two = claims_of(first.json()["access_token"]), claims_of(second.json()["access_token"])
    assert one["jti"] != two["jti"]
    assert {**one, "jti": "", "iat": 0, "exp": 0} == {**two, "jti": "", "iat": 0, "exp": 0}
    assert [wrong.status_code, proved.status_code, after.status_code] == [401, 400, 401]
    with SqliteLedger(house.directory / "ledger.db") as store:
        assert len(list(store.rows(ENTERPRISE, 1, 9))) == 2
