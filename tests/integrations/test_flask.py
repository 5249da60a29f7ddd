"""Flask behind its own server: the whole table, as a decorator, for a blueprint and for an application."""

from __future__ import annotations

import hashlib
import ssl

import flask
import httpx
import pytest

from immure.errors import UsageError
from immure.integrations.bearer import Guard
from immure.integrations.flask import claims, protect, protect_all, proxied_certificate, public, scopes
from immure.keymaterial.key import b64url
from integrations.doors import CASES, GOOD, HOLDER, bearer, bound, check_answer, down_guard, guard, proof
from integrations.wsgi import STRANGE_HOSTS, Identity, ask, werkzeug_server, wsgiref_server
from tokens.minting import MAIL, Mint, validator


def me():
    return {"subject": claims().subject, "scopes": sorted(scopes())}


def opened():
    return "open"


def by_decorators():
    app = flask.Flask(__name__)
    door = guard()
    app.add_url_rule("/open", view_func=opened)
    app.add_url_rule("/me", view_func=protect(door)(me))
    app.add_url_rule("/send", "send", protect(door, scopes=["mail.send"])(me))
    app.add_url_rule("/down", "down", protect(down_guard())(me))
    return app


def by_the_application():
    app = flask.Flask(__name__)
    door = guard()
    protect_all(app, door)
    app.add_url_rule("/open", view_func=public(opened))
    app.add_url_rule("/me", view_func=me)
    app.add_url_rule("/send", "send", protect(door, scopes=["mail.send"])(me))
    down = flask.Blueprint("down", __name__)
    down.add_url_rule("/down", view_func=public(protect(down_guard())(me)))
    app.register_blueprint(down)
    return app


def by_blueprints():
    app = flask.Flask(__name__)
    app.add_url_rule("/open", view_func=opened)
    for path, door, asked in (
        ("me", guard(), ()),
        ("send", guard(), ["mail.send"]),
        ("down", down_guard(), ()),
    ):
        blueprint = flask.Blueprint(path, __name__)
        protect_all(blueprint, door, scopes=asked)
        blueprint.add_url_rule(f"/{path}", view_func=me)
        app.register_blueprint(blueprint)
    return app


def coroutines():
    async def waiting():
        return me()

    app = flask.Flask(__name__)
    app.add_url_rule("/open", view_func=opened)
    app.add_url_rule("/me", view_func=protect(guard())(waiting))
    app.add_url_rule("/send", "send", protect(guard(), scopes=["mail.send"])(waiting))
    app.add_url_rule("/down", "down", protect(down_guard())(waiting))
    return app


WAYS = [by_decorators, by_the_application, by_blueprints, coroutines]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.__name__)
def address(request):
    with werkzeug_server(request.param()) as found:
        yield found


@pytest.fixture(scope="module")
def another_server():
    with wsgiref_server(by_decorators()) as found:
        yield found


@pytest.mark.parametrize("case", CASES)
def test_every_row(case, address):
    check_answer(case, *ask(address, case))


@pytest.mark.parametrize("case", CASES)
def test_every_row_at_a_server_that_passes_any_name_on(case, another_server):
    check_answer(case, *ask(another_server, case))


def test_a_view_knows_whose_token_it_is(address):
    answer = httpx.get(address + "/me", headers=bearer(Mint().token(scope="mail.read mail.send")))
    assert answer.json() == {"subject": "mailbox-7", "scopes": ["mail.read", "mail.send"]}


@pytest.mark.parametrize(
    "name",
    ["Authorization_", "_Authorization", "HTTP_AUTHORIZATION", "Http-Authorization", "X-Authorization"],
)
def test_other_headers_do_not_let_in(name, another_server):
    assert httpx.get(another_server + "/me", headers={name: f"Bearer {GOOD}"}).status_code == 401


@pytest.mark.parametrize(
    "names", [("Authorization", "authorization_"), ("authorization_", "Authorization")], ids=str
)
def test_nor_do_they_speak_for_the_real_one(names, another_server):
    values = {"Authorization": "Bearer bad", "authorization_": f"Bearer {GOOD}"}
    answer = httpx.get(another_server + "/me", headers=[(name, values[name]) for name in names])
    assert answer.json()["code"] == "token-form"


def test_addresses_that_lead_nowhere_and_static_files_are_protected_too():
    with werkzeug_server(by_the_application()) as address:
        assert httpx.get(address + "/nowhere").status_code == 401
        assert httpx.get(address + "/static/x").status_code == 401
        assert httpx.get(address + "/nowhere", headers=bearer(GOOD)).status_code == 404


def test_a_browser_may_ask_whether_it_may():
    app = by_the_application()
    app.add_url_rule("/own", view_func=lambda: "called", endpoint="own", methods=["OPTIONS"])
    with werkzeug_server(app) as address:
        answer = httpx.options(address + "/me")
        assert (answer.status_code, answer.content, "GET" in answer.headers["Allow"]) == (200, b"", True)
        assert httpx.options(address + "/own").status_code == 401
        assert httpx.options(address + "/nowhere").status_code == 401


def test_a_token_is_looked_at_once():
    decisions = []
    app = flask.Flask(__name__)
    door = guard(record=decisions.append)
    protect_all(app, door)
    app.add_url_rule("/me", view_func=protect(door)(protect(door, scopes=["mail.read"])(me)))
    with werkzeug_server(app) as address:
        token = Mint().token(cnf={"jkt": HOLDER}, scope="mail.read")
        headers = bound(proof(token), token=token)
        assert httpx.get(address + "/me", headers=headers).status_code == 200
        assert httpx.get(address + "/me", headers=headers).json()["code"] == "dpop-proof"
    assert [one.verdict for one in decisions] == ["accepted", "refused"]


def test_a_request_inside_of_another_needs_its_own_token():
    app = by_decorators()

    def nested():
        inner = flask.current_app.test_client()
        return [inner.get("/me").status_code, inner.get("/me", headers=bearer(GOOD)).status_code]

    app.add_url_rule("/nested", view_func=protect(guard())(nested))
    with werkzeug_server(app) as address:
        assert httpx.get(address + "/nested", headers=bearer(GOOD)).json() == [401, 200]
    with app.app_context():
        answers = [app.test_client().get("/me", headers=headers) for headers in (bearer(GOOD), [])]
    assert [answer.status_code for answer in answers] == [200, 401]


def test_another_guard_asks_again():
    app = flask.Flask(__name__)
    protect_all(app, guard())
    app.add_url_rule("/me", view_func=protect(guard(audience=None, validator=validator(rule=OTHER)))(me))
    with werkzeug_server(app) as address:
        assert httpx.get(address + "/me", headers=bearer(GOOD)).json()["code"] == "token-alg"


OTHER = {"algorithms": frozenset({"RS256"})}


def test_the_address_is_the_origins_and_not_the_forged_hosts():
    stolen = bound(proof(url="https://thief.example/me"))
    forged = [
        ("Host", "thief.example"),
        ("X-Forwarded-Host", "thief.example"),
        ("X-Forwarded-Proto", "https"),
    ]
    with werkzeug_server(by_decorators()) as address:
        assert httpx.get(address + "/me", headers=stolen + forged).json()["code"] == "dpop-proof"


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_strange_host_does_not_say_what_was_asked_for(host):
    with werkzeug_server(by_decorators()) as address:
        for made, statuses in ((bound(proof(url=MAIL + "/send")), (401, 400)), (bound(proof()), (200, 400))):
            assert httpx.get(address + "/me", headers=[*made, ("Host", host)]).status_code in statuses


def test_a_proof_for_another_method():
    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=protect(guard())(me), methods=["POST"])
    with werkzeug_server(app) as address:
        assert httpx.post(address + "/me", headers=bound(proof())).json()["code"] == "dpop-proof"
        assert httpx.post(address + "/me", headers=bound(proof(method="POST"))).status_code == 200


def test_tokens_bound_to_a_certificate(tmp_path):
    us, client, other = (Identity(tmp_path, name) for name in ("us", "client", "other"))
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    trusted = Identity.__new__(Identity)
    trusted.certificate_file = tmp_path / "both.pem"
    trusted.certificate_file.write_bytes(client.pem + other.pem)
    with werkzeug_server(by_decorators(), us.context(ssl.Purpose.CLIENT_AUTH, trusted)) as address:
        for who, status in ((client, 200), (other, 401)):
            with httpx.Client(verify=who.context(ssl.Purpose.SERVER_AUTH, us)) as session:
                assert session.get(address + "/me", headers=bearer(token)).status_code == status
        forged = [*bearer(token), ("SSL-Client-Cert", client.pem.decode().replace("\n", ""))]
        with httpx.Client(verify=ssl.create_default_context(cafile=str(us.certificate_file))) as session:
            at = address.replace("127.0.0.1", "localhost")
            assert session.get(at + "/me", headers=forged).status_code == 401


def test_a_certificate_from_a_proxy(tmp_path):
    client = Identity(tmp_path, "client")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=protect(guard(), certificate=proxied_certificate)(me))
    with werkzeug_server(app) as address:
        for fields, status in client.fields():
            assert httpx.get(address + "/me", headers=[*bearer(token), *fields]).status_code == status


def test_what_is_wrong_in_the_program_is_said_when_it_starts():
    with pytest.raises(UsageError):
        protect(guard(), scopes="mail.send")
    with pytest.raises(UsageError):
        protect_all(flask.Flask(__name__), guard(), scopes=["a b"])


def test_claims_of_nobody():
    with flask.Flask(__name__).test_request_context("/"), pytest.raises(UsageError):
        claims()


def test_without_an_origin_the_request_says_where_it_went():
    door = Guard(validator(), audience=MAIL, proofs=guard()._holder._proofs)
    app = flask.Flask(__name__)
    app.add_url_rule("/ä", view_func=protect(door)(me))
    with werkzeug_server(app) as address:
        headers = bound(proof(url=address + "/%C3%A4"))
        assert httpx.get(address + "/ä", headers=headers).status_code == 200
