"""``immure capture``: take cores from the kernel and seal them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from immure.cli.capture_options import config_option, read_config, settings_options, settings_with
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import ImmureError, UsageError

_EPILOG = """
\b
Examples:
  immure capture install --keep redacted --keys /etc/immure/jwks.json
  immure capture status
  immure capture uninstall
"""
_INSTALL_EPILOG = """
Files: /etc/sysctl.d/60-immure-capture.conf, /etc/systemd/system/immure-capture.service, the settings in
/etc/immure/capture.toml, and in /var/lib/immure what core_pattern was before.

If another program gets the cores (systemd-coredump, say), nothing is changed without --replace. With
--replace alone it gets none any more; with --forward it gets them redacted, and each crashed process is held
until it has.

\b
Examples:
  immure capture install
  immure capture install --keep redacted --replace --forward
  immure capture install --root /srv/image --via pipe

\b
Exit codes:
  0    installed, and in force if this is about the running system
  2    the command cannot be done as it was given; another program gets the cores
  3    it could not be done, or not completely
"""
_STATUS_EPILOG = """
\b
Exit codes:
  0    active: a crash now would be captured
  1    not active
  2    the settings cannot be read
  3    it cannot be told: only root may look
"""
_SERVE_EPILOG = """
Settings come from the file; options here come before it. Events go to standard error, one line of JSON each.
SIGTERM stops: nobody new is taken in, and cores in hand are sealed.

\b
Examples:
  immure capture serve
  immure capture serve --keep redacted --keys jwks.json --memory 2GiB

\b
Exit codes:
  0    stopped when asked to
  2    the settings make no sense
  3    the sockets or the vault cannot be opened
"""
_UNINSTALL_EPILOG = """
The vault, and what is sealed in it, stays.

\b
Exit codes:
  0    done
  3    something could not be removed or put back
"""


@click.group(epilog=_EPILOG)
def capture() -> None:
    """Take core dumps from the kernel and seal them, so that nothing readable reaches a disk."""


@capture.command(epilog=_INSTALL_EPILOG)
@config_option
@settings_options
@click.option(
    "--via",
    type=click.Choice(("pipe", "socket", "asking-socket")),
    help="How the kernel sends cores.  [default: the best that this kernel offers; pipe for another root]",
)
@click.option("--program", metavar="PATH", help="The command immure, as the installed system sees it.")
@click.option("--replace", "replace_owner", is_flag=True, help="Take the place of another program.")
@click.option("--forward", is_flag=True, help="Hand redacted cores on to that program.")
@click.option(
    "--root", metavar="DIR", default="/", type=click.Path(file_okay=False), help="Write below another root."
)
@click.option("--no-apply", is_flag=True, help="Write the files, and put nothing in force.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what was done.")
def install(
    config: str | None,
    via: Any,
    program: str | None,
    replace_owner: bool,
    forward: bool,
    root: str,
    no_apply: bool,
    quiet: bool,
    **given: Any,
) -> int:
    """Make the kernel send cores to Immure for good.

    Writes a sysctl drop-in, a systemd service and its settings, starts the service, and puts the new
    core_pattern in force. What it was before is remembered.
    """
    from immure.capture.install import install, make_plan
    from immure.capture.pattern import via_of_kernel

    top = Path(os.path.abspath(root))
    live = top == Path("/")
    plan = make_plan(
        settings_with(config, given),
        via=via or (via_of_kernel() if live else "pipe"),
        program=program or (_own_program() if live else "/usr/bin/immure"),
        root=top,
        replace_owner=replace_owner,
        forward=forward,
    )
    for line in install(plan, apply=not no_apply):
        if not quiet:
            click.echo(line)
    return ExitCode.CLEAN


def _own_program() -> str:
    """Where this very command is."""
    found = shutil.which(sys.argv[0])
    if found is None:
        raise UsageError("cannot tell where the command immure is: --program says it")
    return os.path.abspath(found)


@capture.command(epilog=_UNINSTALL_EPILOG)
@click.option(
    "--root", metavar="DIR", default="/", type=click.Path(file_okay=False), help="Of another system."
)
@click.option("--no-apply", is_flag=True, help="Remove the files, and leave what is in force.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what was done.")
def uninstall(root: str, no_apply: bool, quiet: bool) -> int:
    """Put back what core_pattern was, and remove what install wrote."""
    from immure.capture.install import uninstall

    for line in uninstall(root=Path(os.path.abspath(root)), apply=not no_apply):
        if not quiet:
            click.echo(line)
    return ExitCode.CLEAN


@capture.command(epilog=_STATUS_EPILOG)
@config_option
@click.option(
    "-f", "--format", "form", type=click.Choice(("terminal", "json")), default="terminal", show_default=True
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; the exit code tells.")
def status(config: str | None, form: str, quiet: bool) -> int:
    """Say whether crashes are captured here, and what became of those that were."""
    from immure.capture.status import look
    from immure.cli.capture_status import lines

    found = look(read_config(config))
    if form == "json" and not quiet:
        click.echo(json.dumps(found.to_json(), indent=1))
    elif not quiet:
        for line in lines(found):
            click.echo(line)
    return ExitCode.CLEAN if found.is_active else ExitCode.FINDINGS


@capture.command(epilog=_SERVE_EPILOG)
@config_option
@settings_options
@click.option("--runtime", metavar="DIR", help="Directory of the sockets.  [default: /run/immure]")
@click.option("--spool", metavar="DIR", help="Directory of the encrypted files that cores wait in.")
@click.option("--records", metavar="DIR", help="Directory of what is kept besides.")
@click.option("-q", "--quiet", is_flag=True, help="No events on standard error.")
def serve(config: str | None, quiet: bool, **given: Any) -> int:
    """Take in every core that the kernel sends, until stopped.

    Cores come in through memory and, beyond a bound, through encrypted files without names. They are sealed
    in the vault while they come.
    """
    from immure.capture.building import keeper_of
    from immure.capture.journal import Journal
    from immure.capture.memory import lock_memory
    from immure.capture.server import Server

    keep_memory_out_of_dumps()  # its own core would wait for a server that is this very process
    settings = settings_with(config, given)
    journal = Journal(None if quiet else sys.stderr)
    locked = lock_memory()
    if locked is not None:
        journal.write("memory-not-locked", reason=locked)
    server = Server(settings, lambda rotated: keeper_of(settings, rotated=rotated), journal)
    server.stop_on_signals()
    server.run()
    return ExitCode.CLEAN


@capture.command(hidden=True)
@config_option
@click.argument("pid", type=click.IntRange(1))
@click.argument("signal", type=click.IntRange(0))
@click.argument("uid", type=click.IntRange(0))
@click.argument("gid", type=click.IntRange(0))
def handle(config: str | None, pid: int, signal: int, uid: int, gid: int) -> int:
    """Take one core from standard input; the kernel calls this where core_pattern is a pipe."""
    from immure.capture.alone import handle
    from immure.capture.crash import Crash

    _open_output()
    crash = Crash(pid, uid=uid, gid=gid, signal=signal, via="pipe")
    try:
        kept = handle(crash, 0, read_config(config))
    except ImmureError as error:
        _log(f"the core of process {pid} is lost: {error}")
        raise
    if kept is not None:
        _log(f"the core of process {pid} was kept without a server: {json.dumps(kept.to_json())}")
    return ExitCode.CLEAN


def _open_output() -> None:
    """The kernel starts a handler with nothing but standard input."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives


def _log(words: str) -> None:
    """Where somebody may find it: nobody reads the standard error of what the kernel starts."""
    import syslog

    syslog.openlog("immure", facility=syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_CRIT, words)
    say(words)
