"""Options and words that the commands of ``immure keys`` share."""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.registry.record import KeyRecord
    from immure.registry.store import Store

    MomentType = click.ParamType[datetime]
else:  # older releases of click know no type arguments
    MomentType = click.ParamType

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_STORE = "immure-keys.db"

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    refused: a state that cannot follow, a key that is there already, a scope that does not fit
  2    the command cannot be done as it was given
  3    it could not be carried out: no such key, a registry or source that cannot be read or written
  130  interrupted
"""


class Moment(MomentType):
    """A date (its first moment in UTC) or a time with its offset (RFC 3339)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment; a usage error if this is none."""
        if isinstance(value, datetime):
            return value
        from immure.clock import from_rfc3339

        try:
            if len(value) == len("2026-11-25"):
                day = date.fromisoformat(value)
                return datetime(day.year, day.month, day.day, tzinfo=UTC)
            return from_rfc3339(value)
        except (ValueError, OverflowError):
            self.fail(f"{value[:60]!r} is neither a date nor a time such as 2026-11-25T01:02:03Z", param, ctx)


STORE = click.option(
    "--store",
    "store_path",
    metavar="PATH|URL",
    type=click.Path(dir_okay=False),
    default=DEFAULT_STORE,
    show_default=True,
    help="The registry: TOML if its name ends in .toml, else SQLite; or postgresql://USER@HOST/DATABASE.",
)
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
KEY = click.argument("name", metavar="KEY")
ISSUER_OF_KEY = click.option(
    "--of", "of_issuer", metavar="ISS", help="The key of that issuer, if KEY names several."
)


def who_and_why(*, required: bool, default: str = "") -> Callable[[Command], Command]:
    """The options for the history of a key."""

    def add(command: Command) -> Command:
        more: dict[str, Any] = (
            {"required": True, "callback": _not_empty} if required else {"default": default}
        )
        reason = click.option("--reason", metavar="TEXT", help="Why; for the history.", **more)
        by = click.option("--by", metavar="NAME", default=_user, help="Who.  [default: your login name]")
        return reason(by(command))

    return add


def scope_options(command: Command) -> Command:
    """The options that say what a key may sign for."""
    for option in (
        click.option("--issuer", metavar="ISS", help="Its tokens' iss; {tenantid} is any tenant's id."),
        click.option("--audience-class", "classes", metavar="CLASS", multiple=True,
                     help="Such as consumer, enterprise, workload; repeatable."),
        click.option("--tenant", "tenants", metavar="ID", multiple=True, help="Only this one; repeatable."),
        click.option("--cloud", "clouds", metavar="NAME", multiple=True, help="Only this one; repeatable."),
        click.option("--alg", "algorithms", metavar="ALG", multiple=True,
                     help="JWS algorithm, such as RS256; repeatable.  [default: all that fit the key]"),
        click.option("--not-before", metavar="TIME", type=Moment(), help="Nothing counts before."),
        click.option("--not-after", metavar="TIME", type=Moment(), help="Nothing counts after."),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


def answered(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command for which a refusal of the registry is an answer, with exit code 1."""

    @functools.wraps(command)
    def run(*arguments: Any, **named: Any) -> Any:
        from immure.registry.errors import DuplicateKeyError, PooledError, ScopeError, TransitionError

        try:
            return command(*arguments, **named)
        except (DuplicateKeyError, PooledError, ScopeError, TransitionError) as error:
            say(str(error))
            return ExitCode.FINDINGS

    return run


def opened(path: str, *, create: bool = False) -> Store:
    """The registry at a path or URL; raises RegistryError, and UsageError if there is no such path."""
    from immure.registry.opening import open_store
    from immure.registry.sql_url import is_url

    if not create and not is_url(path) and not os.path.lexists(path):
        raise UsageError("there is no registry; `immure keys import` makes one", path=path)
    return open_store(path, create=create)


def state_line(record: KeyRecord) -> str:
    """A key, its state and scope in one line."""
    from immure.registry.jwks import set_scopes
    from immure.scanning.report.words import visible

    scope = record.scope
    words = "no scope" if scope is None else "; ".join(one.words for one in sorted(set_scopes(scope)))
    return visible(
        f"{record.kid}  {record.thumbprint[:12]}…  {record.key.label}  {record.state.value}  {words}"
    )


def _not_empty(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why: a history is read when something has gone wrong")
    return value


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        return f"uid {os.getuid()}"
