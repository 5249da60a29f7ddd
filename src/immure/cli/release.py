"""``immure release``: let a dump out, if it is cleared."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import KEY_HELP, open_key
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output
from immure.cli.room_options import GrantingRoom, granting_room
from immure.cli.vault import open_vault, wrapping_options
from immure.errors import InputError, RefusedError, UsageError

if TYPE_CHECKING:
    from immure.auditlog import AuditLog
    from immure.custody import Signer
    from immure.keymaterial.key import PublicKey
    from immure.transfer import Gate, Receipt, Request
    from immure.transfer.case import Decision
    from immure.transfer.room_grants import RoomGrants

_MOST_GRANT = 1 << 20

_EPILOG = """
DUMP is a file, or the id (sha256:…) of a dump in the vault. A file is sealed in the vault first. What leaves
is the sealed copy, and only if its clearance is signed by whom the policy names, and every rule of the policy
says yes. Allowed or refused, the decision stands in the log before anything leaves.

DEST is a directory, file:///…, s3://BUCKET/PREFIX or sftp://HOST/PATH. Credentials come from where the AWS
tools and ssh have them, never from DEST. A file that is there is not replaced.

\b
Examples:
  immure release app.core --to /srv/debug --policy policy.toml \\
      --vault /var/lib/immure/vault --log /var/log/immure --log-key file:log.key
  immure release app.core --to s3://debug-dumps/team-a --clearance app.dsse.json \\
      --policy policy.toml --vault vault --log log --log-key 'pkcs11:token=gate;object=log'

\b
Exit codes:
  0    released, and logged
  1    refused; the log says why
  2    the command cannot be done as it was given, or the policy cannot be understood: nothing leaves
  3    it was allowed and could not be done, or not be logged; the message says what is visible
  130  interrupted
"""


@click.command(epilog=_EPILOG)
@click.argument("dump", metavar="DUMP", type=click.Path())
@click.option("--to", "target", metavar="DEST", required=True, help="Where to.")
@click.option("--policy", metavar="FILE", required=True, type=click.Path(), help="What may leave (TOML).")
@click.option("--clearance", metavar="FILE", type=click.Path(), help="[default: DUMP.intoto.json]")
@click.option("--vault", "vault_directory", metavar="DIR", required=True, type=click.Path())
@click.option("--log", "log_directory", metavar="DIR", required=True, type=click.Path())
@click.option("--log-key", metavar="URI", required=True, help=f"What signs the log. {KEY_HELP}")
@click.option("--log-origin", metavar="NAME", help="Begin a log of this name if there is none in DIR.")
@click.option("--room", metavar="DIR", type=click.Path(), help="The room whose door must have granted it.")
@click.option(
    "--room-log", metavar="DIR", type=click.Path(), help="The room's log.  [default: log in the room]"
)
@click.option(
    "--room-key", metavar="URI", help=f"What signs the room's log. [default: --log-key]  {KEY_HELP}"
)
@click.option("--as", "account", metavar="ACCOUNT", help="Whose grant must be there.  [default: anybody's]")
@click.option("--grant", metavar="FILE", type=click.Path(), help="The id of the grant.  [default: any]")
@click.option("--name", help="What to call it there.  [default: the name of DUMP]")
@click.option(
    "--signer-keys",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="Public keys for fingerprints that the policy names without a file; repeatable.",
)
@click.option("--no-follow", is_flag=True, help="Refuse a symbolic link as DUMP.")
@wrapping_options("vault-")
@click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the receipt (JSON) to FILE.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def release(
    dump: str,
    target: str,
    policy: str,
    clearance: str | None,
    vault_directory: str,
    log_directory: str,
    log_key: str,
    log_origin: str | None,
    room: str | None,
    room_log: str | None,
    room_key: str | None,
    account: str | None,
    grant: str | None,
    name: str | None,
    signer_keys: tuple[str, ...],
    no_follow: bool,
    key_file: str | None,
    passphrase_file: str | None,
    form: str,
    output: str | None,
    quiet: bool,
) -> int:
    """Let a dump out, if it is cleared for exactly that.

    The gate is closed unless the policy opens it.
    """
    from immure.transfer import (
        ClearanceFile,
        EnvelopeVerifier,
        FileSource,
        Gate,
        PolicyFile,
        Request,
        VaultSource,
        open_destination,
    )

    if output is not None:
        check_writable(output)
    sealed = dump.startswith("sha256:") and not os.path.exists(dump)
    if sealed and (clearance is None or name is None):
        raise UsageError("a dump in the vault needs --clearance and --name")
    shown: list[Decision] = []
    if room is None and (account or room_key or room_log):
        raise UsageError("--as, --room-key and --room-log need --room")
    granting = granting_room(room, room_log, room_key or log_key, account)
    with (
        open_destination(target) as destination,
        open_key(log_key, quiet) as signer,
        _open_grants(granting, quiet) as grants,
    ):
        gate = Gate(
            store=open_vault(vault_directory, key_file, passphrase_file),
            policies=PolicyFile(policy),
            verifier=EnvelopeVerifier(_public_keys(signer_keys, quiet)),
            log=_open_log(log_directory, log_origin, signer),
            on_decision=shown.append,
            grants=grants,
        )
        request = Request(
            source=VaultSource(dump) if sealed else FileSource(dump, follow=not no_follow),
            clearance=ClearanceFile(clearance or f"{dump}.intoto.json"),
            destination=destination,
            name=name or os.path.basename(dump),
            grant=None if grant is None else _read_grant(grant),
        )
        return _release(gate, request, shown, form, output, quiet)


def _release(
    gate: Gate, request: Request, shown: list[Decision], form: str, output: str | None, quiet: bool
) -> int:
    try:
        receipt = gate.release(request)
    except RefusedError as error:
        if form == "json":
            rules = [outcome.to_json() for outcome in shown[-1].outcomes] if shown else []
            refusal = {"released": False, "rule": error.rule, "reason": error.reason, "rules": rules}
            click.echo(json.dumps(refusal, indent=1))
        raise
    code = ExitCode.CLEAN
    if output is not None:
        try:
            with open_output(output) as stream:
                stream.write(_text(receipt))
        except UsageError as error:  # it was writable before; the dump is out all the same
            say(f"released, but the receipt is not written: {error}")
            code = ExitCode.INCOMPLETE
    if form == "json":
        click.echo(_text(receipt), nl=False)
    elif not quiet:
        _print(receipt)
    return code


def _text(receipt: Receipt) -> str:
    return json.dumps(receipt.to_json(), indent=1) + "\n"


def _print(receipt: Receipt) -> None:
    from immure.scanning.report.words import visible

    case = receipt.decision.case
    there = "" if receipt.placed == "new" else " (the same bytes were there already)"
    click.echo(f"RELEASED  {visible(case.destination)}/{visible(case.name)}{there}")
    click.echo(f"  bytes      {case.size:,}, sha256:{case.sha256}")
    click.echo(f"  signed by  {', '.join(sorted(case.signers))}")
    if receipt.decision.policy is not None:
        click.echo(f"  policy     sha256:{receipt.decision.policy.sha256}")
    log = f"{receipt.allowed.index} and {receipt.done.index} of {visible(receipt.checkpoint.origin)}"
    click.echo(f"  log        entries {log}")


def _open_log(directory: str, origin: str | None, signer: Signer) -> AuditLog:
    """The log in a directory; a new one, if there is none and its name is given."""
    from immure.auditlog import AuditLog
    from immure.custody.note_signer import NoteSigner

    if (Path(directory) / "checkpoint").exists():
        known = AuditLog.open(directory, check=False).origin
        if origin not in (None, known):
            raise UsageError(f"is the log {known!r}, not {origin!r}", path=directory)
        return AuditLog.open(directory, signer=NoteSigner(known, signer), check=False)
    if origin is None:
        raise UsageError("there is no log; --log-origin NAME begins one", path=directory)
    return AuditLog.create(directory, origin=origin, signer=NoteSigner(origin, signer))


@contextmanager
def _open_grants(room: GrantingRoom | None, quiet: bool) -> Iterator[RoomGrants | None]:
    """What the door of a room has granted; its log takes what is used."""
    if room is None:
        yield None
        return
    from immure.transfer.room_grants import RoomGrants

    with room.door(quiet) as door:
        yield RoomGrants(door, room.account)


def _public_keys(paths: tuple[str, ...], quiet: bool) -> list[PublicKey]:
    from immure.keymaterial.sources_files import load_path

    keys: list[PublicKey] = []
    for path in paths:
        try:
            loaded = load_path(path)
        except InputError as error:
            raise UsageError(str(error)) from error
        keys += loaded.keys
        for note in () if quiet else loaded.notes:
            say(f"note: {note}")
    return keys


def _read_grant(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MOST_GRANT + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", path=path) from error
    if len(data) > _MOST_GRANT:
        raise UsageError(f"is longer than {_MOST_GRANT} bytes", path=path)
    return data
