"""The policy by the page: in words, whole, tested, and another one proposed."""

from __future__ import annotations

import html
import re

import pytest

from access.rooms import World, policy_text
from access.web.client import Client
from access.web.test_people import approved, asked
from immure.access import parse_policy
from immure.access.web.policy_words import policy_words

TESTS = """version = 1

[[test]]
name = "an engineer of the room goes in"
resource = "room:debug"
actions = ["enter"]
ticket = "INC-12"
expect = "allow"

[[test]]
name = "nobody goes in without a ticket"
resource = "room:debug"
actions = ["enter"]
expect = "deny"
rule = "ticket"
"""
WRONG = TESTS.replace('expect = "allow"', 'expect = "deny"\nrule = "level"')


def test_it_is_shown(world: World) -> None:
    page = Client(world).sign_in().get("/policy").text
    assert f"sha256: {world.door.policy.sha256}" in page
    told = [html.unescape(one) for one in re.findall(r"<li>([^<]*)</li>", page)]
    assert (
        "whoever is screened to enhanced may be let enter and open and release room:* or dump:* for 8 hours "
        "with a ticket INC-*, if 2 others approve who are screened to it"
    ) in told
    shown = re.search(r'<pre id="text">(.*?)</pre>', page, re.S)
    assert shown
    assert html.unescape(shown[1]) == world.text


MODEL = "Example Key 5 (7a6b1c2d-3e4f-4051-9a8b-7c6d5e4f3a2b)"
WORDS: dict[str, tuple[dict[str, str], str, str]] = {
    "the namespace": ({}, "", "accounts begin with prd-; corporate identities are none"),
    "the pages": (
        {}, "",
        "hardware keys sign for access.prod.example (Production room), on pages of https://access.prod.example",
    ),
    "levels": ({}, "", "people are screened to one of these levels, the lowest first: basic, enhanced"),
    "keys": ({}, "", "everybody has at least 2 hardware keys"),
    "more keys": (
        {'levels = ["basic"': 'keys = 3\nlevels = ["basic"'}, "", "everybody has at least 3 hardware keys",
    ),
    "approvers of people": (
        {'levels = ["basic"': 'approver_roles = ["security"]\napprovers = 3\nlevels = ["basic"'}, "",
        "3 others, screened to enhanced and known as security, approve who and what comes in: people, keys, "
        "screenings, workstations, policies",
    ),
    "how long a request is open": (
        {'levels = ["basic"': 'open_hours = 1\nlevels = ["basic"'}, "",
        "a request can be approved for 1 hour",
    ),
    "a model": ({}, "", f"hardware keys are taken of the model {MODEL}"),
    "a model of single pieces": (
        {'name = "Example Key 5"': 'name = "Example Key 5"\nunique_attestation = true'}, "",
        f"hardware keys are taken of the model {MODEL}, each piece told from the others",
    ),
    "no metadata": ({}, "", "models need not be in imported metadata of the FIDO Alliance"),
    "metadata": (
        {}, "[metadata]\nrequired = true\n", "models must be in imported metadata of the FIDO Alliance",
    ),
    "any workstation": (
        {}, "", "certificates of workstations may be of any authority: whatever others approve is taken",
    ),
    "no TPM": (
        {}, "", "the key of a workstation may be proven to be in a TPM; one in software is taken too",
    ),
    "TPMs are not looked at": (
        {}, '[workstations]\ntpm = "off"\n',
        "evidence that the key of a workstation is in a TPM is not taken",
    ),
    "sessions": ({}, "[sessions]\nhours = 3\n", "a session lasts 3 hours at most"),
    "roles of a rule": (
        {'ticket = "INC-*"': 'roles = ["on-call", "responder"]\napprover_roles = ["lead"]'}, "",
        "whoever is screened to enhanced and known as on-call or responder may be let enter and open and "
        "release room:* or dump:* for 8 hours, if 2 others approve who are screened to it and known as lead",
    ),
    "everything else": ({}, "", "nobody may do anything else"),
    "glass": (
        {}, "",
        "whoever is screened to enhanced may break the glass for room:*, for 1 hour; 1 other reviews it",
    ),
    "more reviewers": (
        {"alarms = [": "reviewers = 2\nalarms = ["}, "",
        "whoever is screened to enhanced may break the glass for room:*, for 1 hour; 2 others review it",
    ),
    "alarms": ({}, "", "then these are alarmed: http://127.0.0.1:9/alarm"),
    "no glass": ({'alarms = ["http://127.0.0.1:9/alarm"]': ""}, "", "nobody may break the glass"),
}  # fmt: skip


@pytest.mark.parametrize("case", WORDS)
def test_what_it_says(case: str) -> None:
    changes, extra, line = WORDS[case]
    policy = parse_policy(policy_text(extra, **changes).encode())
    assert line in list(policy_words(policy))


def test_its_tests_are_run(world: World) -> None:
    client = Client(world).sign_in()
    entries = len(world.door.log)
    page = client.post("/policy", tests=TESTS, text="").text
    assert "2 of 2 tests passed, of the policy in force" in page
    assert "passed: nobody goes in without a ticket" in page
    page = client.post("/policy", tests=WRONG, text="").text
    assert "1 of 2 tests passed" in page
    assert "FAILED: an engineer of the room goes in: should be denied by level, is: allowed" in page
    assert html.escape(WRONG) in page  # to be changed, and run again
    assert len(world.door.log) == entries


def test_tests_of_another_policy(world: World) -> None:
    other = world.text.replace('ticket = "INC-*"\n', "")
    page = Client(world).sign_in().post("/policy", tests=TESTS.replace("\n", "\r\n"), text=other).text
    assert "1 of 2 tests passed, of another policy, which is not in force" in page
    assert "should be denied by ticket, is: allowed" in page


UNREADABLE = {
    "no tests": (("", ""), "'version'"),
    "none of them": (("version = 1\n", ""), "the tests: has no test"),
    "no TOML": (("<b>", ""), "the tests: is "),
    "another version": (("version = 9\n", ""), "the tests: is a file of tests of another version"),
    "no policy": ((TESTS, "version = 1\n"), "needs 'people'"),
    "a member that is not known": ((TESTS + "more = 1\n", ""), "has no member"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_tests_that_cannot_be_run(world: World, case: str) -> None:
    (tests, text), words = UNREADABLE[case]
    answer = Client(world).sign_in().post("/policy", tests=tests, text=text)
    assert answer.status_code == 400
    page = answer.text
    told = re.search(r'role="alert"[^>]*>(.*?)</p>', page, re.S)
    assert told, page
    assert words in html.unescape(told[1])


def test_another_is_proposed(world: World) -> None:
    """What is in force is the text as it was typed, though browsers send other ends of lines."""
    other = world.text.replace("hours = 8", "hours = 4")
    ada = Client(world).sign_in()
    approved(world, asked(ada, "policy", text=other.replace("\n", "\r\n")))
    assert world.door.policy.rules[0].hours == 4
    assert world.door.policy.sha256 == parse_policy(other.encode()).sha256
    assert "for 4 hours" in ada.get("/policy").text


def test_one_begins_with_what_is_in_force(world: World) -> None:
    page = Client(world).sign_in().get("/do/policy").text
    shown = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.S)
    assert shown
    assert html.unescape(shown[1]) == world.text


def test_no_policy_is_proposed(world: World) -> None:
    answer = Client(world).sign_in().post("/do/policy", text="version = 1\n# mine\n")
    assert answer.status_code == 403
    assert "rule: policy" in answer.text
    assert "# mine\n</textarea>" in answer.text
