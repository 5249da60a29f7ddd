"""``immure token``: validate a token by a policy, look into one, explain what becomes of one."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.tokens.explain import Explanation
    from immure.tokens.validator import Validator

_EXIT_CODES = """
\b
Exit codes:
  0    the token is accepted (inspect: its form is right)
  1    the token is refused
  2    the command, or the policy, cannot be understood
  3    the keys could not be had, so that there is no answer
"""

_TOKEN_HELP = """
TOKEN is a file that holds the token, or - for standard input. It is not given on the command line itself,
where every user of the machine could read it.
"""

_EPILOG = f"""
\b
Examples:
  immure token validate --policy mail.toml token.jwt
  pbpaste | immure token explain --policy mail.toml -
  immure token inspect token.jwt
  immure token explain --policy mail.toml --at 2026-11-25T12:00:00Z -f json token.jwt
{_EXIT_CODES}"""

_TOKEN = click.argument("token", metavar="TOKEN", type=click.Path())
_POLICY = click.option(
    "-p",
    "--policy",
    "policy",
    metavar="FILE",
    required=True,
    type=click.Path(),
    help="What is accepted (TOML).",
)
_AUDIENCE = click.option("-a", "--audience", metavar="AUD", help="Which audience of the policy is asked for.")
_AT = click.option("--at", metavar="TIME", help="Ask as of another time, such as 2026-11-25T12:00:00Z.")
_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
#: Bytes of a file that may hold a token: more than any token has, so that the size can be told.
_MOST_BYTES = 1 << 20


@click.group(epilog=_EPILOG)
def token() -> None:
    """Validate tokens by a policy, and explain why one is refused.

    A token's signature is never printed.
    """


@token.command(epilog=_TOKEN_HELP + _EXIT_CODES)
@_TOKEN
@_POLICY
@_AUDIENCE
@_AT
@_FORMAT
@_QUIET
def validate(token: str, policy: str, audience: str | None, at: str | None, form: str, quiet: bool) -> int:
    """See whether a token is accepted, and print its claims if it is."""
    from immure.tokens.errors import TokenError

    try:
        claims = _validator(policy).validate(_read(token), audience=audience, now=_moment(at))
    except TokenError as error:
        if form == "json":
            click.echo(json.dumps({"accepted": False, "code": error.code, "words": str(error)}, indent=1))
        else:
            say(f"refused ({error.code}): {error}")
        return ExitCode.FINDINGS
    if form == "json":
        answer: dict[str, Any] = {"accepted": True, "audience_class": claims.audience_class}
        click.echo(json.dumps({**answer, "claims": dict(claims)}, indent=1))
    elif not quiet:
        click.echo(f"accepted: {_visible(claims.audience_class)} token, key {claims.key.key.thumbprint}")
        _print_members(dict(claims))
    return ExitCode.CLEAN


@token.command(epilog=_TOKEN_HELP + _EXIT_CODES)
@_TOKEN
@_FORMAT
def inspect(token: str, form: str) -> int:
    """Print what a token says, without believing it: no signature is looked at, and no key is asked for."""
    from immure.tokens.errors import TokenError
    from immure.tokens.parse import parse_token

    text = _read(token)
    try:
        parsed = parse_token(text)
    except TokenError as error:
        say(f"refused ({error.code}): {error}")
        return ExitCode.FINDINGS
    header, digest = parsed.header.members, _digest(text)
    if form == "json":
        seen = {"verified": False, "sha256": digest, "header": header, "claims": parsed.claims}
        click.echo(json.dumps(seen, indent=1))
        return ExitCode.CLEAN
    click.echo(f"NOT VERIFIED: anybody may have written this\nsha256 {digest}\nheader")
    _print_members(header)
    click.echo("claims")
    _print_members(parsed.claims)
    return ExitCode.CLEAN


@token.command(epilog=_TOKEN_HELP + _EXIT_CODES)
@_TOKEN
@_POLICY
@_AUDIENCE
@_AT
@_FORMAT
@_QUIET
def explain(token: str, policy: str, audience: str | None, at: str | None, form: str, quiet: bool) -> int:
    """Ask every rule about a token, and print what each of them says."""
    from immure.tokens.explain import explain as explained

    made = explained(_validator(policy), _read(token), audience=audience, now=_moment(at))
    if form == "json":
        click.echo(json.dumps(made.to_json(), indent=1))
    elif not quiet:
        _print(made)
    if made.code == "key-source":
        return ExitCode.INCOMPLETE
    if made.code == "policy":
        return ExitCode.USAGE
    return ExitCode.CLEAN if made.accepted else ExitCode.FINDINGS


def _validator(path: str) -> Validator:
    from immure.tokens.policy_file import read_policy
    from immure.tokens.validator import Validator

    return Validator(read_policy(path))


def _read(path: str) -> bytes:
    """The token in a file; blanks around it are the editor's, not the token's."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(_MOST_BYTES).strip()
        with Path(path).open("rb") as stream:
            return stream.read(_MOST_BYTES).strip()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "not the name of a file"
        raise UsageError(f"cannot be read: {words}", path="TOKEN") from error


def _moment(text: str | None) -> datetime | None:
    from immure import clock

    if text is None:
        return None
    try:
        return clock.from_rfc3339(text)
    except (ValueError, OverflowError):
        raise UsageError("--at is not a time such as 2026-11-25T12:00:00Z") from None


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _print(made: Explanation) -> None:
    marks = {"pass": "pass", "fail": "FAIL", "not asked": "-"}
    click.echo(f"token sha256:{made.digest}")
    for row in made.rows:
        words = f"\n      {row.code}: {_visible(row.words or '')}" if row.code else ""
        click.echo(f"{marks[row.outcome.value]:<5} {_visible(row.rule)}{words}")
    click.echo("accepted" if made.accepted else f"REFUSED ({made.code})")


def _print_members(members: dict[str, Any]) -> None:
    for name, value in members.items():
        text = json.dumps(value, ensure_ascii=False)
        click.echo(f"  {_visible(name)}: {_visible(text)}{_as_time(name, value)}")


def _as_time(name: str, value: object) -> str:
    from datetime import UTC

    if name not in ("exp", "nbf", "iat", "auth_time") or type(value) is not int or not 0 <= value < 1 << 37:
        return ""
    return f"  ({datetime.fromtimestamp(value, UTC).isoformat()})"


def _visible(text: str) -> str:
    from immure.scanning.report.words import visible

    return visible(text)
