"""``immure access pam``: what PAM asks before somebody becomes root."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.access_options import EXIT_CODES, opened
from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import KEY_HELP
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import ImmureError, UsageError

if TYPE_CHECKING:
    from immure.access import Door
    from immure.access.sudo import Admitted, Asker, Wanted

_TYPES = ("auth", "account")
_EPILOG = f"""
\b
In /etc/pam.d/sudo, in the place of everything else that begins with "auth":
  auth required pam_exec.so quiet seteuid stdout /opt/immure/bin/python -I -m immure access pam \\
      --resource room:debug --authority /etc/ssh/room-authority.pub \\
      --krl /etc/ssh/room.krl --krl-minutes 15
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@click.option("--resource", metavar="room:NAME", required=True, help="The room that this host is in.")
@click.option("--authority", metavar="FILE", required=True,
              help="Public keys of who signs certificates, as sshd's TrustedUserCAKeys.")  # fmt: skip
@click.option("--krl", metavar="FILE", help="What was revoked: immure access ssh krl.")
@click.option("--krl-minutes", metavar="N", type=click.IntRange(0, 10080), default=0, show_default=True,
              help="Refuse everybody if that list is older; 0: whatever its age.")  # fmt: skip
@click.option("--room", metavar="DIR", help="Ask this room whether the grant is live.")
@click.option("--key", "uri", metavar="URI", help=f"Log the use in the room; signs its log. {KEY_HELP}")
@click.option("--account", metavar="NAME", default="%u", show_default=True,
              help="The account of a login, with %u for its name: prd-%u.")  # fmt: skip
@click.option("--shared", metavar="LOGIN", multiple=True, help="A login that several people have.")
@click.option(
    "--allow-plain-key", is_flag=True, help="UNSAFE: also for a key that is a file, and can be copied."
)
@click.option("--seconds", metavar="N", type=click.IntRange(1, 600), default=60, show_default=True,
              help="How long somebody may take to confirm.")  # fmt: skip
@click.option("--log", "log_path", metavar="DIR", help="The room's log. [default: ROOM/log]")
def pam(
    resource: str, authority: str, krl: str | None, krl_minutes: int, room: str | None, uri: str | None,
    account: str, shared: tuple[str, ...], allow_plain_key: bool, seconds: int, log_path: str | None,
) -> int:  # fmt: skip
    """Let somebody become root who has a live grant to sudo: run by pam_exec, as root.

    The agent of who asks (SSH_AUTH_SOCK of the program that asks PAM) signs a fresh nonce with the key of a
    certificate (immure access ssh sign --action sudo). It is checked by whom it was signed, for whom, for
    what, until when, and that it was not revoked: by a list, by the room itself, or both. Exit code 0 lets
    in, and no other.
    """
    from immure.access.errors import DeniedError
    from immure.access.sudo.journal import note

    keep_memory_out_of_dumps()
    if krl is None and room is None:
        raise UsageError("needs --krl or --room: else nothing that was revoked would be known")
    if room is None and uri is not None:
        raise UsageError("--key is for the log of a room: it needs --room")
    asker = _asker(os.environ)
    wanted = _wanted(resource, authority, krl, krl_minutes, account, shared, allow_plain_key)
    try:
        admitted = _admitted(wanted, asker, room, log_path, uri, seconds)
    except ImmureError as error:
        note(asker, refused=error.rule if isinstance(error, DeniedError) else error.code)
        raise
    note(asker, admitted)
    return ExitCode.CLEAN


def _wanted(
    resource: str, authority: str, krl: str | None, minutes: int, account: str, shared: tuple[str, ...],
    plain: bool,
) -> Wanted:  # fmt: skip
    from immure.access.names import parse_resource
    from immure.access.sudo import Krl, Wanted
    from immure.access.sudo.trusted import read_authorities

    if parse_resource(resource).kind != "room":
        raise UsageError("a host is in a room: room:NAME")
    return Wanted(
        authorities=read_authorities(Path(authority)),
        resource=resource,
        krl=None if krl is None else Krl(Path(krl), minutes),
        account=account,
        shared=frozenset(shared),
        plain=plain,
    )


def _asker(environment: Mapping[str, str]) -> Asker:
    """What PAM says, in the environment that pam_exec has made; nothing of the user's is in it."""
    from immure.access.sudo import Asker
    from immure.access.sudo.rights import become_root

    if os.geteuid() != 0 or not sys.flags.isolated:
        raise UsageError("is run by pam_exec, as root, by: python -I -m immure access pam …")
    become_root()
    if environment.get("PAM_TYPE") not in _TYPES:
        raise UsageError(f"is for lines of PAM that begin with {' or '.join(_TYPES)}")
    login = environment.get("PAM_RUSER") or environment.get("PAM_USER") or ""
    if not login:
        raise UsageError("PAM does not say who asks")
    return Asker(
        login, environment.get("PAM_SERVICE", ""), environment.get("PAM_TTY", ""), socket.gethostname()
    )


def _admitted(
    wanted: Wanted, asker: Asker, room: str | None, log_path: str | None, uri: str | None, seconds: int
) -> Admitted:
    from immure.access.sudo import admit
    from immure.access.sudo.agent import connected
    from immure.access.sudo.behind import check_grant, note_use
    from immure.access.sudo.rights import acting_as, agent_of, rights_of

    rights, path = rights_of(asker.login), agent_of(os.getppid())
    with ExitStack() as stack:
        with acting_as(rights):
            agent = stack.enter_context(connected(path, rights.uid, seconds))
        if room is None:
            return admit(wanted, asker, agent, touch=_touch)
        door = stack.enter_context(_door(room, log_path, uri))
        admitted = admit(
            wanted, asker, agent, clock=door.time, touch=_touch,
            behind=lambda found: check_grant(door, wanted, found),
        )  # fmt: skip
        if uri is not None:
            note_use(door, asker, admitted)
        return admitted


@contextmanager
def _door(room: str, log_path: str | None, uri: str | None) -> Iterator[Door]:
    """A door, with the rights of whose it is: what is written there stays theirs."""
    from immure.access.sudo.rights import acting_as, owner_of

    with acting_as(owner_of(Path(room))), opened(room, log_path, uri) as door:
        yield door


def _touch() -> None:
    click.echo("immure: confirm with your security key")
