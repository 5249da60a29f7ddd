"""``immure fleet scan``: find private keys in buckets and stores of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from immure.cli.beside import beside
from immure.cli.exit_codes import ExitCode, FailOn, describe, exit_code
from immure.cli.fleet_options import bounds, engine_options
from immure.cli.key_sources import load_all
from immure.cli.messages import say, silence_stdout
from immure.cli.output import check_writable, open_output
from immure.cli.progress import Reporter, reporter
from immure.cli.search_options import (
    AES,
    EXHAUSTIVE,
    FAILING,
    KEYS,
    MODE,
    OUTPUT,
    PRIVATE_HOSTS,
    QUIET,
    SHOW_ALL,
    WHAT,
    mode_of,
)
from immure.cli.sketch_options import SKETCHES, load_sketches
from immure.scanning.options import Mode, ScanOptions
from immure.scanning.report.formats import FORMATS, Format, ReportOptions, format_of, write_report

if TYPE_CHECKING:
    from immure.fleet.run import FleetReport
    from immure.scanning.finding import Finding, ImageReport

_EPILOG = """
TARGET is s3://BUCKET/PREFIX, gs://…, az://CONTAINER/PREFIX, or a path that every worker sees at the same
place. Credentials come from where the tools of the store have them, here and on each worker; they are not
sent. The other options are those of immure scan, and so are the findings.

Images larger than --split are cut into byte ranges that are searched by several workers; what stands across
a seam is found, and the report proves that each byte was searched once. A task whose workers die, again and
again, is put into quarantine and named.

Public keys and sketches travel to the workers, findings come back: no private key does, and no byte of one.

\b
Examples:
  immure fleet scan s3://dumps/2026/ --keys jwks.json
  immure fleet scan /mnt/crash --engine processes:8 --format json -o report.json
  immure fleet scan gs://dumps/ --engine dask://10.0.0.5:8786 \\
      --tls-ca ca.pem --tls-cert me.pem --tls-key me.key

\b
Exit codes:
  0    no private key found, and everything was searched
  1    private keys found
  2    the command cannot be done as it was given
  3    no private key found so far, but not everything could be searched (ranges failed, workers were gone)
  130  interrupted
With --fail-on findings, 3 becomes 0; with --fail-on never, 1 and 3 become 0.
"""


@click.command(epilog=_EPILOG)
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@KEYS
@SKETCHES
@PRIVATE_HOSTS
@click.option("--no-harvest", is_flag=True, help="Do not look for keys that only the images themselves name.")
@MODE
@EXHAUSTIVE
@click.option("--deep", is_flag=True, help="Look for damaged keys, too; then no image is cut.")
@AES
@WHAT
@engine_options
@bounds
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), help="[default: by the name of FILE, or terminal]"
)
@OUTPUT
@FAILING
@SHOW_ALL
@QUIET
def scan(
    targets: tuple[str, ...],
    sources: tuple[str, ...],
    sketches: tuple[str, ...],
    allow_private_hosts: bool,
    no_harvest: bool,
    mode: Mode | None,
    exhaustive: bool,
    deep: bool,
    aes: bool,
    detectors: tuple[str, ...],
    form: Format | None,
    output: str | None,
    fail_on: FailOn,
    show_all: bool,
    quiet: bool,
    **fleet: Any,
) -> int:
    """Find private keys in buckets and stores of images, on many workers.

    The same scan as immure scan. No byte of a private key is ever printed, or sent.
    """
    options = ScanOptions(
        mode=mode_of(mode, exhaustive=exhaustive),
        detectors=detectors,
        harvest=not no_harvest,
        deep=deep,
        aes=aes,
        sketches=load_sketches(sketches),
    )
    form = form or (format_of(output) if output is not None else None) or "terminal"
    if output is not None:
        check_writable(output)
    keys = load_all(sources, allow_private_hosts, quiet)
    if no_harvest and not keys and not sketches and not aes:
        raise click.UsageError("nothing to look for: --no-harvest without any key from --keys")
    with reporter(quiet=quiet) as progress:
        report = _run(targets, keys, options, fleet, progress)
    if report is None:
        say("interrupted; there is no report, and nothing can be concluded from what was not found")
        return ExitCode.INTERRUPTED
    return _present(report, form, output, fail_on, show_all=show_all, quiet=quiet)


def _run(
    targets: Sequence[str],
    keys: Sequence[Any],
    options: ScanOptions,
    fleet: dict[str, Any],
    progress: Reporter,
) -> FleetReport | None:
    """The report, or None if the user broke the scan off."""
    from immure.fleet.engines import EngineOptions, open_engine
    from immure.fleet.policy import Patience
    from immure.fleet.run import Sizes, scan_fleet

    link = EngineOptions(fleet["tls_ca"], fleet["tls_cert"], fleet["tls_key"], fleet["allow_plain"])
    patience = Patience(
        tries=fleet["tries"],
        deaths=fleet["tries"],
        task_seconds=fleet["task_seconds"],
        straggler_seconds=fleet["straggler_seconds"],
        worker_seconds=fleet["worker_seconds"],
    )
    sizes = Sizes(fleet["split_bytes"], fleet["memory_bytes"])
    try:
        with open_engine(fleet["engine"], link) as engine:
            return beside(
                lambda: scan_fleet(
                    targets, engine, keys=keys, options=options, sizes=sizes, patience=patience,
                    progress=progress, on_finding=lambda image, found: _announce(image, found, progress),
                )
            )  # fmt: skip
    except KeyboardInterrupt:
        return None


def _announce(image: ImageReport, finding: Finding, progress: Reporter) -> None:
    from immure.scanning.report.words import key_words

    progress.found(f"found: {key_words(finding.key)} in {image.path}")


def _present(
    report: FleetReport, form: Format, output: str | None, fail_on: FailOn, *, show_all: bool, quiet: bool
) -> int:
    """Write the report, say on standard error what became of the run, and tell the exit code."""
    from immure.fleet.report import account_lines, write_json

    code = exit_code(report.scan, fail_on)
    options = ReportOptions(
        show_all=show_all, brief=quiet, exit_code=int(code), exit_words=describe(report.scan)
    )
    try:
        with open_output(output, utf8=form != "terminal") as stream:
            if form == "json":
                write_json(report, stream)
            else:
                write_report(report.scan, stream, form, options)
    except BrokenPipeError:
        silence_stdout()
    for line in account_lines(report.account):
        if not quiet or line.startswith(("failed", "quarantined")):
            say(line)
    return code
