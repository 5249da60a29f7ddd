"""``immure drill signer``: crash a signing service again and again, and look for its keys in what is left."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.signing.drill.report import Report
    from immure.signing.drill.ways import WayName

_BACKENDS: Final = ("file+unsafe", "keyholder", "pkcs11", "pkcs11-inside")
_WAYS: Final = ("segv", "abrt", "gcore", "live", "oom", "redaction")
#: Ways that need the kernel's cores.
_OF_KERNEL: Final = frozenset({"segv", "abrt", "redaction"})
#: Seconds between two lines of progress.
_INTERVAL: Final = 15.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_EPILOG = """
For each backend a signing service of two issuers is started in a directory for temporary files, on a Unix
socket, with keys made for that purpose. While it gives out tokens, loads keys or replaces them, its front end
and its key holder are crashed, and what is left is searched for every key that the service has had, and for
each piece of 16 bytes of a key that the drill knows. Every second service runs without what keeps its memory
out of dumps ("off"), so that there is something to look at. Nothing of a service of yours is touched.

\b
Backends (those with * if none is named; file+unsafe takes part in any case, a little):
  file+unsafe*   private keys in files: has to leak, or the drill sees nothing
  keyholder*     the key holder
  pkcs11*        SoftHSM2 in a process of its own (p11-kit server), in place of hardware
  pkcs11-inside  SoftHSM2 in the front end's process: not held to be clean

\b
Ways (all, or those named by --way):
  segv, abrt     SIGSEGV and SIGABRT; the kernel pipes the core to the drill
  gcore          a debugger, as root
  live           the memory of the running process, as root (pid:N)
  oom            no more memory: the process at that moment, before the kernel kills it
  redaction      a core is redacted, and the redactor is killed on its way

This takes root. For segv, abrt and redaction core_pattern is another one until the drill ends, however it
ends; if the drill is killed by SIGKILL, the next immure drill puts it back. Cores of other programs that
crash meanwhile are removed unread.

\b
Examples:
  immure drill signer --count 20
  immure drill signer --backend keyholder --way gcore --way live --count 100 --seed 7
  immure drill signer --count 250 --jobs 2 --format json > drill.json

\b
Exit codes:
  0    nothing is left where nothing may be, and file+unsafe leaked
  1    something is left where nothing may be
  2    the command cannot be done as it was given
  3    nothing can be said: a backend could not be drilled, or nothing of file+unsafe was found either
  130  interrupted, by SIGINT, SIGTERM or SIGHUP
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--backend",
    "backends",
    metavar="NAME",
    multiple=True,
    type=click.Choice(_BACKENDS),
    help="Only this backend, and the control; repeatable.",
)
@click.option(
    "--way",
    "ways",
    metavar="NAME",
    multiple=True,
    type=click.Choice(_WAYS),
    help="Only this way; repeatable.",
)
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    help="Crashes of each backend.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="What is done, in which order and when, follows from it (and from --jobs).",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Services that are drilled at a time.",
)
@click.option(
    "--exhaustive", is_flag=True, help="Search in the scanner's exhaustive mode; several times slower."
)
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Where images are for a moment.  [default: the system's directory for temporary files]",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("text", "json", "markdown")),
    default="text",
    show_default=True,
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def signer(
    backends: tuple[str, ...],
    ways: tuple[WayName, ...],
    count: int,
    seed: int,
    jobs: int,
    exhaustive: bool,
    directory: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Crash a signing service under load, many times, and see what each way leaves of its keys."""
    from immure.signing.drill.report import markdown
    from immure.signing.drill.running import Options, drill_signer

    chosen: Collection[WayName] = ways or _WAYS
    with _ending_by_signals(), _kernel_cores(directory, wanted=bool(_OF_KERNEL & set(chosen))) as cores:
        options = Options(
            crashes=count,
            seed=seed,
            ways=chosen,
            mode="exhaustive" if exhaustive else "quick",
            directory=directory,
            cores=cores,
            jobs=jobs,
            progress=_progress(quiet),
        )
        report = drill_signer(list(backends), options)
    if form == "json":
        click.echo(json.dumps(report.to_json(), indent=1))
    elif form == "markdown":
        click.echo(markdown([row.to_json() for row in report.ordered]), nl=False)
    else:
        for line in lines(report):
            click.echo(line)
    return _exit_code(report)


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """A signal that ends us breaks the block off once, and does not disturb what is put back then."""

    def stop(*_: object) -> None:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {one: signal.signal(one, stop) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _kernel_cores(top: str | None, *, wanted: bool) -> Iterator[Path | None]:
    """A directory where the kernel's core of process N arrives as ``core.N``, before N is gone.

    Through a pipe: the kernel asks for no RLIMIT_CORE then, as with the crash handlers of most systems.

    Raises:
        CaptureError: core_pattern cannot be changed.
        UsageError: the directory has a name that cannot stand in core_pattern.
    """
    if not wanted:
        yield None
        return
    from immure.capture.pattern import Pattern, temporarily

    place = Path(tempfile.mkdtemp(prefix="immure-cores-", dir=top))
    try:
        if set("%' \t\n") & set(str(place)):
            raise UsageError("blanks, % and quotes cannot stand in core_pattern", path=str(place))
        handler = place / "handler"
        handler.write_text(f"exec cat > '{place}'/core.$1\n", encoding="utf-8")
        # with a limit the kernel waits for the handler: when the process is gone, its core is there
        with temporarily(Pattern(f"|/bin/sh {handler} %p").check(), pipe_limit=16):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _progress(quiet: bool) -> Callable[[str, int, int], None]:
    said = time.monotonic()
    counts: dict[str, str] = {}

    def told(backend: str, done: int, total: int) -> None:
        nonlocal said
        counts[backend] = f"{backend} {done:,} of {total:,}"
        if not quiet and (time.monotonic() - said >= _INTERVAL or done == total):
            said = time.monotonic()
            say(f"crashes: {', '.join(counts.values())}")

    return told


def _exit_code(report: Report) -> ExitCode:
    if report.leaks:
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if report.is_complete and not report.blind else ExitCode.INCOMPLETE


def lines(report: Report) -> Iterator[str]:
    """The report for people: a table, and what there is to say of it."""
    from immure.scanning.report.words import count_words

    head = ("backend", "part", "way", "guards", "crashes", "images", "numbers", "pieces", "")
    rows = [head]
    for row in report.ordered:
        numbers, pieces = (f"{row.numbers:,}", f"{row.fragments:,}") if row.images else ("–", "–")
        verdict = "LEAK" if row.is_leak else "leaks" if row.leaky else ""
        counts = (f"{row.crashes:,}", f"{row.images:,}", numbers, pieces)
        rows.append((row.backend, row.part, row.way, row.guards, *counts, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for one in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(one, widths, strict=True)).rstrip()
    for name, reason in report.skipped.items():
        yield f"skipped  {name}: {reason}"
    for name, reason in report.failed.items():
        yield f"failed   {name}: {reason}"
    for name in report.blind:
        yield f"blind    nothing of {name} was found, which has to leak: the drill sees nothing"
    yield _summary(report, count_words(report.crashes, "crash", "crashes"))


def _summary(report: Report, crashes: str) -> str:
    images = sum(row.images for row in report.rows)
    leaks = sum(row.numbers + row.fragments for row in report.leaks)
    found = f"{leaks:,} numbers and pieces" if leaks else "nothing"
    return (
        f"{crashes}, {images:,} images, {report.tokens:,} tokens, seed {report.seed}: "
        f"{found} where nothing may be"
    )
