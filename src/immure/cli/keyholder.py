"""``immure keyholder``: key files, what each key in them may sign, and a holder for several front ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keyholder_options import (
    EXIT_CODES,
    FORMAT,
    PATH,
    PIN_FILE,
    QUIET,
    pins_from,
    rules_options,
    uid_of,
)
from immure.cli.messages import say

if TYPE_CHECKING:
    from immure.custody.keyholder import KeyInfo, Rules

_EPILOG = f"""
PATH is a key file. Its PIN is the first line of --pin-file, or the variable IMMURE_PIN, or asked for. With
two --pin-file the file is under both PINs, which two people may have.

\b
Examples:
  immure keyholder init /var/lib/issuer/keys.sealed --pin-file pin
  immure keyholder generate /var/lib/issuer/keys.sealed c1 --pin-file pin --alg ES256 \\
    --issuer https://login.example --class consumer --audience https://api.example=consumer
  immure keyholder status /var/lib/issuer/keys.sealed --pin-file pin
  immure keyholder backup /var/lib/issuer/keys.sealed keys.backup --pin-file pin \\
    --backup-pin-file alice --backup-pin-file bob
{EXIT_CODES}"""

Texts = tuple[str, ...]

_USER = click.option(
    "--user", metavar="USER", help="As root: whose the holder is.  [default: one that nobody has]"
)


@click.group(epilog=_EPILOG)
def keyholder() -> None:
    """Keep private keys in a process of their own, which signs only what each key may sign.

    A key is made inside and never comes out. What it may sign is said once, when it is made. Stop the service
    that holds a file before you change it: one process has it at a time.
    """


@keyholder.command(epilog=EXIT_CODES)
@PATH
@PIN_FILE
@_USER
@QUIET
def init(path: str, pin_files: Texts, user: str | None, quiet: bool) -> None:
    """Make a key file without keys.

    Its directory is made too, and belongs to the holder's user. There is no way back to the keys without the
    PIN: make a backup when there are keys.
    """
    from immure.custody.keyholder import KeyHolder

    with KeyHolder.create(
        path, pins_from(pin_files, "PIN of the new key file", confirm=True), user=user
    ) as made:
        words = made.status()["protections"]["user"]
    if not quiet:
        say(f"{path} is a key file now; the holder's user is {words}")


@keyholder.command(epilog=EXIT_CODES)
@PATH
@click.argument("kid", metavar="KID")
@rules_options
@click.option("--bits", type=click.Choice(["2048", "3072", "4096"]), default="3072", help="Of an RSA key.")
@PIN_FILE
@FORMAT
def generate(path: str, kid: str, rules: Rules, bits: str, pin_files: Texts, form: str) -> None:
    """Make a key inside, and print its public half."""
    with _managing(path, pin_files) as holder:
        _show(holder.generate(kid, rules, bits=int(bits)), form)


@keyholder.command("import", epilog=EXIT_CODES)
@PATH
@click.argument("kid", metavar="KID")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@rules_options
@click.option("--yes-others-may-have-it", "sure", is_flag=True, required=True, help="Say that you know it.")
@PIN_FILE
@FORMAT
def import_(path: str, kid: str, file: str, rules: Rules, sure: bool, pin_files: Texts, form: str) -> None:
    """Take in a private key from a file (PEM or DER, without a password).

    Whoever had the file has the key, so the key is marked as imported for ever. Make a new one instead, where
    you can.
    """
    with _managing(path, pin_files) as holder:
        _show(holder.import_key(kid, rules, file), form)


@keyholder.command("list", epilog=EXIT_CODES)
@PATH
@PIN_FILE
@FORMAT
def list_keys(path: str, pin_files: Texts, form: str) -> None:
    """List the keys: state, how often each signed, and what it may sign."""
    with _signing(path, pin_files) as holder:
        found = holder.list().values()
    if form == "json":
        click.echo(json.dumps([_plain(key) for key in found], indent=1))
        return
    for key in found:
        click.echo(_line(key))


@keyholder.command(epilog=EXIT_CODES)
@PATH
@PIN_FILE
@click.option("-f", "--format", "form", type=click.Choice(["jwks", "thumbprints"]), default="jwks",
              show_default=True)  # fmt: skip
def public(path: str, pin_files: Texts, form: str) -> None:
    """Print the public halves of all keys, for those who scan dumps: immure scan --keys FILE.

    From these a dump is searched for the private halves, without anybody having them. Destroyed keys are in
    it too: a dump may be older than their end. So it is not a key set to verify tokens by. With thumbprints:
    one line for each key, its RFC 7638 thumbprint, kid and state.
    """
    from immure.scanning.report.words import visible

    with _signing(path, pin_files) as holder:
        found = holder.list().values()
    if form == "jwks":
        click.echo(json.dumps({"keys": [_plain(key)["jwk"] for key in found]}, indent=1))
        return
    for key in found:
        click.echo(f"{key.public.thumbprint}  {visible(key.kid)}  {key.state.value}")


@keyholder.command(epilog=EXIT_CODES)
@PATH
@PIN_FILE
@FORMAT
def status(path: str, pin_files: Texts, form: str) -> None:
    """Start a holder, and show how it is protected here, and how not."""
    with _signing(path, pin_files) as holder:
        said = holder.status()
    if form == "json":
        click.echo(json.dumps(said, indent=1))
        return
    for name, words in (said["protections"] | {"libcrypto": said["library"], "keys": said["keys"]}).items():
        click.echo(f"{name.replace('_', ' '):<15} {words}")


@keyholder.command(epilog=EXIT_CODES)
@PATH
@click.argument("kid", metavar="KID")
@click.argument(
    "state", type=click.Choice(["active", "suspended", "deactivated", "compromised", "destroyed"])
)
@click.option("--reason", default="", metavar="WORDS", help="Is kept with the change.")
@PIN_FILE
@QUIET
def state(path: str, kid: str, state: str, reason: str, pin_files: Texts, quiet: bool) -> None:
    """Bring a key into another state. A destroyed key is gone from the file; it stays in older backups."""
    from immure.registry.state import KeyState

    with _managing(path, pin_files) as holder:
        changed = holder.set_state(kid, KeyState(state), reason)
    if not quiet:
        click.echo(_line(changed))


_SKETCHES_EPILOG = f"""
Of RSA keys there are sketches of both primes, of EC keys of the scalar, of Ed25519 keys of the seed: 24 bytes
of one that stand in a dump are found, where immure scan --keys needs all of it.

Whoever has the file and 16 bytes in a row of a number has the number: keep it with those who scan.

Keys in a device (pkcs11:, awskms:, vault:) have no sketches, since the device does not tell what they are
made of; scan for them by their public halves.
{EXIT_CODES}"""


@keyholder.command(epilog=_SKETCHES_EPILOG)
@PATH
@click.argument("output", metavar="SKETCH", type=click.Path(dir_okay=False))
@PIN_FILE
@QUIET
def sketches(path: str, output: str, pin_files: Texts, quiet: bool) -> None:
    """Write sketches of all keys, for immure scan --sketches.

    They are made inside: no key comes out. Destroyed keys have none any more.
    """
    from immure.custody.keyholder.client_sketches import export_sketches

    with _managing(path, pin_files) as holder:
        count = export_sketches(holder, output)
    if not quiet:
        say(f"{output} has sketches of {'1 key' if count == 1 else f'{count} keys'}")


_BACKUP_PIN = click.option(
    "--backup-pin-file", "backup_pins", metavar="FILE", multiple=True, type=click.Path(dir_okay=False),
    help="A file whose first line is a PIN of the backup; once, or twice for two people.",
)  # fmt: skip


@keyholder.command(epilog=EXIT_CODES)
@PATH
@click.argument("output", metavar="BACKUP", type=click.Path(dir_okay=False))
@_BACKUP_PIN
@PIN_FILE
@QUIET
def backup(path: str, output: str, backup_pins: Texts, pin_files: Texts, quiet: bool) -> None:
    """Write all keys into a new file, sealed under one other PIN or two."""
    with _managing(path, pin_files) as holder:
        count = holder.backup(output, pins_from(backup_pins, "PIN of the backup", confirm=True))
    if not quiet:
        say(f"{count} keys are in {output}, under {max(1, len(backup_pins))} PINs")


@keyholder.command(epilog=EXIT_CODES)
@click.argument("source", metavar="BACKUP", type=click.Path(dir_okay=False))
@PATH
@_BACKUP_PIN
@PIN_FILE
@_USER
@QUIET
def restore(
    source: str,
    path: str,
    backup_pins: Texts,
    pin_files: Texts,
    user: str | None,
    quiet: bool,
) -> None:
    """Make a new key file out of a backup.

    The counts of its keys are those of the day of the backup, and keys that were taken out of use after it
    are in use again: look at the list before you let it sign.
    """
    from immure.custody.keyholder import KeyHolder

    old = pins_from(backup_pins, "PIN of the backup")
    new = pins_from(pin_files, "PIN of the new key file", confirm=True)
    with KeyHolder.restore(path, new, source, old, user=user) as holder:
        found = holder.list().values()
    if not quiet:
        say(f"{len(found)} keys are in {path} now")


@keyholder.command(epilog=EXIT_CODES)
@PATH
@click.option(
    "--socket", "place", metavar="SOCKET", required=True, type=click.Path(), help="Where to listen."
)
@click.option("--allow", metavar="USER", multiple=True, required=True, help="Who may connect; repeatable.")
@PIN_FILE
def serve(path: str, place: str, allow: Texts, pin_files: Texts) -> int:
    """Hold the keys for several front ends, until SIGTERM.

    Front ends connect to SOCKET; the kernel says who they are. They can sign, and take keys out of use; they
    have neither the file nor the PIN.
    """
    from pathlib import Path

    from immure.custody.keyholder.launch import Options
    from immure.custody.keyholder.sharing import serve as serve_there

    options = Options(Path(path), allow=frozenset(map(uid_of, allow)))
    pins = pins_from(pin_files, f"PIN of {path}")
    code = serve_there(options, pins, Path(place), lambda words: say(words))
    return ExitCode.CLEAN if code == 0 else ExitCode.INCOMPLETE


def _managing(path: str, pin_files: Texts) -> Any:
    from immure.custody.keyholder import KeyHolder

    return KeyHolder.start(path, pins_from(pin_files, f"PIN of {path}"), role="manage")


def _signing(path: str, pin_files: Texts) -> Any:
    from immure.custody.keyholder import KeyHolder

    return KeyHolder.start(path, pins_from(pin_files, f"PIN of {path}"))


def _show(key: KeyInfo, form: str) -> None:
    click.echo(json.dumps(_plain(key) if form == "json" else _plain(key)["jwk"], indent=1))


def _plain(key: KeyInfo) -> dict[str, Any]:
    jwk = key.public.to_jwk() | {"kid": key.kid, "alg": key.algorithm, "use": "sig"}
    return {
        "kid": key.kid,
        "state": key.state.value,
        "origin": key.origin,
        "signed": key.signed,
        "thumbprint": key.public.thumbprint,
        "rules": key.rules.to_plain(),
        "jwk": jwk,
    }


def _line(key: KeyInfo) -> str:
    from immure.scanning.report.words import visible

    rules = key.rules
    quota = "" if rules.quota is None else f" of {rules.quota}"
    words = f"{', '.join(sorted(rules.purposes))} of {rules.scope.issuer}"
    classes = ", ".join(sorted(rules.scope.audience_classes)) or "no audiences"
    text = f"{key.kid:<20} {key.state.value:<11} {key.algorithm} {key.origin}, signed {key.signed}{quota}"
    return visible(f"{text}: {words} ({classes})")
