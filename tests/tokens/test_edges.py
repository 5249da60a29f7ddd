"""The exact edges of rules about tokens: the last value that is taken, and the first that is not.

Found wanting by mutation testing (``scripts/mutate``): each of these fails if an edge moves.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import timedelta

import pytest

from immure.errors import PolicyError
from immure.keymaterial.key import b64url
from immure.tokens import validator as validating
from immure.tokens.check import AllOf, AnyOf, Check, Unsafe
from immure.tokens.checks import HasAudience, NotExpired
from immure.tokens.claims import Claims, audiences
from immure.tokens.errors import (
    AudienceError,
    ConfirmationError,
    EmptyCheckError,
    ExpiredError,
    TokenError,
    UnknownKeyError,
)
from immure.tokens.parse import parse_token
from immure.tokens.strict import decode_object
from tokens.minting import (
    CHAT,
    ISSUER,
    MAIL,
    NOW,
    TENANT,
    Mint,
    T,
    jwk,
    key_set,
    policy,
    sealed,
    validator,
)

GOOD = Mint().token()
LATEST = 253_402_300_799


def code(one, token, **options):
    try:
        one.validate(token, **options)
    except TokenError as error:
        return error.code
    return None


# --- times ---


@pytest.mark.parametrize(
    ("claims", "refused"),
    [
        ({"exp": T - 59}, None),
        ({"exp": T - 60}, "token-expired"),
        ({"exp": T - 59.5}, None),
        ({"nbf": T + 60}, None),
        ({"nbf": T + 61}, "token-not-yet"),
        ({"nbf": T + 60.5}, "token-not-yet"),
        ({"iat": T + 60}, None),
        ({"iat": T + 60.5}, "token-issued-at"),
        ({"iat": T + 5, "exp": T + 5}, None),
        ({"iat": T + 6, "exp": T + 5}, "token-issued-at"),
        ({"exp": LATEST}, None),
        ({"exp": LATEST + 1}, "claim-type"),
        ({"iat": 0, "nbf": 0}, None),
        ({"iat": -1}, "claim-type"),
        ({"nbf": -0.5}, "claim-type"),
        ({"auth_time": LATEST}, None),
        ({"auth_time": LATEST + 1}, "claim-type"),
    ],
)
def test_times(claims, refused):
    assert code(validator(), Mint().token(**{"iat": None, "nbf": None, **claims})) == refused


@pytest.mark.parametrize(
    ("claims", "refused"),
    [
        ({"iat": T - 3660, "exp": T - 59}, "token-lifetime"),
        ({"iat": T - 3600, "exp": T}, None),
        ({"iat": T - 3601, "exp": T - 1}, None),
        ({"iat": T - 3660, "exp": T - 60.5}, "token-expired"),
        ({"iat": T - 3661, "exp": None}, "token-lifetime"),
        ({"iat": T - 3660, "exp": None}, None),
        ({"iat": T, "exp": T + 3600}, None),
        ({"iat": T, "exp": T + 3601}, "token-lifetime"),
    ],
)
def test_ages(claims, refused):
    one = validator(max_age=timedelta(hours=1), require=frozenset())
    assert code(one, Mint().token(nbf=None, **claims)) == refused


# --- claims ---


def test_a_list_of_scopes_excuses_no_claim_behind_it():
    assert code(validator(), Mint().token(scope=["a"], nonce=7)) == "claim-type"
    assert code(validator(), Mint().token(scope=["a", 7])) == "claim-type"
    assert code(validator(), Mint().token(sub=["a"])) == "claim-type"


def test_audiences_as_a_tuple():
    assert audiences({}) == ()
    assert audiences({"aud": "a"}) == ("a",)
    assert audiences({"aud": ["a", "b"]}) == ("a", "b")


def test_claims_that_are_not_there():
    key = key_set(jwk("Ed25519")).find("Ed25519")
    made = Claims({"iss": "x"}, key, parse_token(GOOD).header, "enterprise", None)
    assert (made.subject, made.audience, made.expires, made.tenant) == (None, (), None, None)
    assert list(made) == ["iss"]
    assert validator().validate(GOOD).tenant == TENANT


@pytest.mark.parametrize(
    ("values", "claims", "refused"),
    [
        ({"v": [True]}, {"v": True}, None),
        ({"v": [True]}, {"v": 1}, "claim-value"),
        ({"v": [1, "a"]}, {"v": "a"}, None),
        ({"v": ["a"]}, {"v": ["a"]}, "claim-value"),
        ({"v": [1]}, {"v": 1.0}, "claim-value"),
        ({"v": ["a"], "w": ["b"]}, {"v": "a", "w": "c"}, "claim-value"),
        ({"v": ["a"], "w": ["b"]}, {"v": "a"}, "claim-missing"),
    ],
)
def test_values(values, claims, refused):
    assert code(validator(values=values), Mint().token(**claims)) == refused


@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
def test_whole_seconds(name):
    one = validator(whole_seconds=True)
    assert code(one, Mint().token(**{name: T + (30 if name == "exp" else -30)})) is None
    assert code(one, Mint().token(**{name: T + 0.5})) == "claim-type"


def test_claims_that_are_asked_for_and_no_others():
    names = frozenset(dict(validator().validate(GOOD)))
    assert code(validator(require=names), GOOD) is None
    assert code(validator(require=names | {"x"}), GOOD) == "claim-missing"
    assert code(validator(require=frozenset()), Mint().token(exp=None)) is None


# --- what is remembered between tokens ---


def test_a_header_that_was_accepted_is_not_read_again():
    one = validator()
    first, second = (one.validate(Mint().token(sub=name)).header for name in ("a", "b"))
    assert first is second
    (kept,) = one._headers.values()
    assert kept is first
    ((rule, tenant),) = one._rules.values()
    assert (rule.audience_class, tenant) == ("enterprise", TENANT)
    assert list(one._rules) == [ISSUER]


def test_no_more_is_remembered_than_is_said_to_be(monkeypatch):
    monkeypatch.setattr(validating, "_MOST_KEPT", 2)
    one = validator()
    issuers = [f"https://login.example/{number * 8}-2222-4333-8444-555555555555/v2.0" for number in "1234"]
    for number, issuer in enumerate(issuers):
        token = Mint(header={"n": number}).token(iss=issuer, tid=issuer.split("/")[3])
        for _ in range(2):
            assert one.validate(token).issuer == issuer
        assert len(one._headers) == len(one._rules) == number % 2 + 1
        assert issuer in one._rules


# --- form ---


def test_sizes():
    token = Mint().token()
    assert code(validator(most_bytes=len(token)), token) is None
    assert code(validator(most_bytes=len(token) - 1), token) == "token-size"
    for size in (1, 16 << 10):
        assert policy(most_bytes=size).most_bytes == size
    for skew in (timedelta(0), timedelta(minutes=10)):
        assert policy(skew=skew).skew == skew
    assert policy(max_age=timedelta(microseconds=1))


def test_a_token_taken_apart():
    parsed = parse_token(GOOD)
    head, _, signature = GOOD.split(".")
    assert parsed.signing_input == GOOD.rpartition(".")[0].encode()
    assert b64url(parsed.signature) == signature
    assert parsed.header.segment == head.encode()
    assert (parsed.header.alg, parsed.header.kid, parsed.header.typ) == ("EdDSA", "Ed25519", "jwt")
    assert parsed.claims["iss"] == ISSUER
    with pytest.raises(TokenError) as caught:
        parse_token(GOOD, most_bytes=20)
    assert caught.value.code == "token-size"


@pytest.mark.parametrize("blank", ["\x0b", "\x0c", "\xa0", "\u2003", "\x1f", "\x00"])
def test_only_four_characters_are_blanks(blank):
    for text in (f"{blank}{{}}", f"{{}}{blank}", f"{{{blank}}}"):
        with pytest.raises(TokenError):
            decode_object(text.encode())
    assert decode_object(b" \t\r\n{} \t\r\n") == {}


@pytest.mark.parametrize("text", ["1e308", "-1e308", "1.5", "0.1e-400", "9" * 4000])
def test_numbers_that_are_some(text):
    assert decode_object(b'{"x":' + text.encode() + b"}")


def test_names_are_shown_in_part_only():
    with pytest.raises(TokenError) as caught:
        decode_object(json.dumps({"a" * 39 + "bcd": 1})[:-1].encode() + b',"' + b"a" * 39 + b'bcd":1}')
    assert str(caught.value).endswith(f"'{'a' * 39}b'")
    head = {"alg": "EdDSA", "kid": "Ed25519", "crit": ["c" * 39 + "def"]}
    with pytest.raises(TokenError) as caught:
        validator().validate(sealed(json.dumps(head).encode(), b"{}"))
    assert str(caught.value).endswith(f"'{'c' * 39}d'")
    for claims, shown in (({"iss": "i" * 300}, f"'{'i' * 200}'"),):
        with pytest.raises(TokenError) as caught:
            validator().validate(Mint().token(**claims))
        assert str(caught.value).endswith(shown)
    with pytest.raises(TokenError) as caught:
        validator().validate(Mint(header={"kid": "k" * 100}).token())
    assert str(caught.value).endswith(f"'{'k' * 80}'")
    with pytest.raises(TokenError) as caught:
        validator(token_type="at+jwt").validate(Mint(header={"typ": "t" * 50}).token())
    assert str(caught.value) == f"typ is '{'t' * 40}', not 'at+jwt'"


# --- composed checks ---


def test_what_is_said_without_parts():
    for check_ in (AllOf(), AnyOf()):
        with pytest.raises(EmptyCheckError, match=r"^a check without parts accepts nothing$"):
            check_.verify(None)


def test_parts_and_words():
    one, other = HasAudience(), NotExpired()
    assert AllOf(one, AllOf(other)).parts == (one, other)
    assert AnyOf(one, other).parts[0].checks == (one, other)
    assert AllOf().parts[0].checks == ()
    assert one.words == "The token is for an audience of ours, which takes tokens of the issuer's class"
    assert AllOf().words == "All parts accept the token"
    assert other.words == "exp has not passed"

    class Undocumented(Check):
        def verify(self, facts):
            """Accepts."""

    assert Undocumented().words == "Undocumented"


def test_any_of_asks_no_further_than_the_first_that_accepts():
    class Never(Check):
        def verify(self, facts):
            raise AssertionError("was asked")

    assert validator(check=AnyOf(Unsafe(), Never())).validate(GOOD)


# --- without blocking ---


def test_asynchronous_validation_passes_on_all_that_it_is_given():
    one = validator()
    certificate = b"DER"
    digest = b64url(hashlib.sha256(certificate).digest())
    bound, proved = Mint().token(cnf={"x5t#S256": digest}), Mint().token(cnf={"jkt": "abc"})

    def ask(token, **options):
        return asyncio.run(one.avalidate(token, **options))

    assert ask(GOOD, audience=MAIL)["iss"] == ISSUER
    assert ask(bound, certificate=certificate)
    assert ask(proved, proof="abc")
    for error, token, options in (
        (PolicyError, GOOD, {"audience": "https://other.example"}),
        (AudienceError, GOOD, {"audience": CHAT}),
        (ExpiredError, GOOD, {"now": NOW + timedelta(hours=2)}),
        (ConfirmationError, bound, {}),
        (ConfirmationError, proved, {"certificate": certificate}),
        (UnknownKeyError, Mint(header={"kid": "x"}).token(), {}),
    ):
        with pytest.raises(error):
            ask(token, **options)
