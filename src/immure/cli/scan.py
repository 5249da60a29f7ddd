"""``immure scan``: find private keys in images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from immure.cli.beside import beside
from immure.cli.exit_codes import ExitCode, FailOn, describe, exit_code
from immure.cli.key_sources import load_all
from immure.cli.messages import say, silence_stdout
from immure.cli.output import check_writable, open_output
from immure.cli.parameters import Target, absence
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
    THREADS,
    WHAT,
    mode_of,
)
from immure.cli.sketch_options import SKETCHES, TOKEN, load_sketches, load_token
from immure.scanning.options import Mode, ScanOptions
from immure.scanning.report.formats import FORMATS, Format, ReportOptions, format_of, write_report

if TYPE_CHECKING:
    from immure.keymaterial.key import PublicKey
    from immure.scanning.finding import Finding, ImageReport, ScanReport

#: A terminal report of several images that is longer than this is hard to read.
_LONG = 200
#: Missing targets that an error message names.
_LISTED = 5

_EPILOG = """
TARGET is a crash dump or memory image (ELF core, minidump, HPROF, LiME, AVML or raw bytes; also compressed
or in an archive), a directory of these, pid:N for a live process, or - for standard input.

SRC is a JWKS file or URL, an OIDC issuer URL, a PEM or DER public key or certificate, an OpenSSH public key,
or a directory of these. Only public halves are needed. Besides, keys are found whose public half is in the
image itself.

\b
Examples:
  immure scan app.core --keys jwks.json
  immure scan app.core.zst --keys https://login.example/ --keys tls.pem
  immure scan /var/crash --exhaustive --format html -o report.html
  immure scan app.core --deep --keys prod.pem
  immure scan app.core --aes
  immure scan pid:4711 --no-harvest --keys prod.pem
  immure scan app.core --sketches app.sketch
  immure scan app.core --token session.jwt
  zstdcat app.core.zst | immure scan - --format json > report.json

\b
Exit codes:
  0    no private key found, and everything was searched
  1    private keys found
  2    the command cannot be done as it was given
  3    no private key found so far, but not everything could be or was searched
  130  interrupted
With --fail-on findings, 3 becomes 0; with --fail-on never, 1 and 3 become 0.
"""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How the result is to be shown."""

    format: Format
    output: str | None
    fail_on: FailOn
    show_all: bool
    quiet: bool
    color: bool | None


@click.command(epilog=_EPILOG)
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True, type=Target())
@KEYS
@SKETCHES
@TOKEN
@PRIVATE_HOSTS
@click.option("--no-harvest", is_flag=True, help="Do not look for keys that only the image itself names.")
@MODE
@EXHAUSTIVE
@click.option(
    "--deep", is_flag=True, help="Look for damaged keys, too: numbers of which only a part is left."
)
@AES
@WHAT
@THREADS
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), help="[default: by the name of FILE, or terminal]"
)
@OUTPUT
@FAILING
@SHOW_ALL
@QUIET
@click.option("--no-color", is_flag=True, help="Plain text; so does the variable NO_COLOR.")
def scan(
    targets: tuple[str, ...],
    sources: tuple[str, ...],
    sketches: tuple[str, ...],
    token: str | None,
    allow_private_hosts: bool,
    no_harvest: bool,
    mode: Mode | None,
    exhaustive: bool,
    deep: bool,
    aes: bool,
    detectors: tuple[str, ...],
    threads: int | None,
    form: Format | None,
    output: str | None,
    fail_on: FailOn,
    show_all: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Find private keys in crash dumps and other memory images.

    What is found is proved by arithmetic; what was not searched is listed. No byte of a private key is ever
    printed.
    """
    options = ScanOptions(
        mode=mode_of(mode, exhaustive=exhaustive),
        detectors=detectors,
        harvest=not no_harvest,
        deep=deep,
        aes=aes,
        sketches=load_sketches(sketches),
        token=load_token(token),
        **({} if threads is None else {"threads": threads}),
    )
    color = False if no_color else None
    presentation = Presentation(form or _guess(output), output, fail_on, show_all, quiet, color)
    _check_targets(targets, quiet)
    if output is not None:
        check_writable(output)
    keys = load_all(sources, allow_private_hosts, quiet)
    if no_harvest and not keys and not sketches and token is None and not aes:
        raise click.UsageError("nothing to look for: --no-harvest without any key from --keys")
    report = _run(targets, keys, options, presentation)
    return ExitCode.INTERRUPTED if report is None else _present(report, presentation)


def _check_targets(targets: Sequence[str], quiet: bool) -> None:
    """Refuse targets of which none exists; say early which others do not: a scan may take hours."""
    absent = [words for target in targets if (words := absence(target)) is not None]
    if len(absent) == len(targets):
        listed = ", ".join(absent[:_LISTED]) + (", …" if len(absent) > _LISTED else "")
        raise click.BadParameter(listed, param_hint="'TARGET...'")
    for words in () if quiet else absent:
        say(f"note: {words}; the other targets are scanned")


def _guess(output: str | None) -> Format:
    if output is None:
        return "terminal"
    found = format_of(output)
    if found is None:
        name = PurePath(output).name
        raise click.UsageError(f"--format is needed: the name '{name}' does not tell it")
    return found


def _run(
    targets: Sequence[str], keys: Sequence[PublicKey], options: ScanOptions, presentation: Presentation
) -> ScanReport | None:
    """The report, or None if the user broke the scan off."""
    from immure.scanning.scanner import scan_targets

    found: list[str] = []
    with reporter(quiet=presentation.quiet, color=presentation.color) as progress:
        try:
            return beside(
                lambda: scan_targets(
                    targets,
                    keys=keys,
                    options=options,
                    progress=progress,
                    on_finding=lambda image, finding: _announce(image, finding, progress, found),
                )
            )
        except KeyboardInterrupt:
            pass
    say("interrupted; there is no report, and nothing can be concluded from what was not found")
    for line in list(found):
        say(line)
    return None


def _announce(image: ImageReport, finding: Finding, progress: Reporter, found: list[str]) -> None:
    from immure.scanning.report.words import key_words

    words = f"{key_words(finding.key)} in {image.path}"
    found.append(f"found so far: {words}")
    progress.found(f"found: {words}")


def _present(report: ScanReport, presentation: Presentation) -> int:
    """Write the report, say on standard error what went wrong, and tell the exit code."""
    code = exit_code(report, presentation.fail_on)
    for image in report.images:
        if image.error is not None:
            say(image.error if image.error.startswith(image.path) else f"{image.path}: {image.error}")
    options = ReportOptions(
        show_all=presentation.show_all,
        brief=presentation.quiet,
        color=presentation.color,
        exit_code=int(code),
        exit_words=describe(report),
    )
    try:
        with open_output(presentation.output, utf8=presentation.format != "terminal") as stream:
            lines = write_report(report, stream, presentation.format, options)
    except BrokenPipeError:
        # whoever read it has seen enough; the exit code is still true
        silence_stdout()
    else:
        _advise(report, presentation, lines)
    return code


def _advise(report: ScanReport, presentation: Presentation, lines: int) -> None:
    if presentation.quiet:
        return
    if presentation.output is not None:
        from immure.scanning.report.summary import overall

        say(f"{overall(report)}; the report is in {presentation.output}")
    long = presentation.format == "terminal" and len(report.images) > 1 and lines > _LONG
    if long and presentation.output is None:
        say(f"note: {lines:,} lines about {len(report.images):,} images; --quiet prints the verdicts only,")
        say("note: and --format html -o report.html makes a page to look through")
