"""Options that the searching commands share: which keys, how they are looked for, where the report goes."""

from __future__ import annotations

from typing import Final, get_args

import click

from immure.cli.exit_codes import FAIL_ON
from immure.cli.parameters import DetectorNames, KeySource
from immure.scanning.options import DETECTORS, Mode

KEYS: Final = click.option(
    "-k",
    "--keys",
    "sources",
    metavar="SRC",
    multiple=True,
    type=KeySource(),
    help="Public keys to look for; repeatable.",
)
PRIVATE_HOSTS: Final = click.option(
    "--allow-private-hosts", is_flag=True, help="Fetch keys from addresses that are not public, too."
)
MODE: Final = click.option(
    "--mode", type=click.Choice(get_args(Mode)), help="quick (the default) says what it left out."
)
EXHAUSTIVE: Final = click.option(
    "--exhaustive", is_flag=True, help="Short for --mode exhaustive: leave nothing out."
)
WHAT: Final = click.option(
    "--detectors",
    type=DetectorNames(),
    default=",".join(DETECTORS),
    show_default=True,
    help="What to look for.",
)
AES: Final = click.option(
    "--aes", is_flag=True, help="Look for AES keys, too: their key schedules, even damaged ones."
)
SHOW_ALL: Final = click.option(
    "--all", "show_all", is_flag=True, help="List every occurrence, not only the first ones."
)
THREADS: Final = click.option(
    "--threads", type=click.IntRange(1, 256), help="Worker threads.  [default: one for each core, up to 8]"
)
OUTPUT: Final = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the report to FILE, whole or not.",
)
FAILING: Final = click.option(
    "--fail-on", type=click.Choice(FAIL_ON), default="incomplete", show_default=True, help="See below."
)
QUIET: Final = click.option(
    "-q", "--quiet", is_flag=True, help="No progress and no notes; on a terminal the verdicts only."
)


def mode_of(mode: Mode | None, *, exhaustive: bool) -> Mode:
    """The mode that is meant; raises click.UsageError if both options were given and contradict."""
    if exhaustive and mode == "quick":
        raise click.UsageError("--exhaustive and --mode quick contradict each other")
    return "exhaustive" if exhaustive else mode or "quick"
