"""``immure watch``: find private keys in what is already there, and go on watching it."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, get_args

import click

from immure.cli.beside import beside
from immure.cli.exit_codes import ExitCode, FailOn
from immure.cli.key_sources import load_all
from immure.cli.messages import say
from immure.cli.output import check_writable
from immure.cli.search_options import (
    EXHAUSTIVE,
    FAILING,
    KEYS,
    MODE,
    OUTPUT,
    PRIVATE_HOSTS,
    QUIET,
    THREADS,
    WHAT,
    mode_of,
)
from immure.cli.sketch_options import SKETCHES, load_sketches
from immure.cli.watch_options import (
    BASELINE,
    CREDENTIALS,
    EVERY,
    KINGFISHER,
    OWNERS,
    RULES,
    STAGED,
    STATE,
    SUPPRESSIONS,
    WRITE_BASELINE,
)
from immure.cli.watch_progress import Steps
from immure.cli.watch_report import Format, Presentation, guess, present
from immure.errors import ImmureError, UsageError
from immure.scanning.options import Mode, ScanOptions

if TYPE_CHECKING:
    from immure.watching.item import Source
    from immure.watching.question import Question
    from immure.watching.result import Result
    from immure.watching.rules.judging import Rules
    from immure.watching.state import State

_PATIENCE: Final = 5.0

_EPILOG = """
TARGET is a directory, a file, or the URL of an object store (s3://bucket/prefix, gs://…, az://…). Git
repositories in a directory are searched with all their history, container images layer by layer, archives,
packages, mails and crash reports by what is in them.

\b
Examples:
  immure watch /srv/repos --keys https://login.example/ --state watch.db
  immure watch . --keys keys/ --owners CODEOWNERS --suppressions immure.toml -o found.sarif
  immure watch s3://dumps/2026 --keys jwks.json --state watch.db --every 1h
  immure watch --staged --exhaustive
  immure watch . --state watch.db --write-baseline baseline.json

With --state, content that was scanned is not scanned again, but for keys that are new; a watch that was
killed goes on where it was.

\b
Exit codes:
  0    no private key found that counts, and everything was searched
  1    private keys found, which no suppression and no baseline covers
  2    the command cannot be done as it was given
  3    no private key found so far, but not everything could be or was searched
  130  interrupted
With --fail-on findings, 3 becomes 0; with --fail-on never, 1 and 3 become 0.
"""


@dataclass(frozen=True, slots=True)
class _Command:
    """What the command line asks for."""

    targets: tuple[str, ...]
    staged: bool
    sources: tuple[str, ...]
    allow_private_hosts: bool
    options: ScanOptions
    rule_files: tuple[str, ...]
    credentials: bool
    kingfisher: bool
    owners: str | None
    suppressions: str | None
    baseline: str | None
    write_baseline: str | None
    presentation: Presentation


@click.command(epilog=_EPILOG)
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@STAGED
@KEYS
@SKETCHES
@PRIVATE_HOSTS
@click.option("--no-harvest", is_flag=True, help="Do not look for keys that only the content itself names.")
@MODE
@EXHAUSTIVE
@WHAT
@THREADS
@STATE
@EVERY
@RULES
@CREDENTIALS
@KINGFISHER
@OWNERS
@SUPPRESSIONS
@BASELINE
@WRITE_BASELINE
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(get_args(Format)),
    help="[default: by the name of FILE, or terminal]",
)
@OUTPUT
@FAILING
@click.option(
    "--all", "show_all", is_flag=True, help="List every place and every gap, not only the first ones."
)
@QUIET
def watch(
    targets: tuple[str, ...],
    staged: bool,
    sources: tuple[str, ...],
    sketches: tuple[str, ...],
    allow_private_hosts: bool,
    no_harvest: bool,
    mode: Mode | None,
    exhaustive: bool,
    detectors: tuple[str, ...],
    threads: int | None,
    state_file: str | None,
    every: timedelta | None,
    rule_files: tuple[str, ...],
    credentials: bool,
    kingfisher: bool,
    owners: str | None,
    suppressions: str | None,
    baseline: str | None,
    write_baseline: str | None,
    form: Format | None,
    output: str | None,
    fail_on: FailOn,
    show_all: bool,
    quiet: bool,
) -> int:
    """Find private keys in what is already there.

    Directories, git repositories with their history, object stores, container images, stores of crash dumps,
    caches of packages, exported tickets. What is found is proved by arithmetic, and dated: when it was first
    seen, and when last. No byte of a private key is ever printed.
    """
    if bool(targets) == staged:
        raise click.UsageError("give targets, or --staged")
    if output is not None:
        check_writable(output)
    options = ScanOptions(
        mode=mode_of(mode, exhaustive=exhaustive),
        detectors=detectors,
        harvest=not no_harvest,
        sketches=load_sketches(sketches),
    )
    if threads is not None:
        options = replace(options, threads=threads)
    command = _Command(
        targets,
        staged,
        sources,
        allow_private_hosts,
        options,
        rule_files,
        credentials,
        kingfisher,
        owners,
        suppressions,
        baseline,
        write_baseline,
        Presentation(form or guess(output), output, fail_on, show_all, quiet),
    )
    from immure.watching.state import State

    steps = Steps(quiet=quiet)
    state = State(state_file)
    try:
        return _each(command, state, every, steps)
    except KeyboardInterrupt:
        steps.stop(_PATIENCE)
        state.close()
        say("interrupted; what was scanned so far is in the state" if state_file else "interrupted")
        return ExitCode.INTERRUPTED


def _each(command: _Command, state: State, every: timedelta | None, steps: Steps) -> int:
    """One run, or one each period. A run that fails does not end the watch."""
    while True:
        due = time.monotonic() + (every.total_seconds() if every else 0)
        try:
            code = _once(command, state, steps)
        except ImmureError as error:
            if every is None:
                raise
            say(str(error))
        if every is None:
            return code
        threading.Event().wait(max(0.0, due - time.monotonic()))


def _once(command: _Command, state: State, steps: Steps) -> int:
    rules = _rules(command)
    keys = load_all(command.sources, command.allow_private_hosts, command.presentation.quiet)
    from immure.watching.kingfisher import Kingfisher
    from immure.watching.patterns import read_rules
    from immure.watching.question import ask

    patterns = read_rules(command.rule_files, credentials=command.credentials)
    question = ask(keys, command.options, patterns, Kingfisher() if command.kingfisher else None)
    if not command.options.harvest and not question.names and "structure" not in command.options.detectors:
        raise click.UsageError("nothing to look for: --no-harvest without any key from --keys")
    result = beside(lambda: _run(command, state, rules, question, steps))
    if command.write_baseline is not None:
        from immure.watching.rules.baseline import write_baseline

        count = write_baseline(command.write_baseline, result.sightings, result.ended)
        if not command.presentation.quiet:
            say(f"{count:,} places are in the baseline {command.write_baseline}")
    return present(result, command.presentation)


def _run(command: _Command, state: State, rules: Rules, question: Question, steps: Steps) -> Result:
    from immure.clock import now
    from immure.watching.result import Gathering
    from immure.watching.watch import Watch

    gathering, began = Gathering(state, question, rules), now()
    with steps.working(), ExitStack() as stack:
        opened = [stack.enter_context(closing(source)) for source in _open(command, state)]
        for source in opened:
            gathering.runs.append(Watch(state, question, progress=steps).run(source))
    return gathering.result(began, now())


def _open(command: _Command, state: State) -> list[Source]:
    """All sources; without one of them the watch would not be the one that was asked for."""
    from immure.watching.errors import SourceError
    from immure.watching.sources.opening import open_source
    from immure.watching.sources.staged import Staged

    try:
        if command.staged:
            return [Staged()]
        return [open_source(target, leave_out=state.files) for target in command.targets]
    except SourceError as error:
        raise UsageError(str(error)) from error


def _rules(command: _Command) -> Rules:
    """Read anew for each run: a suppression ends at midnight, whatever a watch is doing."""
    from immure.clock import now
    from immure.watching.rules.baseline import read_baseline
    from immure.watching.rules.judging import Rules
    from immure.watching.rules.owners import Owners, read_owners
    from immure.watching.rules.suppressions import read_suppressions

    return Rules(
        Owners() if command.owners is None else read_owners(command.owners),
        () if command.suppressions is None else read_suppressions(command.suppressions, now().date()),
        frozenset() if command.baseline is None else read_baseline(command.baseline),
    )
