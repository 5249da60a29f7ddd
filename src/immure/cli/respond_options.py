"""Options and openings that the commands of ``immure respond`` share."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.keygen import KEY_HELP, open_key
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.response.evidence import Tsa
    from immure.response.incident import Incident
    from immure.response.timeline import Entry

Command = TypeVar("Command", bound=Callable[..., Any])

INCIDENT = click.argument("folder", metavar="INCIDENT", type=click.Path(path_type=Path))
KEY = click.option("--key", "uri", metavar="URI", required=True, envvar="IMMURE_INCIDENT_KEY",
                   show_envvar=True, help=f"The incident's key, Ed25519. {KEY_HELP}")  # fmt: skip
BY = click.option("--by", "actor", metavar="NAME", envvar="IMMURE_ACTOR", show_envvar=True,
                  default=lambda: _login(), show_default="your login", help="Who says it.")  # fmt: skip
FORMAT = click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text",
                      show_default=True)  # fmt: skip
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but what was asked for.")

EXIT_CODES = """
\b
Exit codes:
  0  done
  2  it cannot be done as it was asked for; nothing was written
  3  the record cannot be read or written
"""


@contextmanager
def writing(folder: Path, uri: str, quiet: bool = True) -> Iterator[Incident]:
    """The incident in a directory, to write into it with the key that ``uri`` names.

    Args:
        quiet: makes no difference: what is to be said of a key in a file was said when it was opened.
    """
    from immure.response.incident import Incident

    with open_key(uri, True) as signer:
        yield Incident.load(folder, key=signer)


def reading(folder: Path) -> Incident:
    """The incident in a directory, to be read only."""
    from immure.response.incident import Incident

    return Incident.load(folder)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a process of no user, as in a container: then somebody is to be named
        return ""


def say_entry(incident: Incident, entry: Entry, form: str, quiet: bool) -> None:
    """Print an entry that was written."""
    from immure.response.facts import summary
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps(entry_json(entry)))
    elif not quiet:
        click.echo(
            f"entry {entry.sequence} of {visible(incident.name)}: {entry.kind}, {visible(summary(entry))}"
        )


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry as an object."""
    from immure.auditlog.canonical import canonical

    return {
        "sequence": entry.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "body": json.loads(canonical(entry.body)),
        "source": entry.source,
        "confidence": entry.confidence.value,
        "corrects": entry.corrects,
    }


def tsa_options(command: Command) -> Command:
    """``--tsa`` and ``--tsa-ca``."""
    for option in (
        click.option("--tsa-ca", metavar="FILE", multiple=True, type=click.Path(path_type=Path),
                     help="Certificates (PEM) that its answers must lead to."),
        click.option("--tsa", metavar="URL", help="Ask this authority for timestamps (RFC 3161)."),
    ):  # fmt: skip
        command = option(command)
    return command


def tsa_of(tsa: str | None, tsa_ca: tuple[Path, ...]) -> Tsa | None:
    """The authority that the options name.

    Raises:
        UsageError: certificates and no authority.
    """
    from immure.response.evidence import Tsa
    from immure.response.timestamp import read_roots

    if tsa is None:
        if tsa_ca:
            raise UsageError("--tsa-ca needs --tsa")
        return None
    return Tsa(tsa, tuple(read_roots(tsa_ca)))
