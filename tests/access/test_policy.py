from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.authenticator import vendor
from access.rooms import policy_text
from immure.access import parse_policy
from immure.access.names import (
    parse_account,
    parse_deed,
    parse_namespace,
    parse_person,
    parse_resource,
    parse_role,
)
from immure.access.pattern import parse_pattern
from immure.access.policy_tests import run_tests
from immure.errors import PolicyError, UsageError

ROOT = vendor()[0].pem.strip()
TEXT = policy_text()


def test_a_policy_that_is_right() -> None:
    policy = parse_policy(TEXT.encode())
    assert policy.people.least_keys == 2
    assert policy.session == timedelta(hours=8)
    rule = policy.rule_for(parse_resource("dump:1"), ("release",))
    assert rule is not None
    assert rule.approvers == 2
    assert policy.rule_for(parse_resource("key:1"), ("use",)) is None
    assert policy.reaches("enhanced", "basic")
    assert not policy.reaches("basic", "enhanced")
    assert not policy.reaches("unheard of", "basic")
    assert not policy.reaches("enhanced", "unheard of")


#: What is put in place of what, and what the error says.
ROWS: dict[str, tuple[str, str, str]] = {
    "another version": ("version = 1", "version = 2", "another version"),
    "no namespace": ('namespace = "prd-"', "", "needs 'namespace'"),
    "a namespace that is a domain": ('"prd-"', '"corp.example"', "not a namespace"),
    "a namespace without its end": ('"prd-"', '"prd"', "not a namespace"),
    "a corporate relying party": (
        'corporate_domains = ["corp.example"]',
        'corporate_domains = ["prod.example"]',
        "is a corporate domain",
    ),
    "an origin elsewhere": (
        'origins = ["https://access.prod.example"]',
        'origins = ["https://access.corp.example"]',
        "is not on access.prod.example",
    ),
    "an origin without TLS": (
        '"https://access.prod.example"',
        '"http://access.prod.example"',
        "not an origin",
    ),
    "an origin with a path": (
        '"https://access.prod.example"',
        '"https://access.prod.example/x"',
        "not an origin",
    ),
    "an origin with a user": (
        '"https://access.prod.example"',
        '"https://x@access.prod.example"',
        "not an origin",
    ),
    "an origin that ends alike": (
        '"https://access.prod.example"',
        '"https://evil-access.prod.example"',
        "is not on",
    ),
    "an origin with a broken port": (
        '"https://access.prod.example"',
        '"https://access.prod.example:x"',
        "not an",
    ),
    "no origin": ('["https://access.prod.example"]', "[]", "names none"),
    "one approver": ('ticket = "INC-*"', "approvers = 1", "from 2 to 8"),
    "one approver of people": (
        'levels = ["basic", "enhanced"]',
        'levels = ["x"]\napprovers = 1',
        "from 2 to 8",
    ),
    "one key": ('levels = ["basic", "enhanced"]', 'levels = ["x"]\nkeys = 1', "from 2 to 8"),
    "no level": ('levels = ["basic", "enhanced"]', "levels = []", "names no level"),
    "a level that there is not": ('level = "enhanced"', 'level = "godlike"', "is none of"),
    "for ever": ("hours = 8", "hours = 25", "from 1 to 24"),
    "hours that are a truth": ("hours = 8", "hours = true", "a whole number"),
    "an action that there is not": ('"open"', '"destroy"', "names 'destroy'"),
    "a word misspelt": ("ticket =", "tickett =", "is 'ticket' meant?"),
    "a table that there is not": ("[people]", "[other]\nx = 1\n[people]", "no member 'other'"),
    "a model in capitals": ('aaguid = "7a6b', 'aaguid = "7A6B', "not the AAGUID"),
    "a root that is none": ("-----BEGIN CERTIFICATE-----", "-----BEGIN NOTHING-----", "not one certificate"),
    "a root twice in one text": (ROOT, f"{ROOT}\n{ROOT}", "not one certificate"),
    "an alarm without TLS": ("http://127.0.0.1:9/alarm", "http://pager.example/", "is not https"),
    "a ticket with too many stars": ('ticket = "INC-*"', 'ticket = "*****"', "'ticket': .* up to 4"),
    "a pattern with too many stars": ('"room:*"', '"*****"', "up to 4"),
    "texts that are a text": ('["enter", "open", "release"]', '"enter"', "not a list of texts"),
    "broken TOML": ("[people]", "[people", "is no TOML"),
}


@pytest.mark.parametrize("row", ROWS)
def test_policies_that_are_refused(row: str) -> None:
    before, after, words = ROWS[row]
    assert before in TEXT
    with pytest.raises(PolicyError, match=words):
        parse_policy(TEXT.replace(before, after, 1).encode(), "access.toml")


def test_without_a_model_nobody_could_get_in() -> None:
    head, _, rest = TEXT.partition("[[key]]")
    with pytest.raises(PolicyError, match="names no model"):
        parse_policy((head + "[[rule]]" + rest.partition("[[rule]]")[2]).encode())


def test_a_model_twice() -> None:
    key = "[[key]]" + TEXT.partition("[[key]]")[2].partition("[[rule]]")[0]
    with pytest.raises(PolicyError, match="named twice"):
        parse_policy(TEXT.replace(key, key + key).encode())


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_noise(noise: bytes) -> None:
    with pytest.raises(PolicyError):
        parse_policy(noise)


def test_a_policy_is_bounded() -> None:
    with pytest.raises(PolicyError, match="longer than"):
        parse_policy(b"#" * (1 << 20))
    with pytest.raises(PolicyError, match=r"is no TOML"):
        parse_policy(b"x = " + b"[" * 50_000)


# --- names ---


@pytest.mark.parametrize(
    "text",
    [
        "ada", "prd-", "prd-a", "prd-Ada", "prd-ada@corp.example", "CORP\\ada", "ada@prd-x", "prd-ada/x",
        "prd-ada:x", "prd--ada", "prd-ada-", "prd-a" * 20, "", "prd-ada\n", "prd-ädä", "https://login.corp.example/ada",
    ],
)  # fmt: skip
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(UsageError):
        parse_account(text, "prd-")


@given(st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_no_account_is_a_name_of_elsewhere(text: str) -> None:
    """Whatever is taken has nothing in it that mail addresses, principals, domains or URLs need."""
    try:
        account = parse_account("prd-" + text, "prd-")
    except UsageError:
        return
    assert not set(account) & set("@\\/:. ")
    assert account.isascii()


def test_other_names() -> None:
    assert parse_person("P-4711") == "P-4711"
    assert parse_deed("room:x", ["enter"])[1] == ("enter",)
    for parse, wrong in (
        (parse_person, "a@b.example"),
        (parse_role, "Lead"),
        (parse_namespace, "p-"),
        (parse_resource, "room:"),
        (parse_resource, "house:x"),
        (parse_resource, "room:a b"),
    ):
        with pytest.raises(UsageError):
            parse(wrong)
    for actions in ([], ["open"], "enter", [1]):
        with pytest.raises(UsageError):
            parse_deed("room:x", actions)


@given(
    st.text("ab*", max_size=8).filter(lambda text: text.count("*") <= 4 and text), st.text("ab", max_size=8)
)
@settings(max_examples=150, deadline=None)
def test_patterns_are_those_of_the_shell(pattern: str, name: str) -> None:
    from fnmatch import fnmatchcase

    assert parse_pattern(pattern).matches(name) is fnmatchcase(name, pattern)


# --- tests of policies ---

TESTS = """version = 1

[[test]]
name = "with a ticket"
resource = "room:debug"
actions = ["enter"]
ticket = "INC-1"
expect = "allow"

[[test]]
name = "without a ticket"
resource = "room:debug"
actions = ["enter"]
expect = "deny"
rule = "ticket"

[[test]]
name = "screened to basic"
resource = "room:debug"
actions = ["enter"]
ticket = "INC-1"
level = "basic"
expect = "deny"
rule = "level"

[[test]]
name = "one approver"
resource = "room:debug"
actions = ["enter"]
ticket = "INC-1"
expect = "deny"
rule = "approvals"
approver = [{ level = "enhanced" }]

[[test]]
name = "an approver screened to basic"
resource = "room:debug"
actions = ["enter"]
ticket = "INC-1"
expect = "deny"
rule = "level"
approver = [{ level = "enhanced" }, { level = "basic" }]

[[test]]
name = "keys"
resource = "key:signing"
actions = ["use"]
expect = "deny"
rule = "rule"

[[test]]
name = "broken glass"
resource = "room:debug"
actions = ["enter"]
break_glass = true
expect = "allow"

[[test]]
name = "broken glass for a dump"
resource = "dump:1"
actions = ["release"]
break_glass = true
expect = "deny"
rule = "rule"
"""


def run(tests: str, text: str = TEXT) -> list[bool]:
    return [one.passed for one in run_tests(parse_policy(text.encode()), text, tests.encode(), "tests.toml")]


def test_tests_of_a_policy() -> None:
    assert run(TESTS) == [True] * 8


def test_a_test_fails_when_the_policy_is_another() -> None:
    loose = policy_text(**{'ticket = "INC-*"': ""})
    assert run(TESTS, loose) == [True, False, True, True, True, True, True, True]


def test_roles_of_approvers() -> None:
    text = policy_text(**{'ticket = "INC-*"': 'approver_roles = ["lead"]'})
    lead, other = '{ level = "enhanced", roles = ["lead"] }', '{ level = "enhanced" }'
    test = '[[test]]\nname = "x"\nresource = "room:x"\nactions = ["enter"]\n'
    tests = (
        "version = 1\n"
        + f'{test}approver = [{lead}, {lead}]\nexpect = "allow"\n'
        + f'{test}approver = [{lead}, {other}]\nexpect = "deny"\nrule = "role"\n'
        + f'{test}expect = "allow"\n'
    )
    assert run(tests, text) == [True, True, True]


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ("version = 2", "another version"),
        ("version = 1", "has no test"),
        (TESTS.replace('"deny"', '"maybe"', 1), "neither allow nor deny"),
        (TESTS.replace('expect = "allow"', 'expect = "allow"\nrule = "x"', 1), "expects that none does"),
        (TESTS.replace("ticket", "tiket"), "is 'ticket' meant"),
        ("x", "is no TOML"),
    ],
)
def test_files_of_tests_that_are_refused(tests: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        run(tests)
