"""Options of ``immure watch`` that no other command has."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    PeriodType = click.ParamType[timedelta]
else:  # older releases of click know no type arguments
    PeriodType = click.ParamType

_PERIOD: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FILE: Final = click.Path(dir_okay=False)


class Period(PeriodType):
    """A period: a number and its unit, ``30m``, ``1h``, ``1d``; a second at least, a year at most."""

    name = "period"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The period."""
        found = _PERIOD.fullmatch(str(value))
        period = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
        if not timedelta(seconds=1) <= period <= timedelta(days=366):
            self.fail(f"{value!r} is no period such as 30m, 1h or 1d", param, ctx)
        return period


STAGED = click.option(
    "--staged", is_flag=True, help="What the next commit of the repository here would bring."
)
STATE = click.option(
    "--state", "state_file", metavar="FILE", type=_FILE, help="Remember in FILE what was scanned and found."
)
EVERY = click.option("--every", metavar="PERIOD", type=Period(), help="Run again each PERIOD (30m, 1h, 1d).")
RULES = click.option(
    "--rules", "rule_files", metavar="FILE", multiple=True, type=click.Path(),
    help="YARA rules whose matches count, too, or a directory of them; repeatable.",
)  # fmt: skip
CREDENTIALS = click.option(
    "--credentials", is_flag=True, help="Look for credentials of cloud services, by how they look, too."
)
KINGFISHER = click.option(
    "--kingfisher", is_flag=True, help="Look for credentials by the rules of Kingfisher, too."
)
OWNERS = click.option("--owners", metavar="FILE", type=_FILE, help="Who owns which paths, as in CODEOWNERS.")
SUPPRESSIONS = click.option(
    "--suppressions", metavar="FILE", type=_FILE, help="What is not to count, why, and until when (TOML)."
)
BASELINE = click.option(
    "--baseline", metavar="FILE", type=_FILE, help="What was known when FILE was written does not count."
)
WRITE_BASELINE = click.option(
    "--write-baseline", metavar="FILE", type=_FILE, help="Write what is there now as a baseline."
)
