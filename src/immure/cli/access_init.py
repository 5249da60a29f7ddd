"""``immure access init``: make a room."""

from __future__ import annotations

import json

import click

from immure.cli.access_options import EXIT_CODES, FORMAT, KEY, LOG, QUIET, ROOM, opened, read_file
from immure.cli.count_progress import count_progress
from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.messages import say
from immure.errors import UsageError

_EPILOG = f"""
After this, name at least three founders (immure access person add), enrol two hardware keys of each (immure
access key enrol), and let each of them approve the request 'founding' (immure access approve).

\b
Examples:
  immure access init room --policy access.toml --origin access.prod.example/room --key file:log.key
  immure access init room --policy access.toml --log decisions --key 'pkcs11:token=log;object=log'
  immure access init room --restore --key file:log.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@ROOM
@KEY
@click.option(
    "--policy", "policy_path", metavar="FILE", type=click.Path(), help="The policy of the room (TOML)."
)
@click.option(
    "--origin", metavar="NAME", help="The name of the room's log, such as access.prod.example/room."
)
@LOG
@click.option("--restore", is_flag=True, help="Make the database of the room anew from its log.")
@FORMAT
@QUIET
def init(
    room: str, uri: str, policy_path: str | None, origin: str | None, log_path: str | None, restore: bool,
    form: str, quiet: bool,
) -> int:  # fmt: skip
    """Make a room, in which there is nobody yet, and print the public key of its log.

    With --log, a log that is there already is used, such as that of the gate of releases: then all decisions
    are in one. With --restore, the database is made anew from the log, each signature verified: after the
    disk was lost, or the database was put back to an older state.
    """
    if restore:
        return _restore(room, log_path, uri, quiet)
    if policy_path is None or (origin is None) == (log_path is None):
        raise UsageError("needs --policy, and either --origin (a new log) or --log (one that there is)")
    text = read_policy_text(policy_path)
    from immure.access import Door
    from immure.auditlog import AuditLog, NoteKey
    from immure.custody.note_signer import NoteSigner

    with open_key(uri, quiet) as signer:
        name = origin if origin is not None else AuditLog.open(str(log_path), check=False).origin
        note_signer = NoteSigner(name, signer)
        Door.create(room, policy=text, signer=note_signer, log=log_path).close()
        vkey = NoteKey(name, note_signer.public_key).to_vkey()
    if form == "json":
        click.echo(json.dumps({"log_key": vkey}))
    elif not quiet:
        click.echo(f"public key of the log: {vkey}")
        say("note: name at least three founders next: immure access person add")
    return ExitCode.CLEAN


def read_policy_text(path: str) -> str:
    """The text of a policy that can be understood; raises PolicyError or UsageError."""
    from immure.access import parse_policy
    from immure.access.policy_file import MOST_BYTES

    data = read_file(path, MOST_BYTES)
    parse_policy(data, path)
    return data.decode("utf-8")


def _restore(room: str, log_path: str | None, uri: str, quiet: bool) -> int:
    from immure.access.restoring import restore_room
    from immure.auditlog import AuditLog
    from immure.custody.note_signer import NoteSigner

    with open_key(uri, quiet=True) as signer:
        log = AuditLog.open(log_path or f"{room}/log", check=False)
        with count_progress("entries", quiet=quiet) as told:
            count = restore_room(
                room,
                signer=NoteSigner(log.origin, signer),
                log=log_path,
                told=lambda done: told(done, len(log)),
            )
    with opened(room, log_path, None):
        pass
    if not quiet:
        click.echo(f"{count} entries of the log taken in, every signature verified")
    return ExitCode.CLEAN
