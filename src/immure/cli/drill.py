"""``immure drill``: crash a program on purpose, and see what is left of its key."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from immure.cli.drill_signer import signer
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say

if TYPE_CHECKING:
    from immure.capture.drill.running import DrillReport, Subject, Trial

_EPILOG = """
PROGRAM is a program of yours that loads a private key. For each way of dumping it is started anew with a key
made for that purpose (the canary): the path of its PEM file is in the variable IMMURE_CANARY, and {canary} in
the arguments stands for it. When the program is ready it is dumped, and what is left is searched for every
number of the canary, in every encoding, whole or in pieces of 16 bytes. The key file is removed before.

\b
Ways (all that are possible here, or those named by --way):
  file      the kernel writes a core file
  pipe      the kernel pipes the core to a program that writes a file
  socket    the kernel sends the core to a socket
  gcore     a debugger dumps the process
  sealed    immure capture seals the core: what is on its disk
  redacted  immure capture redacts the core: what comes out of its vault

For all but gcore core_pattern is changed for a moment, which takes root. Nothing of the canary may be left in
sealed and redacted; with --clean also not in the ways that you name, because your program sees to it.

\b
Examples:
  immure drill --ready listening ./signer --key {canary}
  immure drill --ready 3 --clean socket,gcore sh -c 'exec ./signer < "$IMMURE_CANARY"'
  immure drill --exclusions
  immure drill signer --help

\b
Exit codes:
  0    nothing is left where nothing may be
  1    something is left where nothing may be
  2    the command cannot be done as it was given
  3    a way failed, or no way was possible, or the program never had the canary
  130  interrupted
"""


class _Drill(click.Group):
    """A command with a subcommand: ``signer`` as the first word; a program of that name is ``./signer``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The subcommand's context, or our own, whose arguments are a program and its words."""
        if args[:1] == ["signer"]:
            return self.commands["signer"].make_context(f"{info_name} signer", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.group(
    cls=_Drill,
    epilog=_EPILOG,
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program", metavar="PROGRAM...", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--ready",
    metavar="REGEX|SECONDS",
    default="2",
    show_default=True,
    help="The program is ready when it has printed a match, or after so many seconds.",
)
@click.option(
    "--kind",
    type=click.Choice(("rsa", "p256", "ed25519")),
    default="rsa",
    show_default=True,
    help="What sort of key the canary is.",
)
@click.option("--way", "ways", metavar="NAMES", default="", help="Only these ways, with commas.")
@click.option("--clean", metavar="NAMES", default="", help="Ways that have to be clean, too; all for all.")
@click.option("--exclusions", is_flag=True, help="Show what exclusion flags do, on programs of our own.")
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Where plain cores go for a moment.  [default: the system's directory for temporary files]",
)
@click.option(
    "-f", "--format", "form", type=click.Choice(("terminal", "json")), default="terminal", show_default=True
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def drill(
    program: tuple[str, ...],
    ready: str,
    kind: Any,
    ways: str,
    clean: str,
    exclusions: bool,
    directory: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Crash a program on purpose, and see what each way of dumping it leaves of its key."""
    if exclusions == bool(program):
        raise click.UsageError("name a program, or --exclusions, and not both")
    from immure.capture.drill.running import drill, ways_named

    wanted = ways_named(_names(ways))
    must = {way.name for way in (wanted if clean == "all" else ways_named(_names(clean)) if clean else ())}
    subjects = _demonstrations() if exclusions else [_subject(program, ready)]

    def progress(trial: Trial) -> None:
        if not quiet and sys.stderr.isatty():
            say(f"{trial.program}: {trial.way} done")

    report = drill(subjects, wanted, kind=kind, clean=must, directory=directory, on_trial=progress)
    if form == "json":
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        for line in lines(report):
            click.echo(line)
    return _exit_code(report)


drill.add_command(signer)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _subject(program: tuple[str, ...], ready: str) -> Subject:
    from immure.capture.drill.program import Recipe, parse_ready
    from immure.capture.drill.running import Subject

    return Subject(program[0], Recipe(program, *parse_ready(ready)))


def _demonstrations() -> list[Subject]:
    import re

    from immure.capture.drill import demonstration
    from immure.capture.drill.program import Recipe
    from immure.capture.drill.running import Subject

    start = [sys.executable, "-m", demonstration.__name__]
    return [
        Subject(
            mode,
            Recipe([*start, mode, "{canary}"], re.compile(b"ready")),
            demonstration.why_not(mode),
            is_hidden=mode == "memfd-secret",
        )
        for mode in demonstration.MODES
    ]


def _exit_code(report: DrillReport) -> ExitCode:
    if report.leaks:
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if report.is_complete and not report.never_loaded else ExitCode.INCOMPLETE


def lines(report: DrillReport) -> Iterator[str]:
    """The report for people: a table, and what there is to say of it."""
    from immure.scanning.report.words import bytes_words, visible

    head = ("program", "way", "alive", "left", "size", "")
    rows = [head]
    for trial in report.trials:
        size = bytes_words(trial.size) if trial.residue is not None else ""
        rows.append(
            (visible(trial.program), trial.way, _amount(trial.live), _left(trial), size, _verdict(trial))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    yield from _remarks(report)


def _amount(residue: Any) -> str:
    if residue is None:
        return "?"
    if residue.is_clean:
        return "nothing"
    parts = f" + {residue.fragments} in part" if residue.fragments else ""
    return f"{residue.copies} whole{parts}"


def _left(trial: Trial) -> str:
    return "–" if trial.residue is None else _amount(trial.residue)


def _verdict(trial: Trial) -> str:
    if trial.skipped is not None:
        return f"skipped: {trial.skipped}"
    if trial.failed is not None:
        return f"failed: {trial.failed}"
    words = "LEAK" if trial.is_leak else "has to be clean, and is" if trial.must_be_clean else ""
    return "; ".join(part for part in (words, trial.note) if part)


def _remarks(report: DrillReport) -> Iterator[str]:
    from immure.scanning.report.words import visible

    for trial in report.trials:
        if trial.residue is not None and not trial.residue.is_clean:
            kinds = [f"{count}× {_kind(report.kind, kind)}" for kind, count in trial.residue.kinds[:6]]
            where = [f"{visible(name)} {count}" for name, count in trial.residue.regions[:4]]
            yield f"{visible(trial.program)}, {trial.way}: {', '.join(kinds)}; in {', '.join(where)}"
    for program in report.never_loaded:
        yield f"{visible(program)}: nothing of the canary was ever seen: did it load it, and was it ready?"


def _kind(canary: str, kind: str) -> str:
    from immure.scanning.report.words import secret_words

    secret, _, encoding = kind.partition(" ")
    return f"{secret_words('RSA' if canary == 'rsa' else 'EC', secret)} as {encoding}"
