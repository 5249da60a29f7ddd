"""The exact edges of what holders must prove; see test_edges.py."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from immure.keymaterial.key import b64url
from immure.tokens import dpop
from immure.tokens.dpop import ProofChecker
from immure.tokens.errors import (
    ClaimTypeError,
    ProofError,
)
from tokens.minting import (
    NOW,
    Mint,
    T,
    jwk,
    sealed,
    validator,
)
from tokens.test_dpop import KEY, TOKEN, URL, check, proof
from tokens.test_edges import GOOD

# --- the holder's key ---


@pytest.mark.parametrize("digest", [7, "é", None, ["a"]])
def test_digests_that_are_none(digest):
    for name in ("jkt", "x5t#S256"):
        with pytest.raises(ClaimTypeError, match=r"^a member of cnf is not a digest$"):
            validator().validate(Mint().token(cnf={name: digest}), certificate=b"x", proof="a")


def test_cnf_that_is_null():
    token = sealed(
        b'{"alg":"EdDSA","kid":"Ed25519"}',
        json.dumps({**json.loads(json.dumps(dict(validator().validate(GOOD)))), "cnf": None}).encode(),
    )
    for how in ("if-bound", "required"):
        with pytest.raises(ClaimTypeError, match=r"^cnf is not an object$"):
            validator(confirmation=how).validate(token)
    assert validator(confirmation="ignored").validate(token)


# --- proofs (RFC 9449) ---


class Clock:
    """Seconds that pass when we say so."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def to(self, second):
        self.now = NOW + timedelta(seconds=second - T)


@pytest.mark.parametrize(
    ("made", "taken"), [(T - 60, True), (T - 60.5, False), (T + 5, True), (T + 5.5, False), (T - 61, False)]
)
def test_the_age_of_proofs(made, taken):
    if taken:
        assert check(proof(iat=made))
        return
    with pytest.raises(ProofError, match=r"^the proof is too old, or of the future$"):
        check(proof(iat=made))


def test_a_proof_is_remembered_as_long_as_it_could_be_taken():
    time = Clock()
    checker = ProofChecker(time=time)
    early = proof(iat=T + 5)
    assert check(early, checker)
    for second in (T, T + 5, T + 65):
        time.to(second)
        with pytest.raises(ProofError, match=r"^the proof was used before$"):
            check(early, checker)
    time.to(T + 66)
    with pytest.raises(ProofError, match="too old"):
        check(early, checker)


def test_when_no_more_can_be_remembered(monkeypatch):
    monkeypatch.setattr(dpop, "_MOST_KEPT", 2)
    time = Clock()
    checker = ProofChecker(time=time)
    for name in ("1", "2"):
        assert check(proof(jti=name), checker)
    with pytest.raises(ProofError, match=r"^more proofs than can be remembered: try again$"):
        check(proof(jti="3"), checker)
    time.to(T + 60)  # at which they could still be taken
    with pytest.raises(ProofError, match="more proofs"):
        check(proof(jti="3", iat=T + 60), checker)
    with pytest.raises(ProofError, match="used before"):
        check(proof(jti="1"), checker)
    time.to(T + 61)
    assert check(proof(jti="3", iat=T + 61), checker)
    assert check(proof(jti="1", iat=T + 61), checker)
    with pytest.raises(ProofError, match="more proofs"):
        check(proof(jti="4", iat=T + 61), checker)


@pytest.mark.parametrize("name", ["", 7, None, ["a"]])
def test_ids_of_proofs_that_are_none(name):
    with pytest.raises(ProofError, match=r"^the proof has no id \(jti\)$"):
        check(proof(jti=name))


@pytest.mark.parametrize("made", [True, None, "x", [T]])
def test_times_of_proofs_that_are_none(made):
    with pytest.raises(ProofError, match=r"^the proof has no time \(iat\)$"):
        check(proof(iat=made))


def test_extensions_and_weak_keys_of_proofs():
    with pytest.raises(ProofError, match="extension"):
        check(proof(header={"b64": False}))
    assert check(proof(header={"b64": True}))
    short = {name: value for name, value in jwk("RS1024").items() if name in ("kty", "n", "e")}
    with pytest.raises(ProofError, match=r"^the proof's key has 1024 bits; 2048 to 16384 are taken$"):
        check(proof("RS1024", "RS256", header={"jwk": short}))


def test_algorithms_of_proofs():
    only = ProofChecker(time=lambda: NOW, algorithms=frozenset({"ES384", "EdDSA"}))
    with pytest.raises(ProofError, match=r"^the proof's algorithm is not taken$"):
        check(proof(), only)
    with pytest.raises(ProofError, match=r"^the proof's algorithm is not taken$"):
        check(proof(header={"alg": "EdDSA"}), only)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("https://mail.example", "https://mail.example/", True),
        ("https://mail.example:443/a", "https://mail.example/a", True),
        ("https://mail.example:8443/a", "https://mail.example/a", False),
        ("http://mail.example:80/a", "http://mail.example/a", True),
        ("https://Mail.Example/a", "https://mail.example/a", True),
        ("https://other.example/a", "https://mail.example/a", False),
        ("https://mail.example/A", "https://mail.example/a", False),
        ("https:///a", "https://xxxx/a", False),
        ("https:///a", "https:///a", True),
    ],
)
def test_addresses_of_proofs(ours, theirs, same):
    if same:
        assert check(proof(htu=theirs), url=ours)
        return
    with pytest.raises(ProofError, match="another address"):
        check(proof(htu=theirs), url=ours)


def test_proofs_of_tokens_that_are_no_text():
    checker = ProofChecker(time=lambda: NOW)
    token = TOKEN + "\ud800"
    ath = b64url(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())
    assert checker.verify(proof(ath=ath), method="GET", url=URL, token=token)
    assert KEY["kty"] == "EC"


def test_the_longest_proof():
    padding = 8192 - len(proof(x=""))
    longest = proof(x="a" * (padding * 3 // 4 - 3))
    assert 8100 < len(longest) <= 8192
    assert check(longest)
    with pytest.raises(ProofError, match="8192 are taken"):
        check(proof(x="a" * 7000))


def test_two_clients_may_use_the_same_id():
    checker = ProofChecker(time=lambda: NOW)
    other = {name: value for name, value in jwk("ES256:other").items() if name in ("kty", "crv", "x", "y")}
    assert check(proof(), checker) != check(proof("ES256:other", header={"jwk": other}), checker)
