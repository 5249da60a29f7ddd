"""Feeds broken tokens, key sets and policies to immure.tokens; some of the tokens have genuine signatures."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from driver import run

from immure.errors import ImmureError
from immure.tokens.errors import TokenError
from immure.tokens.explain import explain
from immure.tokens.keyset import KeySet
from immure.tokens.policy_file import parse_policy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tokens.minting import Mint, claims, jwk, sealed, validator

SECONDS = 1.0  # of computing for one input, which is far more than any needs
ONE = validator()
GOOD = Mint().token().encode()
HEAD = b'{"alg":"EdDSA","kid":"Ed25519","typ":"JWT"}'
SET = {"keys": [jwk("Ed25519", exp=2**31, nbf=1, use="sig", key_ops=["verify"], x5c=["MIIB"])]}
POLICY = b"""version = 1
[sources.login]
file = "/nonexistent"
[issuers."https://login.example/{tenantid}/v2.0"]
source = "login"
audience_class = "enterprise"
[audiences]
"https://mail.example" = ["enterprise"]
"""


def check_tokens(data: bytes) -> None:
    """Nothing but our errors, no yes to what is not a token, and an explanation that agrees."""
    begun = time.thread_time()
    try:
        if data != GOOD:
            assert not _accepted(data)
        _accepted(sealed(HEAD, data).encode())
        _accepted(sealed(data, json.dumps(claims()).encode()).encode())
        _set(data)
        with suppress(ImmureError):
            parse_policy(data, "fuzz")
    finally:
        assert time.thread_time() - begun < SECONDS


def _accepted(token: bytes) -> bool:
    try:
        accepted = bool(ONE.validate(token))
    except TokenError:
        accepted = False
    made = explain(ONE, token)
    assert made.accepted == accepted
    json.dumps(made.to_json()).encode()
    return accepted


def _set(data: bytes) -> None:
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(ImmureError):
        KeySet.from_jwks(document, "fuzz").find(None)


if __name__ == "__main__":
    run(check_tokens, [GOOD, HEAD, json.dumps(claims()).encode(), json.dumps(SET).encode(), POLICY])
