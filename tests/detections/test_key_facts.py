"""What the registry says of the keys of accepted tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from detections.test_reconcile import digest, write
from immure.detections.engine import Engine
from immure.detections.key_facts import Knowledge, bind_acceptances, lives_of
from immure.detections.row_rules import row_findings
from immure.detections.rule_files import built_in
from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.registry.record import KeyRecord
from immure.registry.scope import TENANT, KeyScope
from immure.registry.state import KeyState

START = datetime(2026, 1, 1, tzinfo=UTC)
T = int(START.timestamp())
ISSUER = "https://login.example"
POOL = f"https://login.example/{TENANT}/v2.0"
UUID, OTHER = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f", "00000000-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
RULES = [rule for rule in built_in() if rule.kind == "row" and rule.about == "acceptance"]
ALL = frozenset({"consumer"})
SCOPE = KeyScope(ISSUER, audience_classes=ALL)


def record(number: int = 1, kid: str = "k1", scope: KeyScope | None = SCOPE, **changes: Any) -> KeyRecord:
    key = PublicKey(OkpNumbers("Ed25519", bytes([number]) * 32), Origin("test"))
    return KeyRecord.new(key, kid, scope, by="test", at=START, state=changes.get("state", KeyState.ACTIVE))


def become(one: KeyRecord, state: KeyState, days: float, **more: Any) -> KeyRecord:
    return one.become(state, reason="test", by="test", at=START + timedelta(days=days), **more)


def found(tmp_path: Path, records: list[KeyRecord] | None, use: dict[str, Any], **known: Any) -> set[str]:
    """Rules that one use of a token sets off."""
    row = {
        "record_id": "1",
        "source": "x",
        "time": (T + 7200) * 1_000_000,
        "verdict": "accepted",
        "digest": digest(1),
        "iss": ISSUER,
        "kid": "k1",
        "iat": T + 7000,
        "exp": T + 10_000,
        "aud": ["https://mail.example"],
        **use,
    }
    path = write(tmp_path / "accepted.parquet", [row], "acceptance", 10)
    knowledge = Knowledge(records, **{"audiences": {"https://mail.example": ALL}, **known})
    with Engine(tmp_path, threads=1) as engine:
        bind_acceptances(engine, [path], knowledge)
        assert engine.one("SELECT count(*) FROM acceptance") == (1,)
        return {rule.id for rule in RULES for _ in row_findings(engine, rule)}


suspended = become(record(), KeyState.SUSPENDED, 1)
retired = become(record(), KeyState.DEACTIVATED, 1)
stolen = become(record(), KeyState.COMPROMISED, 9, since=START + timedelta(days=2))
templated = record(scope=KeyScope(POOL, audience_classes=ALL))
DAY = 86_400

CASES: list[tuple[str, list[KeyRecord] | None, dict[str, Any], dict[str, Any], set[str]]] = [
    ("all is well", [record()], {}, {}, set()),
    ("no registry", None, {"kid": "k9"}, {}, set()),
    ("unknown kid", [record()], {"kid": "k9"}, {}, {"key-unknown"}),
    ("unknown thumbprint under a known kid", [record()], {"thumbprint": "x" * 43}, {}, {"key-unknown"}),
    (
        "known thumbprint under another kid",
        [record()],
        {"kid": "z", "thumbprint": record().thumbprint},
        {},
        set(),
    ),
    ("no kid at all", [record()], {"kid": None}, {}, set()),
    ("other issuer", [record()], {"iss": "https://other.example"}, {}, {"key-other-issuer"}),
    ("no scope", [record(scope=None)], {}, {}, {"key-other-issuer"}),
    ("two keys of one kid", [record(2, scope=KeyScope("https://b.example", ALL)), record()], {}, {}, set()),
    (
        "other class",
        [record()],
        {},
        {"audiences": {"https://mail.example": frozenset({"enterprise"})}},
        {"key-other-audience"},
    ),
    ("class that nobody states", [record()], {}, {"audiences": {}}, set()),
    ("tenant of the issuer", [templated], {"iss": POOL.replace(TENANT, UUID), "tenant": UUID}, {}, set()),
    (
        "another tenant",
        [templated],
        {"iss": POOL.replace(TENANT, UUID), "tenant": OTHER},
        {},
        {"key-other-tenant"},
    ),
    (
        "tenant out of scope",
        [record(scope=KeyScope(ISSUER, ALL, frozenset({UUID})))],
        {"tenant": OTHER},
        {},
        {"key-other-tenant"},
    ),
    ("before it was suspended", [suspended], {}, {}, set()),
    (
        "while it is suspended",
        [suspended],
        {"iat": T + 2 * DAY, "time": (T + 2 * DAY) * 1_000_000, "exp": None},
        {},
        {"key-not-active"},
    ),
    (
        "after it was retired",
        [retired],
        {"iat": T + 2 * DAY, "time": (T + 2 * DAY) * 1_000_000, "exp": None},
        {},
        {"key-not-active"},
    ),
    ("before it was stolen", [stolen], {}, {}, set()),
    (
        "after it was stolen",
        [stolen],
        {"iat": T + 2 * DAY, "time": (T + 2 * DAY) * 1_000_000, "exp": None},
        {},
        {"key-compromised"},
    ),
    ("before it was active", [record()], {"iat": T - 301}, {}, {"key-before-activation"}),
    ("nearly before it was active", [record()], {"iat": T - 299}, {}, set()),
    ("never active", [record(state=KeyState.PRE_ACTIVE)], {}, {}, {"key-before-activation"}),
    (
        "older than the registry",
        [record(scope=KeyScope(ISSUER, ALL, not_before=START - timedelta(days=9)))],
        {"iat": T - 2 * DAY},
        {},
        set(),
    ),
    ("beyond its time", [record(scope=KeyScope(ISSUER, ALL, not_after=START))], {}, {}, {"key-not-active"}),
    ("too old a key", [record()], {}, {"key_life": 3600}, {"key-over-aged"}),
    ("token after its end", [record()], {"exp": T + 6800}, {}, {"token-over-aged"}),
    ("token that lives too long", [record()], {}, {"lifetimes": {"": 2999}}, {"token-lifetime"}),
    ("token without an end", [record()], {"exp": None}, {"lifetimes": {ISSUER: 9999}}, {"token-lifetime"}),
    ("lifetime of another issuer", [record()], {}, {"lifetimes": {"https://b.example": 1}}, set()),
    ("token from the future", [record()], {"iat": T + 7501, "exp": None}, {}, {"token-from-the-future"}),
    ("clock that is a little ahead", [record()], {"iat": T + 7499, "exp": None}, {}, set()),
]


@pytest.mark.parametrize(
    ("name", "records", "use", "known", "wanted"), CASES, ids=[case[0] for case in CASES]
)
def test_rules_over_keys(
    name: str,
    records: list[KeyRecord] | None,
    use: dict[str, Any],
    known: dict[str, Any],
    wanted: set[str],
    tmp_path: Path,
) -> None:
    assert found(tmp_path, records, use, **known) == wanted


def test_lives_follow_one_another_and_leave_no_time_out() -> None:
    for one in (
        record(),
        suspended,
        retired,
        stolen,
        record(state=KeyState.PRE_ACTIVE),
        become(stolen, KeyState.DESTROYED, 20),
    ):
        lives = lives_of(one)
        assert lives[0][0] == -(1 << 62)
        assert lives[-1][1] == 1 << 62
        assert all(before[1] == after[0] for before, after in pairwise(lives))
        assert all(since < until for since, until, _ in lives)
    assert [state for *_, state in lives_of(stolen)] == ["pre-active", "active", "compromised"]
