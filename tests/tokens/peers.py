"""The same question put to three libraries, each as strict as its documentation lets it be.

Ours has a policy of one issuer with keys that are assumed to be its own, as the others know nothing of key
scope: what they cannot know is no difference of interest here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import jwt as pyjwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet as JoserfcKeys

from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import jwk, key_set

ISSUER, AUDIENCE, LEEWAY = "https://login.example", "https://mail.example", 60
ALGORITHMS = {"RS": "RS256", "RS1024": "RS256", "ES256": "ES256", "Ed25519": "EdDSA"}
KEYS = [jwk(name, issuer=None, alg=alg, use="sig") for name, alg in ALGORITHMS.items() if name != "RS1024"]


class Verdicts(NamedTuple):
    """Whether each of them accepts a token."""

    ours: bool
    pyjwt: bool
    joserfc: bool

    @property
    def agree(self) -> bool:
        return len(set(self)) == 1


class Judges:
    """All three, with one set of keys, at one moment.

    Args:
        keys: JWKs, none of which says for whom it may sign.
        now: seconds since 1970; it is the time of day, as PyJWT has no other.
    """

    def __init__(self, keys: list[dict[str, Any]], now: int) -> None:
        self.keys = keys
        self.now = now
        self._validator = _built(lambda: Validator(_policy(keys)))
        self._joserfc = _built(lambda: JoserfcKeys.import_key_set({"keys": keys}))
        self._pyjwt = _built(lambda: pyjwt.PyJWKSet.from_dict({"keys": keys}))

    def verdicts(self, token: str) -> Verdicts:
        return Verdicts(
            _accepts(self._ours, token), _accepts(self._by_pyjwt, token), _accepts(self._by_joserfc, token)
        )

    def _ours(self, token: str) -> None:
        self._validator.validate(token, now=datetime.fromtimestamp(self.now, UTC))

    def _by_pyjwt(self, token: str) -> None:
        """With the key that ``kid`` names, its own algorithm, and every claim asked for that can be.

        As PyJWT's own client for key sets does, keys for another use than signatures are left out.
        """
        kid = pyjwt.get_unverified_header(token)["kid"]
        key = next(
            key for key in self._pyjwt.keys if key.key_id == kid and key.public_key_use in (None, "sig")
        )
        pyjwt.decode(
            token,
            key,
            algorithms=[ALGORITHMS[kid]],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )

    def _by_joserfc(self, token: str) -> None:
        """With its set of keys, the algorithms of those, and the claims registry."""
        found = joserfc_jwt.decode(token, self._joserfc, algorithms=list(set(ALGORITHMS.values())))
        joserfc_jwt.JWTClaimsRegistry(
            now=self.now,
            leeway=LEEWAY,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
        ).validate(found.claims)


def _built(make: Callable[[], Any]) -> Any:
    """What is made, or None: a set of keys that is refused accepts nothing."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - a library may refuse a key with any exception
        return None


def _accepts(judge: Callable[[str], None], token: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            judge(token)
        except Exception:  # noqa: BLE001 - whatever it raises, it did not accept
            return False
    return True


def _policy(keys: list[dict[str, Any]]) -> Policy:
    rule = IssuerRule(StaticSource(key_set(*keys, issuer=ISSUER)), "enterprise")
    return Policy({ISSUER: rule}, {AUDIENCE: frozenset({"enterprise"})})
