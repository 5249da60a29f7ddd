"""``immure access policy``: the policy of a room."""

from __future__ import annotations

import json

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_init import read_policy_text
from immure.cli.access_options import EXIT_CODES, FORMAT, QUIET, Acting, acting, read_file
from immure.cli.exit_codes import ExitCode

_EPILOG = f"""
\b
Examples:
  immure access policy check access.toml
  immure access policy test access.toml access-tests.toml
  immure access policy propose room access.toml --as prd-ada --key file:log.key
{EXIT_CODES}"""

_FILE = click.argument("file", metavar="FILE", type=click.Path())


@click.group(epilog=_EPILOG)
def policy() -> None:
    """Check and test the policy of a room, and propose another one, which others must approve."""


@policy.command(epilog=EXIT_CODES)
@_FILE
@FORMAT
@QUIET
def check(file: str, form: str, quiet: bool) -> int:
    """See whether a policy can be understood, and say what it lets happen."""
    from immure.access import parse_policy
    from immure.scanning.report.words import visible

    read = parse_policy(read_policy_text(file).encode(), file)
    if form == "json":
        click.echo(json.dumps({"sha256": read.sha256}))
    elif not quiet:
        click.echo(f"sha256:{read.sha256}")
        click.echo(visible(f"accounts      {read.namespace}…, keys for {read.party.id}"))
        click.echo(visible(f"keys          {', '.join(model.name for model in read.models)}"))
        for rule in read.rules:
            what = ", ".join(pattern.text for pattern in rule.resources)
            terms = f"screened to {rule.level}, {rule.approvers} approve, {rule.hours} hours"
            click.echo(visible(f"rule          {', '.join(rule.actions)} on {what}: {terms}"))
        glass = ", ".join(pattern.text for pattern in read.glass.resources) or "nothing"
        click.echo(visible(f"break-glass   {glass}"))
    return ExitCode.CLEAN


@policy.command(epilog=EXIT_CODES)
@_FILE
@click.argument("tests", metavar="TESTS", type=click.Path())
@FORMAT
@QUIET
def test(file: str, tests: str, form: str, quiet: bool) -> int:
    """Run the tests in TESTS (TOML) on a policy: who should get in, and who should not, and why."""
    from immure.access import parse_policy
    from immure.access.policy_file import MOST_BYTES
    from immure.access.policy_tests import run_tests
    from immure.scanning.report.words import visible

    text = read_policy_text(file)
    results = run_tests(parse_policy(text.encode(), file), text, read_file(tests, MOST_BYTES), tests)
    failed = [result for result in results if not result.passed]
    if form == "json":
        rows = [{"test": one.test.name, "passed": one.passed, "decision": one.words} for one in results]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return ExitCode.FINDINGS if failed else ExitCode.CLEAN
    for result in results:
        if result.passed and not quiet:
            click.echo(f"passed  {visible(result.test.name)}")
        elif not result.passed:
            wanted = "allowed" if result.test.allow else f"denied by {result.test.rule or 'some rule'}"
            click.echo(
                f"FAILED  {visible(result.test.name)}: should be {wanted}, is: {visible(result.words)}"
            )
    if not quiet:
        click.echo(f"{len(results) - len(failed)} of {len(results)} tests passed")
    return ExitCode.FINDINGS if failed else ExitCode.CLEAN


@policy.command(epilog=EXIT_CODES)
@acting
@click.argument("file", metavar="FILE", type=click.Path())
def propose(how: Acting, file: str) -> int:
    """Ask that another policy be in force; others must approve, under the one that is. With it, requests that
    are still open are denied: they were made under the old one."""
    how.need()
    text = read_policy_text(file)
    return conduct(
        how,
        "request",
        lambda door: door.request_policy(how.account, text),
        lambda document: document["kind"] == "policy" and document["subject"]["text"] == text,
    )
