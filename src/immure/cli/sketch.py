"""``immure sketch``: what lets a scanner find a secret that has no public half."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import check_writable
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.keymaterial.sketch import Sketch

_KINDS = ("hs256", "hs384", "hs512", "aes", "password", "token", "pin", "secret")

_EXIT_CODES = """
\b
Exit codes:
  0    done
  2    the command cannot be done as it was given; or a secret may be guessed, and there is no sketch
  3    the file is no sketch
  130  interrupted
"""

_MAKE = f"""
FILE holds one secret, as bytes or as text (a line end at its end does not belong to it), or is a JWK or a
JWKS with keys of type oct. - is standard input.

A list (--list) has a secret on each line, NAME=VALUE; empty lines and lines that begin with # are left out.

\b
Examples:
  immure sketch make hs256.key --kind hs256 -o api.sketch
  immure sketch make oct.jwks.json session.key -o issuer.sketch
  vault kv get -format=raw secret/app | immure sketch make --list - -o app.sketch
  immure scan app.core --sketches app.sketch

Whoever holds a sketch can try guesses, fast, and with 16 bytes of a secret that are known from elsewhere find
all the others. So a secret that may be guessed is refused, and a sketch is kept like the logs of production,
not like a public key. See docs/reference/sketches.md.
{_EXIT_CODES}"""


@click.group()
def sketch() -> None:
    """Make sketches of secrets that have no public half, and show what is in one.

    With a sketch immure scan finds a symmetric key, a token or a long password in a dump, whole or in pieces
    of 24 bytes, and learns nothing else of it.
    """


@sketch.command(epilog=_MAKE)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(dir_okay=False))
@click.option(
    "--list", "lists", metavar="FILE", multiple=True, type=click.Path(dir_okay=False),
    help="Secrets as NAME=VALUE lines; repeatable.",
)  # fmt: skip
@click.option("-o", "--output", metavar="SKETCH", required=True, type=click.Path(dir_okay=False),
              help="The sketch, readable by you only.")  # fmt: skip
@click.option("--kind", type=click.Choice(_KINDS), default="secret", show_default=True,
              help="What the secrets are; reports repeat it.")  # fmt: skip
@click.option("--name", metavar="NAME", help="What reports call the secret.  [default: the file's name]")
@click.option(
    "--allow-guessable", is_flag=True, help="Take secrets that may be guessed: the sketch is then a secret."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def make(
    files: tuple[str, ...],
    lists: tuple[str, ...],
    output: str,
    kind: str,
    name: str | None,
    allow_guessable: bool,
    quiet: bool,
) -> int:
    """Make a sketch of secrets, on the machine where they are."""
    from immure.keymaterial.sketch_file import write_sketch
    from immure.keymaterial.sketch_make import sketch_of
    from immure.keymaterial.sketch_sources import read_list, read_secrets

    if not files and not lists:
        raise UsageError("there is nothing to sketch: name a file, or a list of secrets")
    if name is not None and (len(files) != 1 or lists):
        raise UsageError("--name is for one file")
    check_writable(output)
    named = [one for path in files for one in read_secrets(path, kind, name)]
    named += [one for path in lists for one in read_list(path, kind)]
    made = sketch_of(named, allow_guessable=allow_guessable)
    try:
        write_sketch(output, made)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", path=output) from error
    if not quiet:
        many = "1 secret" if len(made.secrets) == 1 else f"{len(made.secrets):,} secrets"
        say(f"{output} is a sketch of {many} now{_warning(made)}")
    return ExitCode.CLEAN


@sketch.command(epilog=_EXIT_CODES)
@click.argument("path", metavar="SKETCH", type=click.Path(dir_okay=False))
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def show(path: str, form: str) -> int:
    """Show of what secrets a sketch is, and by what they are found."""
    from immure.keymaterial.sketch_file import read_sketch
    from immure.scanning.report.words import visible

    read = read_sketch(path)
    if form == "json":
        click.echo(json.dumps(_plain(read), indent=1))
        return ExitCode.CLEAN
    click.echo(f"{visible(path)}: {len(read.secrets):,} secrets, {read.windows:,} windows{_warning(read)}")
    for row in _plain(read)["secrets"]:
        forms = ", ".join(f"{one['form']} ({one['length']} bytes)" for one in row["strings"])
        guessable = "  GUESSABLE" if row["guessable"] else ""
        click.echo(f"{row['fingerprint'][:12]}  {row['kind']:<8}  {visible(row['name'])}: {forms}{guessable}")
    return ExitCode.CLEAN


def _warning(made: Sketch) -> str:
    return "; secrets in it may be guessed: keep it as you keep them" if made.guessable else ""


def _plain(read: Sketch) -> dict[str, Any]:
    return {
        "windows": read.windows,
        "guessable": read.guessable,
        "secrets": [
            {
                "name": secret.name,
                "kind": secret.kind,
                "guessable": secret.guessable,
                "fingerprint": secret.fingerprint,
                "strings": [
                    {"part": one.part, "form": one.form, "length": one.length} for one in secret.strings
                ],
            }
            for secret in read.secrets
        ],
    }
