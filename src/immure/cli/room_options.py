"""A room's door before a command: options, and the question whether it was granted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from immure.cli.keygen import KEY_HELP, open_key
from immure.errors import RefusedError, UsageError

Command = TypeVar("Command", bound=Callable[..., Any])
#: What must be granted on a key.
ROTATE = "rotate"


def room_options(command: Command) -> Command:
    """``--room``, ``--room-key`` and ``--as``, and variables, which whoever runs the machine sets for all."""
    for option in (
        click.option("--room", metavar="DIR", envvar="IMMURE_ROOM", type=click.Path(),
                     help="The room whose door must have granted it (variable IMMURE_ROOM)."),
        click.option("--room-key", metavar="URI", envvar="IMMURE_ROOM_KEY",
                     help=f"What signs the room's log (variable IMMURE_ROOM_KEY).  {KEY_HELP}"),
        click.option("--as", "account", metavar="ACCOUNT", envvar="IMMURE_ACCOUNT",
                     help="Whose grant must be there.  [default: anybody's]"),
    )[::-1]:  # fmt: skip
        command = option(command)
    return command


def use_grant(
    room: str | None, room_key: str | None, account: str | None, kid: str, act: str, *, quiet: bool
) -> None:
    """See that somebody was granted to change a key, and note in the room's log that it is done now.

    Args:
        room, room_key, account: of the options; without a room nobody is asked.
        kid: of the key: what must be granted is ``key:KID``, with the action ``rotate``.
        act: what is done, in a word.
        quiet: say nothing of the key that signs.

    Raises:
        RefusedError: there is no live grant.
        UsageError: the options do not go together.
        AccessError, LogError: the door cannot be asked.
    """
    if room is None:
        if account is not None:
            raise UsageError("--as needs --room: accounts are a room's")
        return
    if room_key is None:
        raise UsageError("--room needs --room-key: the room's log takes what a grant is used for")
    from immure.access import Door, NoGrantError
    from immure.access.door import LOG
    from immure.auditlog import AuditLog
    from immure.custody.note_signer import NoteSigner

    origin = AuditLog.open(Path(room) / LOG, check=False).origin
    with open_key(room_key, quiet) as signer, Door.open(room, signer=NoteSigner(origin, signer)) as door:
        try:
            grant = door.live_grant(f"key:{kid}", ROTATE, account=account)
            door.use(grant.id, ROTATE, {"key": kid, "act": act})
        except NoGrantError as error:
            raise RefusedError(f"not granted: {error}", rule="grant", path=kid) from error
