"""Options that the commands of ``immure access`` share, and how a room is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.keygen import KEY_HELP, open_key
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.access import Door

F = TypeVar("F", bound=Callable[..., Any])

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    refused: by a rule of the room, or a response that does not hold; there is no live grant
  2    the command cannot be done as it was given
  3    the room cannot be read, written or believed (put back to an older state, a wrong clock)
  130  interrupted
"""

ROOM = click.argument("room", metavar="ROOM", type=click.Path(file_okay=False))
LOG = click.option(
    "--log",
    "log_path",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The room's log. [default: ROOM/log]",
)
KEY = click.option("--key", "uri", metavar="URI", required=True, help=f"Signs the log. {KEY_HELP}")
KNOWN = click.option(
    "--known",
    metavar="FILE",
    type=click.Path(),
    help="A checkpoint kept from before; the log must continue it.",
)
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, in which room, and how their key is asked."""

    room: str
    uri: str
    log: str | None
    account: str
    options: str | None
    assertion: str | None
    form: str
    quiet: bool

    def need(self, **members: object) -> None:
        """See that what a new ceremony needs was given; with a response it is in the ceremony already."""
        if self.assertion is not None:
            return
        if not self.account:
            raise UsageError("needs --as, the account that acts")
        for name, value in members.items():
            if value is None or value == ():
                raise UsageError(f"needs --{name.replace('_', '-')}")


def acting(function: F) -> F:
    """Give a command ``how``, an :class:`Acting`, made of the options of all commands by which people act."""
    from functools import wraps

    @wraps(function)
    def command(**values: Any) -> Any:
        how = Acting(
            room=values.pop("room"),
            uri=values.pop("uri"),
            log=values.pop("log_path"),
            account=values.pop("account_of_actor") or "",
            options=values.pop("options_file"),
            assertion=values.pop("assertion_file"),
            form=values.pop("form"),
            quiet=values.pop("quiet"),
        )
        if how.options is not None and how.assertion is not None:
            raise UsageError("--options begins a ceremony and --assertion ends it: not both")
        return function(how, **values)

    for option in reversed((KEY, _AS, _OPTIONS, _ASSERTION, LOG, FORMAT, QUIET)):
        command = option(command)
    return ROOM(command)  # type: ignore[return-value]


_AS = click.option(
    "--as", "account_of_actor", metavar="ACCOUNT", help="Who acts; not needed with --assertion."
)
_OPTIONS = click.option(
    "--options",
    "options_file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write what is to be signed to FILE (JSON: words, WebAuthn options), and leave.",
)
_ASSERTION = click.option(
    "--assertion",
    "assertion_file",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="The WebAuthn response (JSON) to what was begun by --options; - for standard input.",
)


@contextmanager
def opened(
    room: str, log: str | None, uri: str | None, *, known: str | None = None, quiet: bool = True
) -> Iterator[Door]:
    """The door of a room; with the URI of a key it can be changed."""
    from immure.access import Door

    if uri is None:
        checkpoint = None if known is None else _checkpoint(known)
        with Door.open(room, log=log, known=checkpoint) as door:
            yield door
        return
    from immure.access.door import LOG as NAME
    from immure.auditlog import AuditLog
    from immure.custody.note_signer import NoteSigner

    with open_key(uri, quiet=quiet) as signer:
        origin = AuditLog.open(log or f"{room}/{NAME}", check=False).origin
        checkpoint = None if known is None else _checkpoint(known)
        with Door.open(room, signer=NoteSigner(origin, signer), log=log, known=checkpoint) as door:
            yield door


def _checkpoint(path: str) -> Any:
    from immure.auditlog import parse_checkpoint
    from immure.auditlog.note import MAX_NOTE_BYTES

    return parse_checkpoint(read_file(path, MAX_NOTE_BYTES), path=path)


def read_file(path: str, most: int) -> bytes:
    """The bytes of a file, or of standard input (``-``); raises UsageError."""
    try:
        with click.open_file(path, "rb") as stream:
            data: bytes = stream.read(most + 1)
    except (OSError, ValueError) as error:
        raise UsageError(getattr(error, "strerror", None) or "cannot be read", path=path) from error
    if len(data) > most:
        raise UsageError(f"is longer than {most} bytes", path=path)
    return data


def a_time(text: str, option: str) -> datetime:
    """A time that a person gives: a day, or RFC 3339; raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option}: a time as 2026-11-25T01:02:03Z, or a day") from error
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
