"""``immure attest keygen`` and ``public``: keys that sign, their public halves; how commands open them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from immure.cli.messages import say
from immure.cli.output import open_output
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.custody import Signer

ALGORITHMS = ("EdDSA", "ES256", "ES384", "PS256", "RS256")
KEY_HELP = "Key URI: file:PATH or pkcs11:…"

_KEYGEN_EPILOG = """
PATH gets the private key (PKCS#8, readable by you only), PATH.pub the public half (a JWK), which verifiers
are to trust. Neither file is ever overwritten.

\b
Examples:
  immure attest keygen trial.key
  immure attest keygen trial.key --algorithm ES256 --encrypt

\b
Exit codes:
  0  both files are written
  2  the command cannot be done as it was given
  3  the files cannot be written; nothing is left of them
"""

_PUBLIC_EPILOG = """
\b
Examples:
  immure attest public --key 'pkcs11:token=release;object=clearance?module-name=softhsm2' -o release.pub
  immure attest public --key file:trial.key --format pem

\b
Exit codes:
  0  written
  2  the command cannot be done as it was given
  3  the key cannot be used
"""


def open_key(uri: str, quiet: bool) -> Signer:
    """The key that ``uri`` names; a PIN is asked for if there is a terminal. Its warning is printed."""
    from immure.custody import open_signer

    signer = open_signer(uri, ask=_ask)
    if signer.warning is not None and not quiet:
        say(f"note: {signer.uri}: {signer.warning}")
    return signer


def _ask(question: str) -> str | None:
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    from immure.scanning.report.words import visible

    answer: str = click.prompt(visible(question), hide_input=True, err=True)
    return answer


@click.command(epilog=_KEYGEN_EPILOG)
@click.argument("path", metavar="PATH", type=click.Path(dir_okay=False))
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="EdDSA", show_default=True)
@click.option("--encrypt", is_flag=True, help="Under a password: IMMURE_PIN, or asked for on the terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def keygen(path: str, algorithm: str, encrypt: bool, quiet: bool) -> None:
    """Make a private key in a file, for trials.

    Whoever reads such a file once can sign for ever. Keys that count belong on a PKCS#11 token, and are made
    there with the tools of its vendor.
    """
    from urllib.parse import quote

    from immure.custody.file_signer import WARNING
    from immure.custody.generate import generate

    made = generate(path, algorithm, pin=_password() if encrypt else None)
    if quiet:
        return
    option = "?alg=RS256" if algorithm == "RS256" else ""
    click.echo(f"private key  {made.path}")
    click.echo(f"key URI      file:{quote(os.fsencode(made.path))}{option}")
    click.echo(f"public half  {made.public_path}")
    click.echo(f"thumbprint   {made.public.thumbprint}")
    say(f"note: {WARNING}")


def _password() -> str:
    from immure.custody.pin import VARIABLE

    given = os.environ.get(VARIABLE)
    if given:
        return given
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"--encrypt needs a terminal, or a password in the variable {VARIABLE}")
    answer: str = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


@click.command(epilog=_PUBLIC_EPILOG)
@click.option("--key", "uri", metavar="URI", required=True, help=KEY_HELP)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="[default: standard output]"
)
@click.option("-f", "--format", "form", type=click.Choice(["jwk", "pem"]), default="jwk", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def public(uri: str, output: str | None, form: str, quiet: bool) -> None:
    """Write the public half of a key, for those who verify.

    A JWK says by which algorithm the key signs. PEM does not: an RSA key given as PEM is trusted for PS256
    only.
    """
    from immure.custody.public_half import to_jwk, to_pem

    with open_key(uri, quiet) as signer:
        text = to_jwk(signer.public, signer.algorithm) if form == "jwk" else to_pem(signer.public)
    with open_output(output) as stream:
        stream.write(text)
