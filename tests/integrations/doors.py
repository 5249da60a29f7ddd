"""What every adapter is tried on: the same resource, and the same requests with the answer in the row.

Every app has four paths: ``/open`` is for anybody; ``/me`` needs a token and answers with ``subject`` and
``scopes``; ``/send`` needs the scope ``mail.send`` as well; ``/down`` is as ``/me``, with an issuer whose
keys cannot be had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from immure.errors import KeySourceError
from immure.integrations.bearer import Guard, metadata_url
from immure.keymaterial.key import b64url
from immure.registry.scope import ScopedKey
from immure.tokens.dpop import ProofChecker
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.validator import Validator
from tokens.minting import CHAT, ENTERPRISE, MAIL, NOW, Mint, T, jwk, key_set, sealed, validator

Headers = list[tuple[str, str]]
METADATA = metadata_url(MAIL)
#: The key of a client, as DPoP proofs bring it, and its thumbprint.
CLIENT = {name: value for name, value in jwk("ES256:client").items() if name in ("kty", "crv", "x", "y")}
HOLDER = key_set(CLIENT).keys[0].key.thumbprint
BOUND = Mint().token(cnf={"jkt": HOLDER})
GOOD = Mint().token(scope="mail.read")
_numbers = count()


class NoKeys(KeySource):
    """An issuer that does not answer."""

    def find(self, kid: str | None) -> ScopedKey:
        raise KeySourceError("the issuer does not answer", path="https://login.example/keys")

    async def afind(self, kid: str | None) -> ScopedKey:
        return self.find(kid)


def guard(**changes: Any) -> Guard:
    """The guard of the resource; make a new one for every app, as it takes a proof once."""
    made = {"realm": "mail", "resource_metadata": METADATA, "origin": MAIL, "audience": MAIL}
    made |= {"proofs": ProofChecker(time=lambda: NOW)} | changes
    return Guard(made.pop("validator", None) or validator(), **made)


def down_guard(**changes: Any) -> Guard:
    """The same, without keys."""
    policy = Policy({ENTERPRISE: IssuerRule(NoKeys(), "enterprise")}, {MAIL: frozenset({"enterprise"})})
    return guard(validator=Validator(policy, time=lambda: NOW), **changes)


def proof(
    token: str = BOUND,
    key: str = "ES256:client",
    method: str = "GET",
    url: str = MAIL + "/me",
    **changes: Any,
) -> str:
    """A DPoP proof; each has an id of its own."""
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": CLIENT}
    ath = b64url(hashlib.sha256(token.encode()).digest())
    claims = {"jti": f"proof-{next(_numbers)}", "htm": method, "htu": url, "iat": T, "ath": ath} | changes
    return sealed(json.dumps(head).encode(), json.dumps(claims).encode(), key, "ES256")


@dataclass(frozen=True)
class Case:
    """A request, and the answer.

    Attributes:
        path: with a query, if any.
        headers: of the request; made when it is sent.
        status: of the answer.
        rule: ``code`` in its body, for one that is not let in.
        told: what its challenge has in it.
    """

    path: str
    headers: Callable[[], Headers]
    status: int
    rule: str = ""
    told: tuple[str, ...] = ()


def bearer(token: str, scheme: str = "Bearer") -> Headers:
    return [("Authorization", f"{scheme} {token}")]


def bound(*proofs: str, token: str = BOUND) -> Headers:
    return [*bearer(token, "DPoP"), *(("DPoP", one) for one in proofs)]


_OTHER_HOLDER = Mint().token(cnf={"jkt": "A" * 43})
_BY_CERTIFICATE = Mint().token(cnf={"x5t#S256": "A" * 43})
_SENDER = {"scope": "mail.read mail.send"}
INVALID = 'error="invalid_token"'
BAD_PROOF = ('DPoP algs="', 'error="invalid_dpop_proof"')

_TABLE: dict[str, Case] = {
    "open": Case("/open", list, 200),
    "no-header": Case("/me", list, 401, "token-absent", ('Bearer realm="mail"', METADATA)),
    "basic": Case("/me", lambda: bearer("YTpi", "Basic"), 401, "token-absent", ('Bearer realm="mail"',)),
    "scheme-alone": Case(
        "/me", lambda: [("Authorization", "Bearer")], 400, "credentials", ("invalid_request",)
    ),
    "two-words": Case("/me", lambda: bearer(f"{GOOD} x"), 400, "credentials", ("invalid_request",)),
    "two-in-one": Case(
        "/me", lambda: bearer(f"{GOOD}, Bearer {GOOD}"), 400, "credentials", ("invalid_request",)
    ),
    "two-headers": Case("/me", lambda: bearer(GOOD) * 2, 400, "credentials", ("invalid_request",)),
    "good-and-bad": Case("/me", lambda: bearer(GOOD) + bearer("x"), 400, "credentials", ("invalid_request",)),
    "in-the-query": Case(f"/me?access_token={GOOD}", list, 401, "token-absent"),
    "garbage": Case("/me", lambda: bearer("garbage"), 401, "token-form", (INVALID, "token-form")),
    "expired": Case("/me", lambda: bearer(Mint().token(exp=T - 3600)), 401, "token-expired", (INVALID,)),
    "for-another": Case("/me", lambda: bearer(Mint().token(aud=CHAT)), 401, "token-audience", (INVALID,)),
    "consumer-key-enterprise-token": Case(
        "/me",
        lambda: bearer(Mint(key="Ed25519:consumer").token()),
        401,
        "key-issuer",
        (INVALID, "key-issuer"),
    ),
    "scp-a-number": Case("/me", lambda: bearer(Mint().token(scp=7)), 401, "claim-type", (INVALID,)),
    "good": Case("/me", lambda: bearer(GOOD), 200),
    "good-lower-case": Case("/me", lambda: bearer(GOOD, "bearer"), 200),
    "no-scope": Case(
        "/send",
        lambda: bearer(GOOD),
        403,
        "scope-missing",
        ('error="insufficient_scope"', 'scope="mail.send"'),
    ),
    "part-of-a-scope": Case(
        "/send", lambda: bearer(Mint().token(scope="mail.sendmore")), 403, "scope-missing"
    ),
    "no-header-for-a-scope": Case("/send", list, 401, "token-absent", ('scope="mail.send"',)),
    "scope-text": Case("/send", lambda: bearer(Mint().token(**_SENDER)), 200),
    "scope-list": Case("/send", lambda: bearer(Mint().token(scope=["mail.read", "mail.send"])), 200),
    "scp-text": Case("/send", lambda: bearer(Mint().token(scp="mail.send")), 200),
    "scp-list": Case("/send", lambda: bearer(Mint().token(scp=["mail.send"])), 200),
    "no-keys": Case("/down", lambda: bearer(GOOD), 503, "key-source"),
    "no-keys-no-header": Case("/down", list, 401, "token-absent"),
    "bound-to-a-certificate": Case(
        "/me", lambda: bearer(_BY_CERTIFICATE), 401, "token-confirmation", (INVALID,)
    ),
    "bound-as-bearer": Case("/me", lambda: bearer(BOUND), 401, "token-confirmation", ("Bearer ", INVALID)),
    "bound-as-bearer-with-proof": Case(
        "/me", lambda: [*bearer(BOUND), ("DPoP", proof())], 401, "token-confirmation", (INVALID,)
    ),
    "bound": Case("/me", lambda: bound(proof()), 200),
    "bound-without-proof": Case("/me", bound, 401, "dpop-proof", BAD_PROOF),
    "bound-two-proofs": Case("/me", lambda: bound(proof(), proof()), 401, "dpop-proof", BAD_PROOF),
    "bound-proof-for-another-method": Case(
        "/me", lambda: bound(proof(method="POST")), 401, "dpop-proof", BAD_PROOF
    ),
    "bound-proof-for-another-path": Case(
        "/me", lambda: bound(proof(url=MAIL + "/send")), 401, "dpop-proof", BAD_PROOF
    ),
    "bound-proof-of-another": Case(
        "/me", lambda: bound(proof(_OTHER_HOLDER), token=_OTHER_HOLDER), 401, "token-confirmation"
    ),
    "not-bound-as-dpop": Case(
        "/me", lambda: bound(proof(GOOD), token=GOOD), 401, "token-confirmation", ('DPoP algs="', INVALID)
    ),
}
CASES = [pytest.param(case, id=name) for name, case in _TABLE.items()]


def check_answer(case: Case, status: int, headers: Headers, body: bytes) -> None:
    """AssertionError if the answer is not the row's.

    Args:
        case: the row.
        status, headers, body: what a client got; names of headers in any case.
    """
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    assert status == case.status, body
    challenges = named.get("www-authenticate", [])
    if status == 200:
        assert not challenges
        return
    answer = json.loads(body)
    assert answer["code"] == case.rule
    assert named["content-type"][0].partition(";")[0] == "application/json"
    assert named["cache-control"] == ["no-store"]
    assert (len(challenges), "retry-after" in named) == ((0, True) if status == 503 else (1, False))
    assert ("error=" in "".join(challenges)) == ("error" in answer)
    for name in ("error", "error_description") if "error" in answer else ():
        assert f'{name}="{answer[name]}"' in challenges[0]
    assert answer["error_description"]
    for words in case.told:
        assert words in challenges[0]
    for name, value in case.headers():
        if name == "Authorization" and len(value.split()[-1]) > 20:
            assert value.split()[-1] not in body.decode() + "".join(challenges)
