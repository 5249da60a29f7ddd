"""Why a token is accepted or refused: each rule with its outcome, for whoever must know at 3 a.m.

A validator stops at the first rule that is broken; an explanation goes on, as far as the next rule can be
asked at all. It never decides: whether the token is accepted is what :meth:`Validator.validate` says of it.
Neither the token nor its signature is in it, only the SHA-256 of the token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from immure.errors import ImmureError
from immure.tokens.algorithms import Verifier
from immure.tokens.check import Facts
from immure.tokens.claims import check_types
from immure.tokens.errors import SignatureError
from immure.tokens.parse import Header, parse_header, parse_payload, parse_signature, split_token
from immure.tokens.policy import Denies, IssuerRule
from immure.tokens.prepared import PreparedKey
from immure.tokens.validator import Validator

T = TypeVar("T")


class Outcome(Enum):
    """What became of a rule."""

    PASS = "pass"
    FAIL = "fail"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: what it asks for, its outcome, and for a failure the code and the words of the refusal."""

    rule: str
    outcome: Outcome
    code: str | None = None
    words: str | None = None


@dataclass
class Explanation:
    """All rules in the order in which they are asked.

    Attributes:
        digest: SHA-256 of the token, in hexadecimal.
        accepted: what the validator says.
        code: of its refusal.
    """

    digest: str
    rows: list[Row] = field(default_factory=list)
    accepted: bool = False
    code: str | None = None

    def ask(self, rule: str, answer: Callable[[], T], *needs: object) -> T | None:
        """What a rule answers, None if it fails, or if one of the answers that it ``needs`` is not there."""
        if any(need is None for need in needs):
            self.rows.append(Row(rule, Outcome.NOT_ASKED))
            return None
        try:
            value = answer()
        except ImmureError as error:
            self.rows.append(Row(rule, Outcome.FAIL, error.code, str(error)))
            return None
        self.rows.append(Row(rule, Outcome.PASS))
        return value

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        rows = [
            {"rule": row.rule, "outcome": row.outcome.value, "code": row.code, "words": row.words}
            for row in self.rows
        ]
        return {
            "schema": "https://immure.example/schemas/token-explanation-1.json",
            "sha256": self.digest,
            "accepted": self.accepted,
            "code": self.code,
            "rules": rows,
        }


def explain(
    validator: Validator, token: str | bytes, *, audience: str | None = None, now: datetime | None = None
) -> Explanation:
    """Ask every rule about a token. Raises nothing of what a validator raises."""
    raw = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
    made = Explanation(hashlib.sha256(raw).hexdigest())
    _ask_all(validator, token, audience, validator.moment(now), made)
    try:
        validator.validate(token, audience=audience, now=now)
    except ImmureError as error:
        made.code = error.code
    else:
        made.accepted = all(row.outcome is Outcome.PASS for row in made.rows)
    return made


def _ask_all(
    validator: Validator, token: str | bytes, audience: str | None, moment: float, made: Explanation
) -> None:
    ask, policy = made.ask, validator.policy
    parts = ask("The token has three parts of ASCII", lambda: split_token(token, policy.most_bytes))
    signed, head, payload, last = parts or (None,) * 4
    header = ask("The header can be read in one way only", lambda: parse_header(head or b""), parts)
    claims = ask("So can the claims", lambda: parse_payload(payload or b""), parts)
    signature = ask("So can the signature", lambda: parse_signature(last or b""), parts)
    found = ask("The policy knows the issuer", lambda: validator.rule_of(claims or {}), claims)
    rule, tenant = found or (None, None)
    scoped = ask(
        "The issuer's own source has the key",
        lambda: rule and header and rule.source.find(header.kid),
        rule,
        header,
    )
    key = validator.prepared(scoped) if scoped else None
    ask("The key is in a state to verify with, strong enough, and for signatures", _usable(key), key)
    denied = policy.deny_list
    if denied is not None:
        ask("The deny-list does not name the key", _denies(denied, claims, key, moment), found, key)
    ask("The key is valid now", _valid(key, moment), key)
    holds = ask("Key and policy allow the algorithm", _allowed(key, header, rule), key, header, rule)
    ask("The signature holds", lambda: _verify(holds, signature, signed), holds, signature)
    typed = ask("Claims have the types that they must have", lambda: _typed(claims), claims)
    if denied is not None:
        ask("The token is from a time that counts", lambda: denied.check_claims(claims or {}), found, typed)
    facts = None
    if header and claims and key and rule and typed:
        skew = policy.skew.total_seconds()
        facts = Facts(claims, header, key, rule, policy, tenant, audience, moment, skew)
    for check in validator.check.parts:
        ask(check.words, lambda check=check: check.verify(facts), facts)  # type: ignore[misc]


def _usable(key: PreparedKey | None) -> Callable[[], None]:
    return key.check_usable if key else _nothing


def _denies(
    denied: Denies, claims: dict[str, Any] | None, key: PreparedKey | None, moment: float
) -> Callable[[], None]:
    return partial(denied.check_key, (claims or {})["iss"], key, moment) if claims and key else _nothing


def _valid(key: PreparedKey | None, moment: float) -> Callable[[], None]:
    return partial(key.check_time, moment, "now") if key else _nothing


def _allowed(
    key: PreparedKey | None, header: Header | None, rule: IssuerRule | None
) -> Callable[[], Verifier | None]:
    if key is None or header is None or rule is None:
        return _nothing
    return partial(key.check_algorithm, header.alg, rule.algorithms)


def _nothing() -> None:
    """Stands where a rule cannot be asked."""


def _typed(claims: dict[str, Any] | None) -> bool:
    check_types(claims or {})
    return True


def _verify(holds: Verifier | None, signature: bytes | None, signed: bytes | None) -> None:
    if holds is None or not holds(signature or b"", signed or b""):
        raise SignatureError("the signature does not hold")
