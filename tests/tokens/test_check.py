"""How checks compose: what asks nothing accepts nothing."""

from __future__ import annotations

import pytest

from immure.tokens.check import AllOf, AnyOf, Unsafe
from immure.tokens.checks import STANDARD, HasAudience, HasType, NotExpired
from immure.tokens.errors import AudienceError, EmptyCheckError, ExpiredError, SignatureError
from immure.tokens.key_checks import WithinKeyScope
from tokens.minting import Mint, T, validator

EXPIRED = Mint().token(exp=T - 999)
ELSEWHERE = Mint().token(aud="https://other.example")


@pytest.mark.parametrize(
    ("check", "token", "error"),
    [
        pytest.param(AllOf(), Mint().token(), EmptyCheckError, id="all-of-nothing"),
        pytest.param(AnyOf(), Mint().token(), EmptyCheckError, id="any-of-nothing"),
        pytest.param(AllOf(AllOf()), Mint().token(), EmptyCheckError, id="all-of-all-of-nothing"),
        pytest.param(AnyOf(AllOf(), AnyOf()), Mint().token(), EmptyCheckError, id="any-of-nothings"),
        pytest.param(AllOf(Unsafe()), EXPIRED, None, id="unsafe"),
        pytest.param(AllOf(HasAudience(), NotExpired()), EXPIRED, ExpiredError, id="all"),
        pytest.param(AnyOf(HasAudience(), NotExpired()), EXPIRED, None, id="any-first"),
        pytest.param(AnyOf(HasAudience(), NotExpired()), ELSEWHERE, None, id="any-second"),
        pytest.param(
            AnyOf(NotExpired(), HasAudience()), Mint().token(exp=1, aud="x"), AudienceError, id="neither"
        ),
    ],
)
def test_composition(check, token, error):
    one = validator(check=check)
    if error is None:
        assert one.validate(token)
    else:
        with pytest.raises(error):
            one.validate(token)


def test_even_unsafe_wants_a_signature():
    token = Mint().token()
    with pytest.raises(SignatureError):
        validator(check=Unsafe()).validate(token.rpartition(".")[0] + "." + EXPIRED.rpartition(".")[2])


def test_unsafe_is_unsafe():
    """What its name says: without key scope the incident's token gets in."""
    stolen = Mint(key="Ed25519:consumer").token()
    assert validator(check=Unsafe()).validate(stolen)
    assert validator(check=AllOf(HasType(), HasAudience(), NotExpired())).validate(stolen)


def test_parts_are_what_an_explanation_shows():
    names = [type(part).__name__ for part in STANDARD.parts]
    assert names[0] == "KeyMaySignForIssuer"
    assert len(names) == len(set(names)) == len(WithinKeyScope().parts) + 9
    assert all(part.words and "`" not in part.words for part in STANDARD.parts)
    assert AllOf().parts
