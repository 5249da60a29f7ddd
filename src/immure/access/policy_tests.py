"""Tests that users write for their policy: who should get in does, who should not does not, and why.

    version = 1

    [[test]]
    name = "nobody screened to basic enters"
    resource = "room:debug"
    actions = ["enter"]
    level = "basic"
    expect = "deny"
    rule = "level"

Each test lets somebody ask, and others approve, in a room made up for it; what decides are the acts that
decide in a real one. ``docs/reference/access-policy.md`` describes the members.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from immure.access.acts.grants import break_glass
from immure.access.acts.requests import check_approver, request
from immure.access.errors import DeniedError
from immure.access.policy import Policy
from immure.access.policy_file import MOST_BYTES
from immure.access.records import Fact, HardwareKey, Person, Request
from immure.access.room import Event, Room
from immure.access.rows import CREATE, Rows
from immure.access.webauthn.chain import fingerprint
from immure.access.webauthn.models import aaguid_text
from immure.errors import PolicyError
from immure.toml_file import Table, parse_toml

VERSION: Final = 1
#: A moment for tests; only spans of time count.
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SPAN: Final = timedelta(days=30)
_ASKER: Final = "asker"
_ID: Final = "a" * 16


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """A test: who asks for what, who approves, and what should come of it. ``approvers`` are level and roles
    of each; None: as many as are needed, of the highest level, with all roles that there are."""

    name: str
    allow: bool
    rule: str | None
    subject: Mapping[str, Any]
    level: str
    roles: tuple[str, ...]
    approvers: tuple[tuple[str, tuple[str, ...]], ...] | None
    glass: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test; ``words`` say what was decided."""

    test: PolicyTest
    passed: bool
    words: str


def run_tests(policy: Policy, text: str, data: bytes, path: str) -> list[Result]:
    """Run the tests in the bytes of a file.

    Args:
        policy, text: what is tested, read and as a text.
        data, path: the file of tests.

    Raises:
        PolicyError: this is no file of tests, or there is none in it.
    """
    top = Table(parse_toml(data, path, MOST_BYTES, PolicyError), path)
    if top.number("version", least=0, most=1 << 30) != VERSION:
        raise PolicyError(f"is a file of tests of another version than {VERSION}", path=path)
    tests = [_test(table, policy) for table in top.tables("test")]
    top.done()
    if not tests:
        raise PolicyError("has no test", path=path)
    return [_run(test, policy, text) for test in tests]


def _test(table: Table, policy: Policy) -> PolicyTest:
    expect, rule = table.text("expect"), table.text("rule", "") or None
    if expect not in ("allow", "deny"):
        raise table.fail("'expect' is neither allow nor deny")
    if expect == "allow" and rule is not None:
        raise table.fail("'rule' says which rule denies, and this test expects that none does")
    glass = table.flag("break_glass", False)
    subject: dict[str, Any] = {
        "resource": table.text("resource"),
        "actions": list(table.texts("actions")),
        "hours": table.number("hours", 1, least=0, most=1000),
        "ticket": table.text("ticket", ""),
        "purpose": table.text("purpose", "a test of the policy"),
    }
    approvers = [_approver(one) for one in table.tables("approver")] if table.has("approver") else None
    test = PolicyTest(
        name=table.text("name"),
        allow=expect == "allow",
        rule=rule,
        subject=subject,
        level=table.text("level", policy.people.levels[-1]),
        roles=table.texts("roles", ()),
        approvers=None if approvers is None else tuple(approvers),
        glass=glass,
    )
    table.done()
    return test


def _approver(table: Table) -> tuple[str, tuple[str, ...]]:
    made = table.text("level"), table.texts("roles", ())
    table.done()
    return made


def _run(test: PolicyTest, policy: Policy, text: str) -> Result:
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in CREATE:
            database.execute(statement)
        room = Room(Rows(database))
        room.rows.put(Fact("room", "open", {"id": "test"}))
        room.rows.put(Fact("policy", "in force", {"text": text, "sha256": policy.sha256}))
        _decide(room, test, policy)
    except DeniedError as error:
        passed = not test.allow and test.rule in (None, error.rule)
        return Result(test, passed, f"{error.rule}: {error.reason}")
    finally:
        database.close()
    return Result(test, test.allow, "allowed")


def _decide(room: Room, test: PolicyTest, policy: Policy) -> None:
    asker, key = _somebody(room, policy, _ASKER, test.level, test.roles)
    if test.glass:
        particulars = {**test.subject, "reason": test.subject["purpose"], "grant": _ID}
        break_glass(room, Event("break-glass", particulars, NOW, asker, key))
        return
    document = {"kind": "grant", "request": _ID, "subject": test.subject}
    request(room, Event("request", document, NOW, asker, key))
    asked = room.rows.get(Request, _ID)
    if asked is None:
        raise PolicyError("a request that was let in is not there")
    everything = tuple({role for rule in policy.rules for role in rule.approver_roles})
    usual = ((policy.people.levels[-1], everything),) * asked.needed
    approvers = usual if test.approvers is None else test.approvers
    for number, (level, roles) in enumerate(approvers):
        approver, other = _somebody(room, policy, f"approver-{number}", level, roles)
        check_approver(room, asked, approver, other)
    if len(approvers) < asked.needed:
        raise DeniedError(f"{len(approvers)} approve, and {asked.needed} are needed", rule="approvals")


def _somebody(
    room: Room, policy: Policy, name: str, level: str, roles: tuple[str, ...]
) -> tuple[Person, HardwareKey]:
    person = Person(
        id=policy.namespace + name,
        state="active",
        person=name,
        handle="",
        roles=roles,
        attester="test",
        level=level,
        screened=NOW - _SPAN,
        expires=NOW + _SPAN,
        reference="test",
        since=NOW - _SPAN,
    )
    room.rows.put(person)
    model = policy.models[0]
    key = HardwareKey(
        id=name,
        state="active",
        account=person.id,
        request="test",
        cose="",
        fingerprint=name,
        aaguid=aaguid_text(model.aaguid),
        model=model.name,
        attestation=name,
        root=fingerprint(model.roots[0]),
        unique=model.unique,
        counter=0,
        since=NOW - _SPAN,
    )
    room.rows.put(key)
    return person, key
