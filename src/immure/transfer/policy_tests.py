"""Tests that users write for their policy: what should leave does, what should not stays, and why it does.

    version = 1

    [[test]]
    name = "searched in quick mode"
    change = { "searched.mode" = "quick" }
    expect = "deny"
    rule = "mode"

Each test changes one clearance, which the policy would accept: a file (``base``), or one made up from what
the policy demands. ``docs/reference/release-policy.md`` describes the members.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from immure.attest.clearance import Clearance
from immure.clock import to_rfc3339
from immure.errors import AttestationError, PolicyError
from immure.scanning.options import DETECTORS
from immure.transfer.case import Case, NotShown, Shown
from immure.transfer.places import Pattern
from immure.transfer.policy import CHECKS, TEXT_GROUPS, VERSION, Policy, ReadFile
from immure.transfer.policy_file import PolicyFile
from immure.transfer.rules import RULES, decide
from immure.transfer.table import Table, parse_toml

#: A moment for tests; only spans of time count.
ISSUED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)
_RULES: Final = tuple(rule.name for rule in RULES)
_SUBJECT: Final = "0" * 64
_OTHER: Final = "f" * 64


@dataclass(frozen=True, slots=True)
class Facts:
    """What a test says of the dump and the moment; None: as the policy would have it."""

    destination: str | None = None
    size: int | None = None
    dump_age: timedelta | None = None
    clearance_age: timedelta = timedelta(0)
    other_bytes: bool = False
    signers: frozenset[str] | None = None
    grant: bool | None = None


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """A test: what is changed, and what should come of it."""

    name: str
    allow: bool
    rule: str | None
    facts: Facts
    change: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test; ``words`` say what was decided."""

    test: PolicyTest
    passed: bool
    words: str


def run_tests(policy: Policy, data: bytes, path: str, read_file: ReadFile) -> list[Result]:
    """Run the tests in the bytes of a file.

    Args:
        policy: what is tested.
        data, path: the file of tests.
        read_file: gives the bytes of a clearance that it names; it raises PolicyError.

    Raises:
        PolicyError: this is no file of tests, or there is none in it.
    """
    top = parse_toml(data, path)
    if top.number("version", least=0, most=1 << 30) != VERSION:
        raise PolicyError(f"is a file of tests of another version than {VERSION}", path=path)
    base = _base(policy, top.text("base", ""), read_file, top)
    tests = [_test(table) for table in top.tables("test")]
    top.done()
    if not tests:
        raise PolicyError("has no test", path=path)
    return [_run(policy, base, test, path) for test in tests]


def read_tests(policy: Policy, path: str) -> list[Result]:
    """Run the tests in a file, which may name a file beside it; raises as :func:`run_tests`."""
    beside = PolicyFile(path)
    return run_tests(policy, beside.read_file(path), path, beside.read_beside)


def _test(table: Table) -> PolicyTest:
    allow = table.text("expect", choices=("allow", "deny")) == "allow"
    rule = table.text("rule", "", choices=("", *_RULES)) or None
    change = table.value("change") or {}
    if not isinstance(change, dict):
        raise table.fail("'change' is not a table")
    if allow and rule is not None:
        raise table.fail("'rule' says which rule denies, and this test expects that none does")
    test = PolicyTest(table.text("name"), allow, rule, _facts(table.table("facts")), change)
    table.done()
    return test


def _facts(table: Table) -> Facts:
    signers = table.thumbprints("signers") if table.value("signers") is not None else None
    size = table.size("size") if table.value("size") is not None else None
    grant = table.flag("grant") if table.value("grant") is not None else None
    facts = Facts(
        destination=table.text("destination", "") or None,
        size=size,
        dump_age=table.optional_age("dump_age"),
        clearance_age=table.optional_age("clearance_age") or timedelta(0),
        other_bytes=table.flag("other_bytes", False),
        signers=signers,
        grant=grant,
    )
    table.done()
    return facts


def _run(policy: Policy, base: Mapping[str, Any], test: PolicyTest, path: str) -> Result:
    document = json.loads(json.dumps(base))
    for place, value in test.change.items():
        _set(document, place, value, f"{path}: {test.name}")
    decision = decide(policy, _case(policy, document, test.facts))
    denied = {outcome.rule: outcome.reason for outcome in decision.denials}
    words = "; ".join(f"{rule}: {reason}" for rule, reason in denied.items()) or "allowed"
    as_expected = test.rule in denied if test.rule is not None else bool(denied)
    return Result(test, decision.allowed if test.allow else as_expected, words)


def _case(policy: Policy, document: Any, facts: Facts) -> Case:
    try:
        clearance = Clearance.from_json(document)
    except AttestationError as error:
        now, size = ISSUED, facts.size or 0
        shown: Shown | NotShown = NotShown("clearance", error.reason)
    else:
        signers = policy.signers.allowed if facts.signers is None else facts.signers
        shown = Shown(clearance, _OTHER if facts.other_bytes else _SUBJECT, signers)
        now = clearance.issued + facts.clearance_age
        size = clearance.dump.size if facts.size is None else facts.size
    return Case(
        sha256=_SUBJECT,
        size=size,
        taken=now - (facts.dump_age or timedelta(0)),
        now=now,
        destination=facts.destination or _some_destination(policy.destinations),
        name="app.core",
        shown=shown,
        grant=policy.grant_required or None if facts.grant is None else facts.grant,
    )


def _some_destination(patterns: tuple[Pattern, ...]) -> str:
    if not patterns:
        return "file:///nowhere"
    return patterns[0].text.replace("/**", "/x").replace("*", "x")


def _base(policy: Policy, name: str, read_file: ReadFile, top: Table) -> Mapping[str, Any]:
    if not name:
        return made_up(policy)
    try:
        base = json.loads(read_file(name))
        Clearance.from_json(base)
    except (ValueError, RecursionError) as error:
        raise top.fail(f"'base': {name} is not JSON") from error
    except AttestationError as error:
        raise top.fail(f"'base': {name} is not a clearance: {error.reason}") from error
    if not isinstance(base, dict):
        raise top.fail(f"'base': {name} is not a clearance")
    return base


def made_up(policy: Policy) -> dict[str, Any]:
    """A clearance that says all that a policy demands."""
    size = min(policy.dump.max_size, 1 << 20)
    key = {"kty": "RSA", "kid": None, "issuer": None, "source": "policy"}
    return {
        "tool": {"name": "immure", "version": "0"},
        "issued": to_rfc3339(ISSUED),
        "expires": to_rfc3339(ISSUED + max(_HOUR, 2 * policy.clearance.max_age)),
        "dump": {"format": next(iter(policy.dump.formats), "elf-core"), "codec": None, "size": size},
        "source": {"sha256": _SUBJECT, "size": size},
        "searched": {
            "mode": "exhaustive",
            "detectors": list(DETECTORS),
            "harvest": True,
            "texts": list(TEXT_GROUPS),
            "known": [],
            "secrets": [],
            "keep": ["all"],
            "keys": [{**key, "thumbprint": name} for name in sorted(policy.search.thumbprints)],
        },
        "not_searched": [],
        "findings": [],
        "redactions": [],
        "proof": {
            "holds": True,
            "complete": True,
            "searched_bytes": size,
            "fragments": 0,
            "checks": [{"name": name, "status": "ok", "detail": ""} for name in CHECKS],
            "residues": [],
        },
        "decision": {"policy": policy.version.sha256, "allowed": True, "rules": []},
    }


def _set(document: Any, place: str, value: Any, where: str) -> None:
    """Set a member by its place (``proof.checks.0.status``)."""
    *outer, last = place.split(".")
    try:
        for name in outer:
            document = document[int(name)] if isinstance(document, list) else document[name]
        document[int(last) if isinstance(document, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise PolicyError(f"there is no {place[:200]!r} in the clearance to change", path=where) from error
