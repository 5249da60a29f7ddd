"""``immure vault``: dumps sealed at rest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError, VaultError

if TYPE_CHECKING:
    from immure.vault import Sealed, Vault, Wrapping

Command = TypeVar("Command", bound=Callable[..., Any])

_EXIT_CODES = """
\b
Exit codes:
  0    done
  1    a dump was altered (verify)
  2    the command cannot be done as it was given
  3    it could not be carried out: a disk that is full, a dump or key that is not there
  130  interrupted
"""

_EPILOG = f"""
DIR is the directory of a vault. A dump is named by its id, sha256: and the digest of its bytes.

\b
Examples:
  immure vault init /var/lib/immure/vault --key-file /media/key/vault.key
  immure vault seal /var/lib/immure/vault app.core
  gzip -dc app.core.gz | immure vault seal /var/lib/immure/vault - --name app.core
  immure vault list /var/lib/immure/vault
  immure vault destroy /var/lib/immure/vault sha256:9f86d081…
{_EXIT_CODES}"""

_DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path())
_ID = click.argument("identity", metavar="ID")
_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


def wrapping_options(prefix: str = "") -> Callable[[Command], Command]:
    """The options that say what the keys of a vault are wrapped with."""

    def add(command: Command) -> Command:
        key = click.option(
            f"--{prefix}key-file", "key_file", metavar="FILE", type=click.Path(), help="The vault's key file."
        )
        passphrase = click.option(
            f"--{prefix}passphrase-file",
            "passphrase_file",
            metavar="FILE",
            type=click.Path(),
            help="A file whose first line is the vault's passphrase.",
        )
        return key(passphrase(command))

    return add


def open_vault(directory: str, key_file: str | None, passphrase_file: str | None) -> Vault:
    """A vault; its passphrase is asked for if it has one, none was given and there is a terminal.

    Raises:
        UsageError: two ways of wrapping were given.
        VaultError: it cannot be opened.
    """
    from pathlib import Path

    from immure.vault import PassphraseWrapping, Vault
    from immure.vault.identity import Identity

    wrapping = _wrapping(key_file, passphrase_file)
    kind = Identity.read(Path(directory) / "vault.json").wrapping
    if wrapping is None and kind == "passphrase" and sys.stdin is not None and sys.stdin.isatty():
        answer: str = click.prompt("passphrase of the vault", hide_input=True, err=True)
        wrapping = PassphraseWrapping(os.fsencode(answer))
    return Vault.open(directory, wrapping=wrapping)


def _wrapping(key_file: str | None, passphrase_file: str | None) -> Wrapping | None:
    from immure.vault import FileWrapping, PassphraseWrapping

    if key_file is not None and passphrase_file is not None:
        raise UsageError("a vault has either a key file or a passphrase")
    if key_file is not None:
        return FileWrapping(key_file)
    return PassphraseWrapping.from_file(passphrase_file) if passphrase_file is not None else None


@click.group(epilog=_EPILOG)
def vault() -> None:
    """Keep crash dumps sealed: by digest, encrypted, under keys that can be destroyed.

    Each dump has a key of its own. Without --key-file or --passphrase-file, whoever can read the vault's
    directory `keys` can read the dumps.
    """


@vault.command(epilog=_EXIT_CODES)
@_DIRECTORY
@wrapping_options()
@_QUIET
def init(directory: str, key_file: str | None, passphrase_file: str | None, quiet: bool) -> None:
    """Make a vault in a directory that does not exist or is empty.

    A key file that does not exist is made. Keep it on another medium than the vault: without it nobody can
    read the dumps, and with it and the vault anybody can.
    """
    from immure.vault import FileWrapping, Vault

    made = key_file is not None and not os.path.exists(key_file)
    if made and key_file is not None:
        FileWrapping.create(key_file)
    Vault.create(directory, wrapping=_wrapping(key_file, passphrase_file))
    if not quiet:
        say(f"{directory} is a vault now" + (f"; its key is {key_file}" if made else ""))


@vault.command(epilog=_EXIT_CODES)
@_DIRECTORY
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--name", help="What to call the dump.  [default: its file name]")
@wrapping_options()
@_FORMAT
@_QUIET
def seal(
    directory: str,
    file: str,
    name: str | None,
    key_file: str | None,
    passphrase_file: str | None,
    form: str,
    quiet: bool,
) -> None:
    """Seal a dump, and print its id. FILE stays where it is; - is standard input.

    Bytes that the vault has already are not stored a second time.
    """
    opened = open_vault(directory, key_file, passphrase_file)
    try:
        with click.open_file(file, "rb") as stream:
            sealed = opened.seal(stream, name=name or os.path.basename(file))
    except OSError as error:
        raise UsageError(f"cannot be opened: {error.strerror}", path=file) from error
    if not quiet:
        click.echo(json.dumps(sealed.to_json()) if form == "json" else sealed.id)


@vault.command("list", epilog=_EXIT_CODES)
@_DIRECTORY
@click.option("--destroyed", is_flag=True, help="What was destroyed, in place of what is there.")
@_FORMAT
def list_dumps(directory: str, destroyed: bool, form: str) -> None:
    """List the dumps, oldest first. No key is needed."""
    from immure.vault import Vault

    opened = Vault.open(directory)
    if form == "json":
        found = opened.tombstones() if destroyed else opened.list()
        click.echo(json.dumps([one.to_json() for one in found], indent=1))
        return
    for stone in opened.tombstones() if destroyed else ():
        click.echo(_line(stone.sealed, stone.destroyed_at.isoformat(" ", "seconds")))
    for sealed in () if destroyed else opened.list():
        click.echo(_line(sealed, sealed.sealed_at.isoformat(" ", "seconds")))


@vault.command(epilog=_EXIT_CODES)
@_DIRECTORY
@click.argument("identities", metavar="[ID]...", nargs=-1)
@wrapping_options()
@_QUIET
def verify(
    directory: str,
    identities: tuple[str, ...],
    key_file: str | None,
    passphrase_file: str | None,
    quiet: bool,
) -> int:
    """Read dumps to their end, and compare them with their digests; all of them if no ID is given."""
    opened = open_vault(directory, key_file, passphrase_file)
    opened.check_keys()
    code = ExitCode.CLEAN
    for identity in identities or tuple(sealed.id for sealed in opened.list()):
        sealed = opened.get(identity)
        try:
            opened.verify(identity)
        except VaultError as error:
            say(f"{identity} ({sealed.name}): {error}")
            code = ExitCode.FINDINGS
        else:
            if not quiet:
                click.echo(f"good  {identity}  {sealed.name}")
    return code


@vault.command(epilog=_EXIT_CODES)
@_DIRECTORY
@_ID
@_QUIET
def destroy(directory: str, identity: str, quiet: bool) -> None:
    """Destroy the key of a dump, and with it the dump. Its digest, size and times stay.

    The key's file is overwritten and removed. What an SSD, a copy-on-write file system or a backup keeps of
    it is not reached; wrap the keys if that matters. No key is needed to destroy.
    """
    from immure.vault import Vault

    stone = Vault.open(directory).destroy(identity)
    if not quiet:
        say(f"{identity} ({stone.sealed.name}) is destroyed")


def _line(sealed: Sealed, moment: str) -> str:
    from immure.scanning.report.words import visible

    return f"{sealed.id}  {sealed.size:>15,}  {moment}  {visible(sealed.name)}"
