"""``immure access ssh``: certificates of OpenSSH on a live grant."""

from __future__ import annotations

import json
from pathlib import Path

import click

from immure.cli.access_options import EXIT_CODES, FORMAT, KEY, LOG, QUIET, ROOM, opened, read_file
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

_EPILOG = f"""
\b
Examples:
  immure access ssh sign room id_ed25519_sk.pub --as prd-ada --resource room:debug --authority ca \\
      --key file:log.key
  immure access ssh sign room id_ed25519_sk.pub --as prd-ada --resource room:debug --action enter \\
      --action sudo --authority ca --key file:log.key
  immure access ssh krl room --authority ca.pub -o /etc/ssh/room.krl
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def ssh() -> None:
    """Let people in by OpenSSH: certificates that end with the grant, and a list of revoked ones."""


@ssh.command(epilog=_EPILOG)
@ROOM
@click.argument("public_key", metavar="PUBLIC-KEY", type=click.Path())
@KEY
@click.option("--as", "account", metavar="ACCOUNT", required=True, help="Whose certificate it is.")
@click.option("--resource", metavar="room:NAME", required=True, help="What the grant is for.")
@click.option("--action", "actions", metavar="ACTION", multiple=True, default=("enter",), show_default=True,
              help="What it is good for: enter, sudo; may be given for each.")  # fmt: skip
@click.option(
    "--authority",
    metavar="FILE",
    required=True,
    type=click.Path(),
    help="Private key that signs certificates.",
)
@click.option(
    "--agent", is_flag=True, help="The authority's private key is in ssh-agent; FILE is its public half."
)
@click.option("--minutes", metavar="N", type=click.IntRange(1, 1440), default=60, show_default=True,
              help="For how long at most; it never outlasts the grant.")  # fmt: skip
@click.option("--source", "sources", metavar="CIDR", multiple=True, help="Good from these addresses only.")
@click.option(
    "--allow-plain-key", is_flag=True, help="UNSAFE: also for a key that is a file, and can be copied."
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="[default: beside the public key]")
@LOG
@FORMAT
@QUIET
def sign(
    room: str, public_key: str, uri: str, account: str, resource: str, actions: tuple[str, ...],
    authority: str, agent: bool, minutes: int, sources: tuple[str, ...], allow_plain_key: bool,
    output: str | None, log_path: str | None, form: str, quiet: bool,
) -> int:  # fmt: skip
    """Sign a certificate for the SSH key of somebody who has a live grant.

    The key is one of a security key (ed25519-sk, ecdsa-sk), and must ask for PIN or finger each time: sshd
    demands that. The serial is in the room's log before the certificate is written. Who may run this on the
    machine of the authority may let in whoever has a grant, and nobody else.
    """
    from immure.access.ssh import Authority, Order, read_key, sign_certificate
    from immure.access.ssh_keys import MOST_BYTES
    from immure.access.texts import spelled
    from immure.files import write_whole

    key = read_key(read_file(public_key, MOST_BYTES), public_key)
    order = Order(account, resource, minutes, sources, plain=allow_plain_key, actions=actions)
    if allow_plain_key and not key.sk:
        say("UNSAFE: a key that is a file can be copied, and sshd cannot tell who uses it")
    with opened(room, log_path, uri) as door:
        issued = sign_certificate(door, key, order, Authority(Path(authority), agent))
    target = Path(output) if output is not None else _beside(public_key)
    try:
        write_whole(target, issued.text, mode=0o644)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be written", path=str(target)) from error
    facts = {
        "certificate": str(target), "serial": issued.serial, "grant": issued.grant,
        "key": key.fingerprint, "principals": list(issued.principals), "ends": spelled(issued.ends),
    }  # fmt: skip
    if form == "json":
        click.echo(json.dumps(facts))
    elif not quiet:
        click.echo(f"{target}: serial {issued.serial}, on grant {issued.grant}, until {facts['ends']}")
    return ExitCode.CLEAN


def _beside(public_key: str) -> Path:
    """Where ``ssh`` looks for it."""
    path = Path(public_key)
    return path.with_name(f"{path.name.removesuffix('.pub')}-cert.pub")


@ssh.command(epilog=_EPILOG)
@ROOM
@click.option(
    "--authority",
    metavar="FILE",
    required=True,
    type=click.Path(),
    help="Public key of who signs certificates.",
)
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(), help="What sshd's RevokedKeys names."
)
@LOG
@QUIET
def krl(room: str, authority: str, output: str, log_path: str | None, quiet: bool) -> int:
    """Write the list of certificates that were revoked and have not run out, for sshd's RevokedKeys.

    A host that has no newer list lets a revoked certificate in until it runs out: so run this often, and make
    certificates short.
    """
    from immure.access.ssh import write_krl

    with opened(room, log_path, None) as door:
        count = write_krl(door, Path(authority), Path(output))
    if not quiet:
        click.echo(f"{output}: {count} revoked certificate{'' if count == 1 else 's'}")
    return ExitCode.CLEAN
