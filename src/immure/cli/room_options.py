"""A room's door before a command: options, and the question whether it was granted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.access_options import opened
from immure.cli.keygen import KEY_HELP
from immure.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from immure.access import Door

Command = TypeVar("Command", bound=Callable[..., Any])
#: What must be granted on a key.
ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class GrantingRoom:
    """The room whose door is asked, by the options: its directory, its log if that is elsewhere, what signs
    that, and whose grant it must be; None is anybody's."""

    path: str
    log: str | None
    key: str
    account: str | None

    @contextmanager
    def door(self, quiet: bool) -> Iterator[Door]:
        """The door, open; raises AccessError or LogError if it cannot be asked."""
        with opened(self.path, self.log, self.key, quiet=quiet) as door:
            yield door


def room_options(command: Command) -> Command:
    """``--room``, ``--room-log``, ``--room-key`` and ``--as``, and variables, which whoever runs the machine
    sets for all; the command gets ``room``, a :class:`GrantingRoom` or None."""

    @wraps(command)
    def asking(**values: Any) -> Any:
        names = ("room", "room_log", "room_key", "account")
        path, log, key, account = (values.pop(name) for name in names)
        return command(room=granting_room(path, log, key, account), **values)

    made: Any = asking
    for option in (
        click.option("--room", metavar="DIR", envvar="IMMURE_ROOM", type=click.Path(),
                     help="The room whose door must have granted it (variable IMMURE_ROOM)."),
        click.option("--room-log", metavar="DIR", envvar="IMMURE_ROOM_LOG", type=click.Path(),
                     help="The room's log (variable IMMURE_ROOM_LOG).  [default: log in the room]"),
        click.option("--room-key", metavar="URI", envvar="IMMURE_ROOM_KEY",
                     help=f"What signs the room's log (variable IMMURE_ROOM_KEY).  {KEY_HELP}"),
        click.option("--as", "account", metavar="ACCOUNT", envvar="IMMURE_ACCOUNT",
                     help="Whose grant must be there.  [default: anybody's]"),
    )[::-1]:  # fmt: skip
        made = option(made)
    return made  # type: ignore[no-any-return]


def granting_room(
    path: str | None, log: str | None, key: str | None, account: str | None
) -> GrantingRoom | None:
    """The room that options name; None: nobody is asked.

    Raises:
        UsageError: the options do not go together.
    """
    if path is None:
        if account is not None:
            raise UsageError("--as needs --room: accounts are a room's")
        return None
    if key is None:
        raise UsageError("--room needs --room-key: the room's log takes what a grant is used for")
    return GrantingRoom(path, log, key, account)


def use_grant(room: GrantingRoom | None, kid: str, act: str, *, quiet: bool) -> None:
    """See that somebody was granted to change a key, and note in the room's log that it is done now.

    Args:
        room: of the options; without one nobody is asked.
        kid: of the key: what must be granted is ``key:KID``, with the action ``rotate``.
        act: what is done, in a word.
        quiet: say nothing of the key that signs.

    Raises:
        RefusedError: there is no live grant.
        AccessError, LogError: the door cannot be asked.
    """
    if room is None:
        return
    from immure.access import NoGrantError

    with room.door(quiet) as door:
        try:
            grant = door.live_grant(f"key:{kid}", ROTATE, account=room.account)
            door.use(grant.id, ROTATE, {"key": kid, "act": act})
        except NoGrantError as error:
            raise RefusedError(f"not granted: {error}", rule="grant", path=kid) from error
