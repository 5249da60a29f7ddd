"""``immure policy``: check, test and install release policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say

if TYPE_CHECKING:
    from immure.transfer.policy import Policy
    from immure.transfer.policy_tests import Result

_EXIT_CODES = """
\b
Exit codes:
  0    done; the policy can be understood, and all tests passed
  1    a test failed
  2    a file cannot be read or understood
"""

_EPILOG = f"""
\b
Examples:
  immure policy check policy.toml
  immure policy test policy.toml policy-tests.toml
  immure policy install new.toml /etc/immure/policy.toml
{_EXIT_CODES}"""

_FILE = click.argument("file", metavar="FILE", type=click.Path())
_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors and failures.")


@click.group(epilog=_EPILOG)
def policy() -> None:
    """Check, test and install the policy by which dumps are released."""


@policy.command(epilog=_EXIT_CODES)
@_FILE
@_FORMAT
@_QUIET
def check(file: str, form: str, quiet: bool) -> None:
    """See whether a policy can be understood, and say what it demands."""
    from immure.transfer import PolicyFile

    read = PolicyFile(file).read()
    _note(read, quiet)
    if form == "json":
        click.echo(json.dumps(read.version.to_json(), indent=1))
    elif not quiet:
        _describe(read)


@policy.command(epilog=_EXIT_CODES)
@_FILE
@click.argument("tests", metavar="TESTS", type=click.Path())
@_FORMAT
@_QUIET
def test(file: str, tests: str, form: str, quiet: bool) -> int:
    """Run the tests in TESTS (TOML) on a policy: cases that it should allow, and cases it should deny."""
    from immure.transfer import PolicyFile
    from immure.transfer.policy_tests import read_tests

    results = read_tests(PolicyFile(file).read(), tests)
    failed = sum(not result.passed for result in results)
    if form == "json":
        click.echo(json.dumps([_result(result) for result in results], indent=1))
    else:
        _print(results, failed, quiet)
    return ExitCode.FINDINGS if failed else ExitCode.CLEAN


@policy.command(epilog=_EXIT_CODES)
@click.argument("new", metavar="NEW", type=click.Path())
@_FILE
@_QUIET
def install(new: str, file: str, quiet: bool) -> None:
    """Let NEW take the place of the policy FILE, if it can be understood there.

    When this returns, nothing leaves by the old policy any more: it waits for a release that is in its last
    step. An editor does not.
    """
    from immure.transfer import install_policy

    installed = install_policy(new, file)
    _note(installed, quiet)
    if not quiet:
        say(f"{file} is sha256:{installed.version.sha256} now")


def _note(read: Policy, quiet: bool) -> None:
    for note in () if quiet else read.notes:
        say(f"note: {note}")


def _describe(read: Policy) -> None:
    signers, search, dump = read.signers, read.search, read.dump
    who = f"{signers.threshold} of {', '.join(sorted(signers.allowed))}"
    keys = f" and {len(search.thumbprints)} keys" if search.thumbprints else ""
    lines = {
        "version": f"sha256:{read.version.sha256}",
        "signed by": who,
        "to": ", ".join(pattern.text for pattern in read.destinations) or "nowhere",
        "formats": ", ".join(dump.formats) or "none",
        "size": f"up to {dump.max_size:,} bytes",
        "searched": f"{search.mode}, by {', '.join(search.detectors)}{keys}",
        "proved by": ", ".join(read.proof) or "nothing in particular",
        "left": f"at most {read.findings.max_residual:g} of what would give a key away",
    }
    for name, words in lines.items():
        click.echo(f"{name:<10} {words}")


def _result(result: Result) -> dict[str, object]:
    return {"test": result.test.name, "passed": result.passed, "decision": result.words}


def _print(results: list[Result], failed: int, quiet: bool) -> None:
    from immure.scanning.report.words import visible

    for result in results:
        if not result.passed:
            test = result.test
            wanted = "allowed" if test.allow else f"denied by {test.rule}" if test.rule else "denied"
            click.echo(f"FAILED  {visible(test.name)}: should be {wanted}, is: {visible(result.words)}")
        elif not quiet:
            click.echo(f"passed  {visible(result.test.name)}")
    if not quiet:
        click.echo(f"{len(results) - failed} of {len(results)} tests passed")
