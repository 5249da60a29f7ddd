"""The policy in force, in words and whole; and tests of it, or of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.access.door import Door
from immure.access.policy_file import parse_policy
from immure.access.policy_tests import Result, run_tests
from immure.access.web.deeds import DEEDS
from immure.access.web.deeds_people import MOST_POLICY
from immure.access.web.forms import Field
from immure.access.web.html import hidden, link, shown, word_list
from immure.access.web.looking import door_policy
from immure.access.web.pages import fault_line, field_html, page
from immure.access.web.policy_words import policy_words
from immure.errors import PolicyError

_TESTS: Final = Field(
    "tests", "Tests", "In TOML: who should get in, and who should not, and why.", "code", most=MOST_POLICY
)
_TEXT: Final = Field(
    "text", "Another policy", "Empty: the policy in force.", "code", needed=False, most=MOST_POLICY
)


def policy_page(door: Door, who: str, token: str) -> bytes:
    """What the policy says, its text, and where tests of it are run."""
    policy = door.policy
    body = f"""<p class="words">sha256: {policy.sha256}</p>
{word_list(policy_words(policy), "says")}
<p>{link("/do/policy", DEEDS["policy"].title)}</p>
<h2>Test it</h2>
{_form(token, {})}
<h2>The text</h2>
<pre id="text">{shown(door_policy(door))}</pre>"""
    return page("Policy", body, who=who, token=token)


def tested_page(door: Door, values: Mapping[str, str], who: str, token: str) -> tuple[int, bytes]:
    """Run tests, and show what came of each; the status, and the page. Nothing is kept."""
    try:
        results = _run(door, values)
    except PolicyError as error:
        body = f"{fault_line(str(error))}\n{_form(token, values)}"
        return 400, page("Not done: test the policy", body, who=who, token=token)
    failed = sum(not one.passed for one in results)
    told = f"{len(results) - failed} of {len(results)} tests passed"
    lines = "".join(f"<li>{shown(_words(one))}</li>" for one in results)
    whose = "another policy, which is not in force" if values.get("text") else "the policy in force"
    body = f"""<p role="status" id="done">{told}, of {whose}</p>
<ul class="words" id="results">{lines}</ul>
{_form(token, values)}"""
    return 200, page("Tests of a policy", body, who=who, token=token)


def _run(door: Door, values: Mapping[str, str]) -> list[Result]:
    text = values.get("text") or door_policy(door)
    policy = parse_policy(text.encode(), "the policy")
    return run_tests(policy, text, values.get("tests", "").encode(), "the tests")


def _words(result: Result) -> str:
    if result.passed:
        return f"passed: {result.test.name}"
    wanted = "allowed" if result.test.allow else f"denied by {result.test.rule or 'some rule'}"
    return f"FAILED: {result.test.name}: should be {wanted}, is: {result.words}"


def _form(token: str, values: Mapping[str, str]) -> str:
    fields = "\n".join(field_html(one, values.get(one.name, "")) for one in (_TESTS, _TEXT))
    return f"""<form method="post" action="/policy">
{hidden({"token": token})}
{fields}
<button>Run the tests</button>
</form>"""
