"""``immure access pin``: the PIN of a token, while there is a live grant for its key."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from immure.cli.access_options import EXIT_CODES, KEY, LOG, QUIET, ROOM, opened
from immure.cli.exit_codes import ExitCode
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import UsageError

_EPILOG = f"""
\b
Examples:
  immure access pin give room --resource key:issuer-1 --pin-file issuer-1.pin --socket /run/immure/pin \\
      --user immure-signing --key file:log.key
  immure access pin run /run/immure/pin --file /run/immure-signing/pin -- \\
      immure serve signing --config signing.toml
  immure access pin run /run/immure/pin -- \\
      immure log verify decisions --key 'pkcs11:token=log;object=log?pin-source=/proc/self/fd/3'
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def pin() -> None:
    """Give out the PIN of a token only while somebody has a live grant to use its key."""


@pin.command(epilog=_EPILOG)
@ROOM
@KEY
@click.option("--resource", metavar="key:NAME", required=True, help="What the grant must be for.")
@click.option(
    "--pin-file", metavar="FILE", required=True, help="Its first line is the PIN; nobody else reads it."
)
@click.option("--socket", "path", metavar="PATH", required=True, type=click.Path(), help="Listen there.")
@click.option("--user", "users", metavar="NAME", multiple=True, help="Who gets it. [default: who runs this]")
@click.option("--as", "account", metavar="ACCOUNT", help="Whose grant it must be. [default: anybody's]")
@LOG
@QUIET
def give(
    room: str, uri: str, resource: str, pin_file: str, path: str, users: tuple[str, ...], account: str | None,
    log_path: str | None, quiet: bool,
) -> int:  # fmt: skip
    """Listen on a Unix socket, and give the PIN to a program that asks while there is a live grant for
    'use'.

    Which user asks is what the kernel says. That the PIN was given is in the room's log before it is given.
    A program that has it can use the token until it stops: a grant that ends takes no PIN back.
    """
    from immure.access.pin import PinDesk, listening_socket, serve
    from immure.custody.pin import find_pin
    from immure.introspection.journal import Journal

    keep_memory_out_of_dumps()
    held = find_pin(None, pin_file, None, "")
    if held is None:
        raise UsageError("there is no PIN", path=pin_file)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    with opened(room, log_path, uri) as door, listening_socket(Path(path)) as listening:
        told = Journal(sys.stderr).write
        desk = PinDesk(door, resource, held, users=_numbers(users), account=account, told=told)
        if not quiet:
            click.echo(f"gives the PIN for {resource} at {path}, while there is a grant")
        serve(listening, desk, lambda: bool(stopping))
    return ExitCode.CLEAN


def _numbers(names: tuple[str, ...]) -> frozenset[int]:
    import pwd

    try:
        return frozenset(pwd.getpwnam(name).pw_uid for name in names) or frozenset({os.geteuid()})
    except KeyError as error:
        raise UsageError(f"--user: {error.args[0]}") from error


@pin.command(epilog=_EPILOG, context_settings={"ignore_unknown_options": True})
@click.argument("socket", metavar="SOCKET", type=click.Path())
@click.argument("command", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--fd", "number", metavar="N", type=click.IntRange(3, 255), default=3, show_default=True)
@click.option(
    "--file", "file", metavar="PATH", type=click.Path(), help="Put it into a file until COMMAND ends."
)
def run(socket: str, command: tuple[str, ...], number: int, file: str | None) -> int:
    """Fetch the PIN, and run COMMAND with it. Without a live grant COMMAND is not run.

    COMMAND has it as the file descriptor N, and takes it by pin-source=/proc/self/fd/N in the URI of its key:
    it is on no disk, in no list of processes and in no environment. A program whose workers open the token by
    themselves (immure serve signing) needs --file, in a directory that is memory: the file is there until
    COMMAND ends, and nobody else can read it.
    """
    from immure.access.pin import fetch_pin, pin_descriptor, pin_file

    held = fetch_pin(Path(socket))
    if file is not None:
        with pin_file(held, Path(file)):
            return _run(command)
    pin_descriptor(held, number)
    try:
        os.execvp(command[0], list(command))  # noqa: S606 - what the caller has written
    except OSError as error:
        raise UsageError(error.strerror or "cannot be run", path=command[0]) from error


def _run(command: tuple[str, ...]) -> int:
    """Run a program, hand on what asks us to stop, and take over its exit code."""
    import subprocess

    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # came while the program was being started: it may be there already

    def hand_on(received: int, _: object) -> None:
        if running:
            running[0].send_signal(received)
        else:
            early.append(received)

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, hand_on)
    try:
        running.append(subprocess.Popen(list(command)))  # noqa: S603 - what the caller has written
    except OSError as error:
        raise UsageError(error.strerror or "cannot be run", path=command[0]) from error
    for number in early:
        running[0].send_signal(number)
    code = running[0].wait()
    return code if code >= 0 else 128 - code
