"""``immure``: the group of commands, and what becomes of errors.

Commands are loaded when they are called, so that ``immure --help`` stays quick: an entry of
:data:`COMMANDS` is all that the group knows of a command.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.lazy import Entry, LazyGroup
from immure.cli.messages import say, silence_stdout
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import ImmureError, RefusedError, UsageError

COMMANDS = {
    "scan": Entry("immure.cli.scan", "scan", "Find private keys in crash dumps and other memory images."),
    "sketch": Entry("immure.cli.sketch", "sketch", "Let secrets be found that have no public half."),
    "watch": Entry(
        "immure.cli.watch", "watch", "Find private keys in what is already there, again and again."
    ),
    "fleet": Entry(
        "immure.cli.fleet", "fleet", "Scan buckets and stores of images, here or on a Dask cluster."
    ),
    "redact": Entry(
        "immure.cli.redact", "redact", "Write a copy of a crash dump without its keys, and prove it."
    ),
    "attest": Entry("immure.cli.attest", "attest", "Sign, verify and show clearances of dumps."),
    "release": Entry("immure.cli.release", "release", "Let a dump out of production, if it is cleared."),
    "policy": Entry("immure.cli.policy", "policy", "Check and test the policy of releases."),
    "vault": Entry(
        "immure.cli.vault", "vault", "Keep crash dumps sealed until they are released or destroyed."
    ),
    "capture": Entry(
        "immure.cli.capture", "capture", "Take crashes from the kernel, straight into the vault."
    ),
    "drill": Entry("immure.cli.drill", "drill", "Crash a program of yours, and see what is left of its key."),
    "keys": Entry("immure.cli.keys", "keys", "Say what each key may sign for, and audit key sets."),
    "token": Entry("immure.cli.token", "token", "Validate tokens, and explain what is wrong with them."),
    "probe": Entry("immure.cli.probe", "probe", "Send forged test tokens to a relying party of your own."),
    "serve": Entry("immure.cli.serve", "serve", "Run a server: introspection, or the signing service."),
    "signing": Entry("immure.cli.signing", "signing", "Set up the signing service, and look after its keys."),
    "keyholder": Entry(
        "immure.cli.keyholder",
        "keyholder",
        "Keep signing keys in a process of their own.",
    ),
    "mail": Entry("immure.cli.mail", "mail", "Set up and check a mail server that takes scoped tokens only."),
    "detect": Entry("immure.cli.detect", "detect", "Find tokens that were accepted and never issued."),
    "respond": Entry("immure.cli.respond", "respond", "Answer an incident, from finding to everybody told."),
    "retention": Entry("immure.cli.retention", "retention", "See whether logs are kept for long enough."),
    "replay": Entry("immure.cli.replay", "replay", "Act an incident out against the real parts."),
    "ledger": Entry("immure.cli.ledger", "ledger", "Keep and verify the ledger of tokens that were issued."),
    "log": Entry("immure.cli.log", "log", "Show and verify the log of decisions."),
    "access": Entry("immure.cli.access", "access", "Guard the room where production data is, for people."),
    "completion": Entry("immure.cli.completion", "completion", "Print a completion script for your shell."),
}

_EPILOG = """
\b
Examples:
  immure scan app.core --keys https://login.example/jwks.json
  immure scan /var/crash --format html -o report.html
  immure redact app.core -o app.redacted.core --keys jwks.json
  immure COMMAND --help
"""


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from immure.scanning.report import tool

    click.echo(f"{tool.NAME} {tool.version()}")
    ctx.exit()


@click.group(
    cls=LazyGroup, entries=COMMANDS, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and leave.",
)
def cli() -> None:
    """Immure keeps signing keys inside the walls: it finds them in crash dumps, takes them out, proves that
    they are gone, and lets a dump leave production only then.

    It needs only the public halves of your keys, and proves by arithmetic what it finds.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with an exit code."""
    keep_memory_out_of_dumps()
    for stream in (sys.stdout, sys.stderr):
        # names out of images may hold what the terminal's encoding cannot say: spell it out rather than fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = run(arguments)
    if code == ExitCode.INTERRUPTED:
        # a thread may be in the midst of native code, for which Python would wait before it leaves
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        result = cli.main(list(arguments) if arguments is not None else None, "immure", standalone_mode=False)
        if sys.stdout is not None:  # the kernel starts programs without any
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return ExitCode.INTERRUPTED
    except ImmureError as error:
        say(str(error))
        if isinstance(error, RefusedError):
            return ExitCode.FINDINGS
        return ExitCode.USAGE if isinstance(error, UsageError) else ExitCode.INCOMPLETE
    except BrokenPipeError:
        silence_stdout()
        return ExitCode.BROKEN_PIPE
    except Exception:  # noqa: BLE001 - Python's own exit code for this is 1, which would say: findings
        sys.excepthook(*sys.exc_info())
        say("this is a bug in Immure; nothing can be concluded from this run")
        return ExitCode.INCOMPLETE
    return result if isinstance(result, int) else ExitCode.CLEAN
