"""Keys on PKCS#11 tokens: SoftHSM2 in this process, and in another one behind ``p11-kit server``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from custody.conftest import token  # noqa: F401
from custody.softhsm import PIN as OTHER_PIN
from custody.softhsm import TOKEN, SoftHsm
from immure.errors import SignerError
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.signing.pkcs11_keys import Pkcs11Keys, parse_token_uri
from immure.signing.rotation import Plan
from immure.signing.service import Service, open_keys
from signing import tokens
from signing.house import CONTOSO, MAIL, SECRET, SETTINGS, House
from signing.tokens import PIN, RemoteTokens

SCOPE = KeyScope("https://login.example", frozenset({"consumer"}))
CLAIMS = {"iss": "https://login.example", "aud": "a", "exp": 4_000_000_000}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteTokens]:
    if reason := tokens.why_not():
        pytest.skip(reason)
    made = RemoteTokens(tmp_path_factory.mktemp("p11"), "issuer", "pins")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("P11_KIT_SERVER_ADDRESS", f"unix:path={made.socket}")
        yield made
    made.end()


@pytest.fixture(autouse=True)
def no_pin_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMMURE_PIN", raising=False)


def plan(algorithm: str) -> Plan:
    return Plan(SCOPE, algorithm, "k")


def sign(keys: Pkcs11Keys, kid: str, algorithm: str, claims: dict[str, Any] = CLAIMS) -> str:
    return asyncio.run(keys.sign_token(kid, {"alg": algorithm, "kid": kid}, claims))


def opened(text: str, public: Any, algorithm: str) -> dict[str, Any]:
    """What PyJWT says the token says, if its signature holds."""
    key = jwt.PyJWK(public.to_jwk() | {"alg": algorithm})
    return jwt.decode(text, key, [algorithm], options={"verify_aud": False})


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384"])
def test_made_used_and_destroyed_in_another_process(remote: RemoteTokens, algorithm: str) -> None:
    keys, kid = Pkcs11Keys(remote.uri("issuer")), f"k-{algorithm.lower()}"
    public = keys.generate(kid, plan(algorithm))
    assert keys.generate(kid, plan(algorithm)).thumbprint == public.thumbprint
    assert opened(sign(keys, kid, algorithm), public, algorithm) == CLAIMS
    again = Pkcs11Keys(remote.uri("issuer"))
    assert again.generate(kid, plan(algorithm)).thumbprint == public.thumbprint
    assert opened(sign(again, kid, algorithm), public, algorithm) == CLAIMS
    keys.destroy(kid)
    keys.destroy(kid)
    for one in (keys, again):
        with pytest.raises(SignerError, match=r"gone from the token|there is no private key|says Object"):
            sign(one, kid, algorithm)
        asyncio.run(one.aclose())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_made_and_used_in_this_process(token: SoftHsm, tmp_path: Path, algorithm: str) -> None:  # noqa: F811
    (tmp_path / "pin").write_text(OTHER_PIN)
    (tmp_path / "pin").chmod(0o600)
    where = f"pkcs11:token={quote(TOKEN, safe='')}?module-path={token.library}&pin-source={tmp_path / 'pin'}"
    keys, kid = open_keys(where), f"here-{algorithm.lower()}"
    assert isinstance(keys, Pkcs11Keys)
    public = keys.generate(kid, plan(algorithm))
    assert opened(sign(keys, kid, algorithm), public, algorithm) == CLAIMS
    keys.destroy(kid)
    asyncio.run(keys.aclose())


def test_what_is_made_cannot_be_taken_out(remote: RemoteTokens) -> None:
    from pkcs11 import Attribute

    keys = Pkcs11Keys(remote.uri("issuer"))
    keys.generate("kept", plan("ES256"))

    def look(held: Any) -> tuple[Any, ...]:
        key = keys._find(held, "kept")
        names = ("SENSITIVE", "EXTRACTABLE", "LOCAL", "NEVER_EXTRACTABLE", "DECRYPT", "DERIVE")
        return tuple(key[getattr(Attribute, name)] for name in names)

    assert keys._sessions.run(look) == (True, False, True, True, False, False)


def test_an_algorithm_that_the_key_is_not_for(remote: RemoteTokens) -> None:
    keys = Pkcs11Keys(remote.uri("issuer"))
    keys.generate("ec", plan("ES256"))
    with pytest.raises(SignerError, match="not by 'RS256'"):
        sign(keys, "ec", "RS256")
    with pytest.raises(SignerError, match="not by 'RS256'"):
        keys.generate("ec", plan("RS256"))
    with pytest.raises(SignerError, match="unknown algorithm"):
        keys.generate("no", plan("none"))


def test_two_keys_of_one_name_are_none(remote: RemoteTokens) -> None:
    from immure.signing.pkcs11_keys import _generate

    keys = Pkcs11Keys(remote.uri("issuer"))
    for _ in range(2):
        keys._sessions.run(lambda held: _generate(held.session, "twin", "ES256", 0))
    with pytest.raises(SignerError, match="2 private keys have the label 'twin'"):
        sign(keys, "twin", "ES256")


def test_many_threads(remote: RemoteTokens) -> None:
    keys = Pkcs11Keys(remote.uri("issuer"))
    public = keys.generate("busy", plan("ES256"))

    def work(number: int) -> bool:
        claims = {**CLAIMS, "jti": str(number)}
        return opened(sign(keys, "busy", "ES256", claims), public, "ES256") == claims

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(80)))
    assert len(keys._sessions._free) <= 8


def test_a_token_that_goes_away_and_comes_back(remote: RemoteTokens) -> None:
    keys = Pkcs11Keys(remote.uri("issuer"))
    public = keys.generate("stays", plan("ES256"))
    remote.end()
    with pytest.raises(SignerError) as caught:
        sign(keys, "stays", "ES256")
    assert PIN not in str(caught.value)
    remote.begin()
    keys._sessions._not_before = 0.0  # not to wait for it
    assert opened(sign(keys, "stays", "ES256"), public, "ES256") == CLAIMS


def test_a_token_that_was_away_between_two_signatures(remote: RemoteTokens) -> None:
    keys = Pkcs11Keys(remote.uri("issuer"))
    public = keys.generate("between", plan("ES256"))
    sign(keys, "between", "ES256")
    remote.end()
    remote.begin()
    assert opened(sign(keys, "between", "ES256"), public, "ES256") == CLAIMS


def test_sessions_that_are_lost_while_the_token_stays(remote: RemoteTokens) -> None:
    keys = Pkcs11Keys(remote.uri("issuer"))
    public = keys.generate("lost", plan("ES256"))
    sign(keys, "lost", "ES256")
    login = keys._sessions._login
    assert login is not None
    login.close()  # which logs all of them out
    assert opened(sign(keys, "lost", "ES256"), public, "ES256") == CLAIMS
    for held in keys._sessions._free:
        held.session.close()
    assert opened(sign(keys, "lost", "ES256"), public, "ES256") == CLAIMS


def test_a_wrong_pin_is_tried_once(remote: RemoteTokens, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("wrong-4711\n")
    pin.chmod(0o600)
    keys = Pkcs11Keys(remote.uri("pins", pin))
    tried = _count_logins(keys)
    for words, waited in (("wrong PIN", 0), ("wrong PIN", 0), ("was refused before", 2), ("refused", 2)):
        keys._sessions._not_before -= waited
        with pytest.raises(SignerError, match=words) as caught:
            keys.generate("k", plan("ES256"))
        assert "4711" not in str(caught.value)
        assert len(tried) == 1
    pin.write_text(f"{PIN}\n")
    keys._sessions._not_before = 0.0
    with pytest.raises(SignerError, match="has been given a wrong PIN"):
        keys.generate("k", plan("ES256"))  # though it is right now: the token says how near it is to locking
    other = Pkcs11Keys(remote.uri("pins"))
    with pytest.raises(SignerError, match="log in once by hand"):
        asyncio.run(other.start())
    _log_in_by_hand("pins")
    keys._sessions._not_before = 0.0
    keys.generate("k", plan("ES256"))
    assert len(tried) == 2


def _count_logins(keys: Pkcs11Keys) -> list[int]:
    tried: list[int] = []
    log_in = keys._sessions._log_in

    def counted(meant: Any) -> Any:
        keys._sessions._check_pin(meant)
        tried.append(1)
        return log_in(meant)

    keys._sessions._log_in = counted  # type: ignore[method-assign]
    return tried


def _log_in_by_hand(label: str) -> None:
    import pkcs11

    pkcs11.lib(str(tokens.CLIENT)).get_token(token_label=label).open(user_pin=PIN).close()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pkcs11:?module-name=m&pin-source=/p", "names a token, and no key"),
        ("pkcs11:token=a;object=b?module-name=m&pin-source=/p", "names a token, and no key"),
        ("pkcs11:token=a;id=%01?module-name=m&pin-source=/p", "names a token, and no key"),
        ("pkcs11:token=a?module-name=m", "needs pin-source"),
        ("pkcs11:token=a?pin-source=/p", "name the library"),
        ("pkcs11:token=a?module-name=m&pin-value=4711", "a PIN in a URI is seen by others"),
        ("pkcs11:token=a?module-name=m&pin-source=/p&alg=RS256", "each key has its own"),
        ("pkcs11:token=a;x-y=b?module-name=m&pin-source=/p", "is not understood there"),
    ],
)
def test_uris_that_are_refused(uri: str, words: str) -> None:
    with pytest.raises(SignerError, match=words) as caught:
        parse_token_uri(uri)
    assert "4711" not in str(caught.value)


def test_a_pin_file_that_is_not_there(remote: RemoteTokens, tmp_path: Path) -> None:
    keys = Pkcs11Keys(remote.uri("issuer", tmp_path / "none"))
    with pytest.raises(SignerError, match="No such file"):
        asyncio.run(keys.start())


def test_a_whole_service(
    remote: RemoteTokens, tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.replace('"file+unsafe:private"', f'"{remote.uri("issuer")}"').replace(
        "EdDSA", "PS256"
    )
    house = House(tmp_path, settings)

    async def work(client: Any, service: Service) -> None:
        asked = {"grant_type": "client_credentials", "resource": MAIL}
        answer = await client.post("/enterprise/token", data=asked, auth=("daemon", SECRET))
        [record] = [one for one in service.registry.records() if one.kid == "enterprise-0001"]
        claims = opened(answer.json()["access_token"], record.key, "PS256")
        assert claims["tid"] == CONTOSO
        for kid in {one.kid for one in service.registry.records()}:
            service.keys.destroy(kid)
        refused = await client.post("/enterprise/token", data=asked, auth=("daemon", SECRET))
        assert refused.status_code == 503
        assert record.state is KeyState.ACTIVE
        assert service.warning is None

    run(house, work)
    assert os.environ["P11_KIT_SERVER_ADDRESS"]


def test_a_service_whose_token_is_taken_out_and_put_back(
    remote: RemoteTokens, tmp_path: Path, run: Callable[..., Any]
) -> None:
    """503 while it is away, tokens again when it is back: nobody has to do anything, and no PIN is seen."""
    import io

    text = SETTINGS.replace("file+unsafe:private", remote.uri("issuer")).replace("EdDSA", "RS256")
    for name in ("consumer", "enterprise"):  # names of their own: the token is shared with other tests
        text = text.replace(f"[issuers.{name}]\n", f'[issuers.{name}]\nkeys.prefix = "{name}-out"\n')
    house = House(tmp_path, text)
    asked = {"grant_type": "client_credentials", "resource": MAIL}

    async def status(client: Any) -> int:
        answer = await client.post("/enterprise/token", data=asked, auth=("daemon", SECRET))
        return int(answer.status_code)

    async def work(client: Any, service: Service) -> None:
        assert await status(client) == 200
        remote.end()
        assert await status(client) == 503
        remote.begin()
        end = time.monotonic() + 20
        while await status(client) != 200:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
        use = await asyncio.to_thread(service.keys.use, "enterprise-out-0001")
        assert (use.signed, use.lasts, use.quota) == (2, False, None)

    journal = io.StringIO()
    run(house, work, stream=journal)
    assert PIN not in journal.getvalue()
    assert '"event": "unavailable"' in journal.getvalue()


def test_a_signer_by_uri_in_another_process(remote: RemoteTokens) -> None:
    """The same token by ``open_signer``: attest and the ledger's log may be signed there too."""
    from immure.custody import open_signer

    keys = Pkcs11Keys(remote.uri("issuer"))
    public = keys.generate("by-uri", plan("ES256"))
    with open_signer(remote.uri("issuer").replace("?", ";object=by-uri?")) as signer:
        assert signer.thumbprint == public.thumbprint
        assert signer.sign(b"message")
    assert opened(sign(keys, "by-uri", "ES256"), public, "ES256") == CLAIMS  # closing the one logs us out


def test_what_a_token_cannot_do(remote: RemoteTokens) -> None:
    """p11-kit 0.25 does not pass Ed25519 on: an error that says so, nothing is left, and other keys work."""
    keys = Pkcs11Keys(remote.uri("issuer"))
    try:
        public = keys.generate("ed", plan("EdDSA"))
    except SignerError as error:
        assert "the token does not sign by this algorithm" in str(error)  # noqa: PT017 - a newer one may do it
        with pytest.raises(SignerError, match=r"there is no private key|gone from the token"):
            sign(keys, "ed", "EdDSA")
    else:
        assert opened(sign(keys, "ed", "EdDSA"), public, "EdDSA") == CLAIMS
    keys.generate("after", plan("ES256"))
    assert sign(keys, "after", "ES256")


@pytest.mark.parametrize(
    ("query", "warned"),
    [
        ("module-path=/usr/lib/softhsm/libsofthsm2.so", True),
        ("module-name=softhsm2", True),
        ("module-path=/usr/lib64/libsoftokn3.so", True),
        ("module-path=/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so", False),
        ("module-path=/opt/hsm/lib/libcknfast.so", False),
    ],
)
def test_a_token_that_is_a_library_in_this_process_is_unsafe(query: str, warned: bool) -> None:
    keys = Pkcs11Keys(f"pkcs11:token=drill?{query}&pin-source=/run/pin")
    assert (keys.warning is not None) == warned
    if keys.warning is not None:
        assert keys.warning.startswith("UNSAFE")


def test_a_link_to_such_a_library_is_one(tmp_path) -> None:
    library = tmp_path / "libsofthsm2.so"
    library.write_bytes(b"")
    (tmp_path / "token.so").symlink_to(library)
    assert Pkcs11Keys(f"pkcs11:token=drill?module-path={tmp_path}/token.so&pin-source=/run/pin").warning
