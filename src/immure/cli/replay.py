"""``immure replay``: act the incident out against the real parts, with some controls on and others off."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.replay.matrix import Played, WorldName
    from immure.replay.record import Moment, Narrator
    from immure.replay.scenario import Scenario
    from immure.replay.stage import Stage

Form = Literal["terminal", "json", "html"]

_EPILOG = """
SCENARIO is one that --list shows, or a file of your own (.toml). storm-0558 is the incident of 2023.

Everything happens on this machine, in a directory that is deleted: two issuers start, one crashes for real,
and its dump goes where it went. An attacker who has nothing but that dump and public documents looks for the
key, forges tokens with it, and reads mail over IMAP if he can. Without a switch it is acted out twice: as it
was in 2023, and with all controls.

\b
Examples:
  immure replay storm-0558
  immure replay storm-0558 --as-in-2023
  immure replay storm-0558 --without custody,redact
  immure replay storm-0558 --with key-scope -o report.html
  immure replay storm-0558 --matrix --format json > matrix.json
  immure replay my-own.toml --matrix --quiet

\b
Exit codes:
  0    each control did what the scenario says of it
  1    one did not: the chain went through where it should break, or nobody noticed
  2    the command cannot be done as it was given
  3    a part could not do what it is there for, or --require-real and something would stand in
  130  interrupted
"""


@click.command(epilog=_EPILOG)
@click.argument("scenario", metavar="[SCENARIO]", required=False)
@click.option("--list", "listing", is_flag=True, help="Show the scenarios, and their controls.")
@click.option(
    "--with", "with_", metavar="NAMES", default="", help="Only these controls are on (with commas)."
)
@click.option("--without", metavar="NAMES", default="", help="All controls are on but these (with commas).")
@click.option("--as-in-2023", "none", is_flag=True, help="No control is on.")
@click.option("--matrix", is_flag=True, help="None, each alone, all but one, all; side by side.")
@click.option(
    "--mail",
    type=click.Choice(("auto", "dovecot", "http")),
    default="auto",
    show_default=True,
    help="The mail system; auto takes Dovecot where it is installed.",
)
@click.option(
    "--custody",
    type=click.Choice(("auto", "pkcs11", "keyholder")),
    default="auto",
    show_default=True,
    help="What keeps the key with that control on; auto takes SoftHSM2 behind p11-kit server where both are.",
)
@click.option("--require-real", is_flag=True, help="Refuse whatever would stand in for a real part.")
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Where rooms and dumps are made.  [default: the system's directory for temporary files]",
)
@click.option(
    "--keep", is_flag=True, help="Leave them there: the dumps hold keys, which nobody uses any more."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("terminal", "json", "html")),
    help="[default: by the name of FILE, or terminal]",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the report to FILE; the story is told all the same.",
)
@click.option("-q", "--quiet", is_flag=True, help="Tell no story: only what came of it.")
def replay(
    scenario: str | None,
    listing: bool,
    with_: str,
    without: str,
    none: bool,
    matrix: bool,
    mail: Any,
    custody: Any,
    require_real: bool,
    directory: str | None,
    keep: bool,
    form: Form | None,
    output: str | None,
    quiet: bool,
) -> int:
    """Act an incident out against the real parts, and see which controls break it."""
    from immure.replay.options import Options
    from immure.replay.scenario import read_scenario
    from immure.replay.stage import Stage

    if listing:
        return _list()
    if scenario is None:
        raise click.UsageError("name a scenario; --list shows which there are")
    form = form or _guess(output)
    if output is not None:
        check_writable(output)
    elif form == "html":
        raise click.UsageError("--format html needs --output FILE")
    read = read_scenario(scenario)
    wanted = _worlds(read, with_=_names(with_), without=_names(without), none=none, matrix=matrix)
    tells = not quiet and (form == "terminal" or output is not None)
    with _ended_by_signals(), Stage(read, Options(mail, require_real, directory, keep, custody)) as stage:
        if keep:
            say(f"rooms and dumps are in {stage.top}")
        played = _play(stage, wanted, tells=tells)
        _present(played, stage, form, output)
    return ExitCode.CLEAN if all(one.outcome.is_as_expected for one in played) else ExitCode.FINDINGS


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end us as Ctrl-C does: what was started is ended, and ``core_pattern`` put back."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _worlds(
    scenario: Scenario, *, with_: Sequence[str], without: Sequence[str], none: bool, matrix: bool
) -> list[WorldName]:
    from immure.replay.controls import chosen
    from immure.replay.matrix import WorldName, all_on, as_in_2023, worlds

    if matrix:
        if with_ or without or none:
            raise UsageError("--matrix has all worlds: --with, --without and --as-in-2023 name one")
        return worlds(scenario)
    if not (with_ or without or none):
        return [as_in_2023(), all_on(scenario)]
    controls = chosen(scenario.controls, with_=with_, without=without, none=none)
    if none:
        return [as_in_2023()]
    name = f"only {', '.join(with_)}" if with_ else f"all but {', '.join(without)}"
    return [WorldName(name, controls)]


def _play(stage: Stage, wanted: Sequence[WorldName], *, tells: bool) -> list[Played]:
    from immure.replay.matrix import play_all
    from immure.replay.report.terminal import closing

    played = []
    for one in play_all(stage, wanted, begin=lambda world: _narrator(stage, world, tells=tells)):
        if tells:
            _echo(closing(one.outcome))
        played.append(one)
    return played


def _narrator(stage: Stage, world: WorldName, *, tells: bool) -> Narrator:
    from immure.replay.report.terminal import Teller

    if not tells:
        return lambda _: None
    teller = Teller(stage.scenario, world)
    _echo(teller.opening())

    def tell(moment: Moment) -> None:
        _echo(teller.lines(moment))

    return tell


def _present(played: list[Played], stage: Stage, form: Form, output: str | None) -> None:
    from immure.replay.report.html import write_html
    from immure.replay.report.json import write_json
    from immure.replay.report.terminal import remarks, table

    if form == "terminal" or output is not None:
        _echo(table(played))
        _echo(remarks(played, stage.stands_in))
    if form == "terminal":
        return
    with open_output(output) as stream:
        (write_html if form == "html" else write_json)(played, stage.stands_in, stream)
    if output is not None:
        say(f"the report is in {output}")


def _echo(lines: Any) -> None:
    for line in lines:
        click.echo(line)


def _list() -> int:
    from immure.replay.scenario import names, read_scenario
    from immure.scanning.report.words import visible

    for name in names():
        one = read_scenario(name)
        click.echo(f"{name}\n  {visible(one.title)}\n  controls: {', '.join(one.controls)}")
    return ExitCode.CLEAN


def _guess(output: str | None) -> Form:
    if output is None:
        return "terminal"
    for form in ("json", "html"):
        if output.endswith(f".{form}"):
            return form
    raise click.UsageError("--format is needed: the name of the file does not tell it")


def _names(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
