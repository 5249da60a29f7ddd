"""Options that the commands of ``immure keyholder`` share, and PINs."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.keys_options import Moment
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.custody.keyholder import Rules

EXIT_CODES = """
\b
Exit codes:
  0    done
  2    the command cannot be done as it was given
  3    it could not be carried out: wrong PIN, a file that another process holds, a key that is not there
  130  interrupted
"""

PATH = click.argument("path", metavar="PATH", type=click.Path(dir_okay=False))
PIN_FILE = click.option(
    "--pin-file", "pin_files", metavar="FILE", multiple=True, type=click.Path(dir_okay=False),
    help="A file whose first line is the PIN; twice if the file is under two.",
)  # fmt: skip
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")

_RULES = (
    click.option("--alg", "algorithm", required=True,
                 type=click.Choice(["EdDSA", "ES256", "ES384", "PS256", "RS256"])),
    click.option("--issuer", metavar="ISS", required=True,
                 help="The iss of its tokens; {tenantid} may stand in it."),
    click.option("--class", "classes", metavar="NAME", multiple=True,
                 help="Audience class, such as consumer."),
    click.option("--audience", "audiences", metavar="AUD=CLASS,…", multiple=True,
                 help="Classes of an audience; * for all that are not named."),
    click.option("--tenant", "tenants", metavar="ID", multiple=True, help="Only these tenants."),
    click.option("--cloud", "clouds", metavar="NAME", multiple=True, help="Only these cloud instances."),
    click.option("--purpose", "purposes", multiple=True, help="[default: token]",
                 type=click.Choice(["token", "client-assertion", "statement", "note"])),
    click.option("--max-lifetime", "seconds", type=click.IntRange(1), default=86_400, show_default=True,
                 metavar="SECONDS", help="Of a token."),
    click.option("--quota", type=click.IntRange(1), metavar="N", help="How many signatures in all."),
    click.option("--not-before", type=Moment(), metavar="TIME"),
    click.option("--not-after", type=Moment(), metavar="TIME"),
)  # fmt: skip


def rules_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a key may sign; the command gets them as ``rules``."""

    @functools.wraps(command)
    def with_rules(
        algorithm: Any,
        issuer: str,
        classes: tuple[str, ...],
        audiences: tuple[str, ...],
        tenants: tuple[str, ...],
        clouds: tuple[str, ...],
        purposes: tuple[str, ...],
        seconds: int,
        quota: int | None,
        not_before: datetime | None,
        not_after: datetime | None,
        **others: Any,
    ) -> Any:
        from immure.custody.keyholder import Rules
        from immure.registry.scope import KeyScope

        sets = frozenset(classes), frozenset(tenants), frozenset(clouds)
        scope = KeyScope(issuer, *sets, not_before=not_before, not_after=not_after)
        table = dict(map(_audience, audiences))
        made: Rules = Rules(algorithm, scope, table, frozenset(purposes or ("token",)), seconds, quota)
        return command(rules=made, **others)

    for option in reversed(_RULES):
        with_rules = option(with_rules)
    return with_rules


def _audience(text: str) -> tuple[str, frozenset[str]]:
    name, equals, classes = text.rpartition("=")
    if not equals or not name or not classes:
        raise UsageError(f"--audience {text[:80]!r} is not AUDIENCE=CLASS")
    return name, frozenset(classes.split(","))


def pins_from(files: tuple[str, ...], question: str, *, confirm: bool = False) -> list[Any]:
    """The PINs: files, else ``IMMURE_PIN``, else what is answered on a terminal."""
    from immure.custody.pin import VARIABLE

    if files:
        return [Path(name) for name in files]
    given = os.environ.get(VARIABLE)
    if given:
        return [given]
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"there is no PIN; give --pin-file or the variable {VARIABLE}")
    return [click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)]


def uid_of(user: str) -> int:
    """The number of a user, by name or number."""
    import pwd

    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise UsageError(f"there is no user {user!r}") from None
